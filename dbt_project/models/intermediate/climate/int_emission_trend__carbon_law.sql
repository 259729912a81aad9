-- Method A: a line of least absolute deviation through 2015 and 2020 to the last year, anchored at the last year's
-- emissions, against emissions that fall by 11.72 % a year (the Carbon Law). Both are summed from two years after the
-- last year to 2050. Calculated for every last year from 2022, so that vintages can be compared year by year.
{{ config(materialized='table') }}

{% set keys = ['area_type', 'area_id', 'vintage', 'last_year'] %}

with totals as (
    select * from {{ ref('int_emission__published') }}
    where substance = 'GGT' and sector = 'total' and value_status = 'observed'
),

last_years as (
    select
        area_type,
        area_id,
        vintage,
        year as last_year,
        emissions_t as last_emissions_t,
        valid_from_date,
        valid_to_date,
        loaded_at
    from totals
    where year between 2022 and 2047
),

observations as (
    select
        last_years.area_type,
        last_years.area_id,
        last_years.vintage,
        last_years.last_year,
        totals.year,
        totals.emissions_t as value
    from last_years
    inner join totals
        on
            last_years.area_type = totals.area_type
            and last_years.area_id = totals.area_id
            and last_years.vintage = totals.vintage
            and (totals.year = 2015 or totals.year between 2020 and last_years.last_year)
),

fitted as (
    {{ least_absolute_deviation('observations', keys) }}
),

first_years as (
    select
        area_type,
        area_id,
        vintage,
        emissions_t as first_emissions_t
    from totals
    where year = 2015
),

-- Only where no year is missing: a line through fewer points is another method.
anchored as (
    select
        last_years.*,
        first_years.first_emissions_t,
        fitted.n,
        fitted.slope,
        fitted.slope_lower,
        fitted.slope_upper
    from last_years
    inner join fitted
        on
            last_years.area_type = fitted.area_type
            and last_years.area_id = fitted.area_id
            and last_years.vintage = fitted.vintage
            and last_years.last_year = fitted.last_year
    inner join first_years
        on
            last_years.area_type = first_years.area_type
            and last_years.area_id = first_years.area_id
            and last_years.vintage = first_years.vintage
    where fitted.n = last_years.last_year - 2018
),

summed as (
    select
        *,
        {% for bound in ['', '_lower', '_upper'] %}
        list_sum(list_transform(
            range(last_year + 2, 2051),
            lambda year: greatest(0, last_emissions_t + slope{{ bound }} * (year - last_year))
        )) as total_trend{{ bound }}_t,
        list_sum(list_transform(
            range(0, 2049 - last_year),
            lambda years: greatest(0, last_emissions_t + 2 * slope{{ bound }}) * pow(0.8828, years)
        )) as total_carbon_law{{ bound }}_t,
        {% endfor %}
        if(slope < 0, last_year - last_emissions_t / slope, null) as net_zero_year,
        if(slope_lower < 0, last_year - last_emissions_t / slope_lower, null) as net_zero_year_earliest,
        if(slope_upper < 0, last_year - last_emissions_t / slope_upper, null) as net_zero_year_latest
    from anchored
),

compared as (
    select
        *,
        total_trend_t / nullif(total_carbon_law_t, 0) as trend_ratio,
        total_trend_lower_t / nullif(total_carbon_law_lower_t, 0) as trend_ratio_at_lower,
        total_trend_upper_t / nullif(total_carbon_law_upper_t, 0) as trend_ratio_at_upper
    from summed
),

final as (
    select
        area_type,
        area_id,
        vintage,
        'carbon_law_lad_2026_06' as method_version,
        last_year,
        n,
        first_emissions_t,
        last_emissions_t,
        slope as slope_t_per_year,
        slope_lower as slope_lower_t_per_year,
        slope_upper as slope_upper_t_per_year,
        100 * (pow(last_emissions_t / nullif(first_emissions_t, 0), 1 / (last_year - 2015)) - 1) as annual_change_pct,
        total_trend_t,
        total_carbon_law_t,
        trend_ratio,
        least(trend_ratio, trend_ratio_at_lower, trend_ratio_at_upper) as trend_ratio_lower,
        greatest(trend_ratio, trend_ratio_at_lower, trend_ratio_at_upper) as trend_ratio_upper,
        total_trend_t <= total_carbon_law_t as is_paris_met,
        net_zero_year,
        net_zero_year_earliest,
        net_zero_year_latest,
        {{ date_of_year('net_zero_year') }} as net_zero_date,
        valid_from_date,
        valid_to_date,
        loaded_at
    from compared
)

select * from final
