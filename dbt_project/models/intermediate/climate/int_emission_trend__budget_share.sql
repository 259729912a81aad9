-- Method B: a straight line by ordinary least squares through 2015 to the last year, against the area's share of the
-- national carbon budget. The budget is counted from two years after the last year; a share is the area's emissions
-- from 2015 on over those of all municipalities.
{{ config(materialized='table') }}

{% set n_municipalities = 290 %}
-- Tonnes, as the method was published: 80 Mt less 55/285 of it.
{% set national_budget = '(80e6 * (1 - 55 / 285))' %}

with totals as (
    select * from {{ ref('int_emission__published') }}
    where
        substance = 'CO2' and sector = 'total' and value_status = 'observed' and year >= 2015
        and area_type = 'municipality'
),

published_totals as (
    select * from {{ ref('municipal_emission_totals') }}
    where substance = 'CO2'
),

nation_by_year as (
    select
        totals.vintage,
        totals.year,
        if(
            count(*) = {{ n_municipalities }}, sum(totals.emissions_t), any_value(published_totals.emissions_t)
        ) as national_emissions_t
    from totals
    left join published_totals
        on
            totals.vintage = published_totals.vintage
            and totals.year = published_totals.year
    group by totals.vintage, totals.year
),

nation as (
    select
        vintage,
        count(*) as n_years,
        max(year) as last_year,
        if(count(national_emissions_t) = count(*), sum(national_emissions_t), null) as national_emissions_t
    from nation_by_year
    group by vintage
),

changes as (
    select
        *,
        emissions_t / nullif(lag(emissions_t) over (partition by area_type, area_id, vintage order by year), 0) - 1
            as yearly_change
    from totals
),

fitted as (
    select
        changes.area_type,
        changes.area_id,
        changes.vintage,
        nation.last_year,
        count(*) as n,
        regr_slope(changes.emissions_t, changes.year) as slope,
        -- By centred years: the intercept at year 0 would lose digits.
        avg(changes.emissions_t) + slope * (nation.last_year + 2 - avg(changes.year)) as start_emissions_t,
        max(changes.emissions_t) filter (changes.year = 2015) as first_emissions_t,
        max(changes.emissions_t) filter (changes.year = nation.last_year) as last_emissions_t,
        100 * avg(changes.yearly_change) as annual_change_pct,
        {{ national_budget }} * sum(changes.emissions_t) / any_value(nation.national_emissions_t) as budget_t,
        any_value(changes.valid_from_date) as valid_from_date,
        any_value(changes.valid_to_date) as valid_to_date,
        max(changes.loaded_at) as loaded_at
    from changes
    inner join nation on changes.vintage = nation.vintage
    -- Every year from 2015 on, or a share would be of fewer years than the country's.
    where nation.n_years = nation.last_year - 2014
    group by changes.area_type, changes.area_id, changes.vintage, nation.last_year
    having count(*) = nation.last_year - 2014
),

projected as (
    select
        *,
        last_year + 2 as start_year,
        -- The area under the yearly figures, which end at zero.
        list_sum(list_transform(
            range(last_year + 2, 2050),
            lambda year: (
                greatest(0, start_emissions_t + slope * (year - last_year - 2))
                + greatest(0, start_emissions_t + slope * (year - last_year - 1))
            ) / 2
        )) as total_trend_t,
        if(slope < 0 and start_emissions_t > 0, start_emissions_t / -slope, null) as years_to_zero,
        pow(start_emissions_t, 2) + 2 * slope * budget_t as discriminant
    from fitted
),

final as (
    select
        area_type,
        area_id,
        vintage,
        'budget_share_ols_2024_12' as method_version,
        last_year,
        n,
        first_emissions_t,
        last_emissions_t,
        slope as slope_t_per_year,
        annual_change_pct,
        start_year,
        start_emissions_t,
        total_trend_t,
        budget_t,
        total_trend_t / nullif(budget_t, 0) as trend_ratio,
        total_trend_t <= budget_t as is_paris_met,
        -- Of emissions that fall exponentially and use the budget exactly.
        100 * (1 - exp(-start_emissions_t / nullif(budget_t, 0))) as needed_change_pct,
        start_year + years_to_zero as net_zero_year,
        make_date(start_year, 1, 1) + (floor(years_to_zero * 365))::integer as net_zero_date,
        case
            when discriminant >= 0 and start_emissions_t > 0
                -- The smaller root in the form that keeps its digits, also for a slope of 0.
                then start_year + 2 * budget_t / (start_emissions_t + sqrt(discriminant))
        end as budget_runs_out_year,
        {{ date_of_year('budget_runs_out_year') }} as budget_runs_out_date,
        valid_from_date,
        valid_to_date,
        loaded_at
    from projected
)

select * from final
