-- Each municipality's figures beside those of its groups, as they were on every day since the first vintage: a row
-- holds until a figure of the indicator and period is restated. Rank 1 is best by the indicator's direction. The mean
-- is of the group's members; the municipality is ranked with them also where it is no member, as of similar ones.
with kpi_values as (
    select * from {{ ref('int_kpi_value__climate') }}
    union all
    select * from {{ ref('int_kpi_value__digitalisation') }}
),

kpis as (
    select * from {{ ref('kpi_definitions') }}
),

comparison_groups as (
    select * from {{ ref('comparison_groups') }}
),

members as (
    select * from {{ ref('int_comparison_group__membered') }}
),

populations as (
    select
        area_id,
        year::varchar as period,
        value as population
    from {{ ref('int_indicator__measured') }}
    where measure = 'population' and is_latest and value_status = 'observed'
),

compared as (
    select * from kpi_values
    where area_type in ('municipality', 'region', 'country', 'group')
),

changes as (
    select
        kpi_id,
        period,
        valid_from_date
    from compared
    union
    select
        kpi_id,
        period,
        valid_to_date as valid_from_date
    from compared
    where valid_to_date is not null
),

intervals as (
    select
        *,
        lead(valid_from_date) over (partition by kpi_id, period order by valid_from_date) as valid_to_date
    from changes
),

-- By the registry's method where there is one.
valid_values as (
    select
        compared.kpi_id,
        compared.area_type,
        compared.area_id,
        compared.period,
        compared.value,
        compared.unit,
        compared.method_version,
        compared.source_vintage,
        compared.loaded_at,
        intervals.valid_from_date,
        intervals.valid_to_date,
        kpis.direction,
        populations.population,
        -- Amounts add up to the group's; their mean by population says nothing.
        compared.unit not in ('t CO2e', 't CO2e/year', 'date') as is_relative
    from intervals
    inner join compared
        on
            intervals.kpi_id = compared.kpi_id
            and intervals.period = compared.period
            and intervals.valid_from_date >= compared.valid_from_date
            and (compared.valid_to_date is null or intervals.valid_from_date < compared.valid_to_date)
    inner join kpis on compared.kpi_id = kpis.kpi_id
    left join populations
        on
            compared.area_id = populations.area_id
            and compared.period = populations.period
    where compared.value_status = 'observed'
    qualify
        row_number() over (
            partition by compared.kpi_id, compared.area_id, compared.period, intervals.valid_from_date
            order by
                compared.method_version = kpis.method_version desc, compared.valid_from_date desc,
                compared.method_version asc
        ) = 1
),

candidates as (
    select
        municipality_code,
        group_kind,
        member_code,
        true as is_member
    from members
    union all
    select
        municipality_code,
        group_kind,
        municipality_code as member_code,
        false as is_member
    from members
    group by municipality_code, group_kind
    having not bool_or(member_code = municipality_code)
),

ranked as (
    select
        candidates.municipality_code,
        candidates.group_kind,
        candidates.is_member,
        valid_values.*,
        case
            when valid_values.direction = 'higher' then rank() over (in_group order by valid_values.value desc)
            when valid_values.direction in ('lower', 'earlier') then rank() over (in_group order by valid_values.value)
        end as place
    from candidates
    inner join valid_values
        on
            candidates.member_code = valid_values.area_id
            and valid_values.area_type = 'municipality'
    window in_group as (
        partition by
            candidates.municipality_code, candidates.group_kind, valid_values.kpi_id, valid_values.period,
            valid_values.method_version, valid_values.valid_from_date
    )
),

grouped as (
    select
        municipality_code,
        group_kind,
        kpi_id,
        period,
        method_version,
        valid_from_date,
        count(*) as ranked_count,
        count(*) filter (is_member) as members_count,
        -- In a fixed order: a sum of floating point numbers depends on it in its last digit.
        avg(value order by area_id) filter (is_member) as mean_unweighted,
        if(
            bool_and(is_relative) and bool_and(population is not null),
            sum(value * population order by area_id) filter (is_member) / sum(population) filter (is_member),
            null
        ) as mean_population_weighted,
        max(place) filter (area_id = municipality_code) as place
    from ranked
    group by municipality_code, group_kind, kpi_id, period, method_version, valid_from_date
),

-- The name and size that Kolada gives a group it lists.
named_groups as (
    select
        comparison_groups.municipality_code,
        comparison_groups.group_kind,
        comparison_groups.group_id,
        coalesce(any_value(members.group_name), comparison_groups.group_name) as group_name,
        coalesce(any_value(members.members_total), comparison_groups.members_total)::integer as members_total
    from comparison_groups
    left join members
        on
            comparison_groups.municipality_code = members.municipality_code
            and comparison_groups.group_kind = members.group_kind
    group by
        comparison_groups.municipality_code,
        comparison_groups.group_kind,
        comparison_groups.group_id,
        comparison_groups.group_name,
        comparison_groups.members_total
),

final as (
    select
        own.kpi_id,
        own.period,
        own.area_id as municipality_code,
        named_groups.group_kind,
        named_groups.group_id,
        named_groups.group_name,
        own.value,
        own.unit,
        named_groups.members_total,
        coalesce(grouped.members_count, 0) as members_count,
        grouped.mean_unweighted,
        grouped.mean_population_weighted,
        published.value as mean_published,
        own.value - coalesce(grouped.mean_unweighted, published.value) as difference_from_mean,
        grouped.place as rank_in_group,
        coalesce(grouped.ranked_count, 0) as ranked_count,
        -- Quarters of fewer than four are none.
        if(grouped.ranked_count < 4, null, ceil(4 * grouped.place / grouped.ranked_count))::integer as quartile,
        own.method_version,
        own.source_vintage,
        own.valid_from_date,
        own.valid_to_date,
        own.valid_to_date is null as is_latest,
        own.loaded_at
    from valid_values as own
    inner join named_groups on own.area_id = named_groups.municipality_code
    left join grouped
        on
            own.area_id = grouped.municipality_code
            and named_groups.group_kind = grouped.group_kind
            and own.kpi_id = grouped.kpi_id
            and own.period = grouped.period
            and own.method_version = grouped.method_version
            and own.valid_from_date = grouped.valid_from_date
            -- A few municipalities are not the country.
            and grouped.members_count >= 0.9 * coalesce(named_groups.members_total, grouped.members_count)
    left join valid_values as published
        on
            named_groups.group_id = published.area_id
            and own.kpi_id = published.kpi_id
            and own.period = published.period
            and own.method_version = published.method_version
            and own.valid_from_date = published.valid_from_date
    where own.area_type = 'municipality' and (grouped.members_count > 1 or published.value is not null)
)

select * from final
order by kpi_id, period, municipality_code, group_kind, valid_from_date
