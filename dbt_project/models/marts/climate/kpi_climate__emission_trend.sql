with carbon_law_trends as (
    select * from {{ ref('int_emission_trend__carbon_law') }}
),

budget_trends as (
    select * from {{ ref('int_emission_trend__budget_share') }}
),

municipalities as (
    select * from {{ ref('municipalities') }}
),

trends as (
    select
        *,
        'GGT' as substance
    from carbon_law_trends
    union all by name
    select
        *,
        'CO2' as substance
    from budget_trends
),

final as (
    select
        municipalities.municipality_code,
        municipalities.municipality_name,
        trends.method_version,
        trends.substance,
        trends.vintage,
        trends.last_year::integer as last_year,
        trends.n as years_count,
        trends.first_emissions_t as emissions_2015_t,
        trends.last_emissions_t,
        trends.slope_t_per_year,
        trends.slope_lower_t_per_year,
        trends.slope_upper_t_per_year,
        trends.annual_change_pct,
        trends.total_trend_t,
        trends.total_carbon_law_t,
        trends.budget_t,
        trends.trend_ratio,
        trends.trend_ratio_lower,
        trends.trend_ratio_upper,
        trends.is_paris_met,
        trends.needed_change_pct,
        trends.net_zero_date,
        trends.budget_runs_out_date,
        trends.valid_to_date is null
        and trends.last_year
        = max(trends.last_year) over (partition by trends.method_version, trends.vintage) as is_latest,
        trends.valid_from_date,
        trends.valid_to_date,
        trends.loaded_at
    from trends
    inner join municipalities on trends.area_id = municipalities.municipality_code
)

select * from final
order by municipality_code, method_version, vintage, last_year
