-- Where a target exists: the straight path to it from the base year, the figures so far, the trend of the last six of
-- them (least absolute deviation, anchored at the last) and the year in which the trend meets the target. As they were
-- on every day since the first vintage: a row holds until a figure of its indicator and municipality is restated.
{% set keys = ['kpi_id', 'area_id', 'valid_from_date'] %}

with kpi_values as (
    select * from {{ ref('fct_kpi_value') }}
    where
        value_status = 'observed' and area_type = 'municipality'
        and regexp_full_match(period, '[0-9]{4}')
),

kpis as (
    select * from {{ ref('kpi_definitions') }}
),

municipalities as (
    select * from {{ ref('municipalities') }}
),

targets as (
    select
        kpi_targets.* exclude (municipality_code),  -- noqa: RF02
        municipalities.municipality_code
    from {{ ref('kpi_targets') }} as kpi_targets
    inner join municipalities
        on
            kpi_targets.municipality_code is null
            or kpi_targets.municipality_code = municipalities.municipality_code
),

-- By the registry's method: two methods are two series.
published as (
    select
        kpi_values.*,
        kpis.direction
    from kpi_values
    inner join kpis
        on
            kpi_values.kpi_id = kpis.kpi_id
            and kpi_values.method_version = kpis.method_version
    where kpi_values.kpi_id in (select targets.kpi_id from targets)
),

changes as (
    select
        kpi_id,
        area_id,
        valid_from_date
    from published
    union
    select
        kpi_id,
        area_id,
        valid_to_date as valid_from_date
    from published
    where valid_to_date is not null
),

intervals as (
    select
        *,
        lead(valid_from_date) over (partition by kpi_id, area_id order by valid_from_date) as valid_to_date
    from changes
),

figures as (
    select
        published.kpi_id,
        published.area_id,
        intervals.valid_from_date,
        intervals.valid_to_date,
        published.period::integer as year,
        published.value,
        published.unit,
        published.direction,
        published.loaded_at,
        row_number() over (
            partition by published.kpi_id, published.area_id, intervals.valid_from_date
            order by published.period::integer desc
        ) as years_ago
    from intervals
    inner join published
        on
            intervals.kpi_id = published.kpi_id
            and intervals.area_id = published.area_id
            and intervals.valid_from_date >= published.valid_from_date
            and (published.valid_to_date is null or intervals.valid_from_date < published.valid_to_date)
),

recent as (
    select
        kpi_id,
        area_id,
        valid_from_date,
        year,
        value
    from figures
    where years_ago <= 6
),

fitted as (
    {{ least_absolute_deviation('recent', keys) }}
),

aimed as (
    select
        targets.kpi_id,
        targets.municipality_code,
        targets.target_kind,
        targets.reason,
        targets.source,
        last_figures.unit,
        last_figures.direction,
        last_figures.year as last_year,
        last_figures.value as last_value,
        last_figures.loaded_at,
        last_figures.valid_from_date,
        last_figures.valid_to_date,
        coalesce(targets.base_year, last_figures.year) as first_year,
        targets.target_year,
        coalesce(targets.target_value, base_figures.value * (1 + targets.target_change_pct / 100)) as target_value,
        base_figures.value as base_value,
        fitted.n as trend_years_count,
        -- A line through fewer than four points is no trend.
        if(fitted.n >= 4, fitted.slope, null) as slope,
        if(fitted.n >= 4, fitted.slope_lower, null) as slope_lower,
        if(fitted.n >= 4, fitted.slope_upper, null) as slope_upper
    from targets
    inner join figures as last_figures
        on
            targets.kpi_id = last_figures.kpi_id
            and targets.municipality_code = last_figures.area_id
            and last_figures.years_ago = 1
    left join figures as base_figures
        on
            targets.kpi_id = base_figures.kpi_id
            and targets.municipality_code = base_figures.area_id
            and targets.base_year = base_figures.year
            and last_figures.valid_from_date = base_figures.valid_from_date
    left join fitted
        on
            targets.kpi_id = fitted.kpi_id
            and targets.municipality_code = fitted.area_id
            and last_figures.valid_from_date = fitted.valid_from_date
),

met as (
    select
        *,
        if(direction = 'higher', last_value >= target_value, last_value <= target_value) as is_met,
        {% for slope, column in [
            ('slope', 'year_met'), ('slope_lower', 'year_met_a'), ('slope_upper', 'year_met_b')
        ] %}
        case
            when is_met then last_year
            -- A trend away from the target never meets it.
            when (target_value - last_value) * {{ slope }} > 0
                then last_year + (target_value - last_value) / {{ slope }}
        end as {{ column }},
        {% endfor %}
        unnest(range(first_year, greatest(coalesce(target_year, last_year), last_year) + 1))::integer as year
    from aimed
    where target_value is not null
),

final as (
    select
        met.kpi_id,
        met.municipality_code,
        met.year,
        met.target_kind,
        met.target_year::integer as target_year,
        met.target_value,
        case
            when met.target_year is null or met.year >= met.target_year then met.target_value
            else
                met.base_value + (met.target_value - met.base_value)
                * (met.year - met.first_year) / (met.target_year - met.first_year)
        end as path_value,
        figures.value as observed_value,
        figures.value - path_value as gap,
        if(
            met.year <= met.last_year, null, met.last_value + met.slope * (met.year - met.last_year)
        ) as trend_value,
        met.unit,
        met.year = met.last_year as is_last_observed,
        met.is_met,
        met.slope as trend_per_year,
        met.year_met,
        -- Null on the later side: within the interval the trend may never meet the target.
        if(met.year_met is null, null, least(met.year_met_a, met.year_met_b, met.year_met)) as year_met_earliest,
        if(
            met.year_met is null or met.year_met_a is null or met.year_met_b is null,
            null, greatest(met.year_met_a, met.year_met_b, met.year_met)
        ) as year_met_latest,
        met.reason,
        met.source,
        met.valid_from_date,
        met.valid_to_date,
        met.valid_to_date is null as is_latest,
        met.loaded_at
    from met
    left join figures
        on
            met.kpi_id = figures.kpi_id
            and met.municipality_code = figures.area_id
            and met.year = figures.year
            and met.valid_from_date = figures.valid_from_date
)

select * from final
order by kpi_id, municipality_code, valid_from_date, year
