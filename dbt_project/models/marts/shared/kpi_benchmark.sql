-- Each municipality's latest figures beside those of its groups. Rank 1 is best by the indicator's direction.
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

-- By the registry's method where there is one.
latest as (
    select
        kpi_values.kpi_id,
        kpi_values.area_type,
        kpi_values.area_id,
        kpi_values.period,
        kpi_values.value,
        kpi_values.unit,
        kpi_values.method_version,
        kpi_values.source_vintage,
        kpi_values.loaded_at,
        kpis.direction,
        populations.population,
        -- Amounts add up to the group's; their mean by population says nothing.
        kpi_values.unit not in ('t CO2e', 't CO2e/year', 'date') as is_relative
    from kpi_values
    inner join kpis on kpi_values.kpi_id = kpis.kpi_id
    left join populations
        on
            kpi_values.area_id = populations.area_id
            and kpi_values.period = populations.period
    where
        kpi_values.is_latest
        and kpi_values.value_status = 'observed'
        and kpi_values.area_type in ('municipality', 'region', 'country', 'group')
    qualify
        row_number() over (
            partition by kpi_values.kpi_id, kpi_values.area_id, kpi_values.period
            order by
                kpi_values.method_version = kpis.method_version desc, kpi_values.valid_from_date desc,
                kpi_values.method_version asc
        ) = 1
),

ranked as (
    select
        members.municipality_code,
        members.group_kind,
        members.group_id,
        latest.*,
        case
            when latest.direction = 'higher' then rank() over (in_group order by latest.value desc)
            when latest.direction in ('lower', 'earlier') then rank() over (in_group order by latest.value)
        end as place
    from members
    inner join latest
        on
            members.member_code = latest.area_id
            and latest.area_type = 'municipality'
    window in_group as (
        partition by
            members.municipality_code, members.group_kind, latest.kpi_id, latest.period, latest.method_version
    )
),

grouped as (
    select
        municipality_code,
        group_kind,
        group_id,
        kpi_id,
        period,
        method_version,
        count(*) as members_count,
        -- In a fixed order: a sum of floating point numbers depends on it in its last digit.
        avg(value order by area_id) as mean_unweighted,
        if(
            bool_and(is_relative) and count(population) = count(*),
            sum(value * population order by area_id) / sum(population),
            null
        ) as mean_population_weighted,
        max(place) filter (area_id = municipality_code) as place
    from ranked
    group by municipality_code, group_kind, group_id, kpi_id, period, method_version
),

final as (
    select
        own.kpi_id,
        own.period,
        own.area_id as municipality_code,
        comparison_groups.group_kind,
        comparison_groups.group_id,
        comparison_groups.group_name,
        own.value,
        own.unit,
        coalesce(grouped.members_count, 0) as members_count,
        grouped.mean_unweighted,
        grouped.mean_population_weighted,
        published.value as mean_published,
        own.value - coalesce(grouped.mean_unweighted, published.value) as difference_from_mean,
        grouped.place as rank_in_group,
        -- Quarters of fewer than four are none.
        if(grouped.members_count < 4, null, ceil(4 * grouped.place / grouped.members_count))::integer as quartile,
        own.method_version,
        own.source_vintage,
        own.loaded_at
    from latest as own
    inner join comparison_groups on own.area_id = comparison_groups.municipality_code
    left join grouped
        on
            own.area_id = grouped.municipality_code
            and comparison_groups.group_kind = grouped.group_kind
            and own.kpi_id = grouped.kpi_id
            and own.period = grouped.period
            and own.method_version = grouped.method_version
            -- A few municipalities are not the country.
            and grouped.members_count >= 0.9 * coalesce(comparison_groups.members_total, grouped.members_count)
    left join latest as published
        on
            comparison_groups.group_id = published.area_id
            and own.kpi_id = published.kpi_id
            and own.period = published.period
            and own.method_version = published.method_version
    where own.area_type = 'municipality' and (grouped.members_count > 1 or published.value is not null)
)

select * from final
order by kpi_id, period, municipality_code, group_kind
