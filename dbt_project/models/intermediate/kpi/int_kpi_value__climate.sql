{{ config(materialized='table') }}

with emissions as (
    select * from {{ ref('int_emission__published') }}
    where substance = 'GGT'
),

sectors as (
    select * from {{ ref('emission_sectors') }}
),

carbon_law_trends as (
    select * from {{ ref('int_emission_trend__carbon_law') }}
),

budget_trends as (
    select * from {{ ref('int_emission_trend__budget_share') }}
),

decouplings as (
    select * from {{ ref('int_decoupling__measured') }}
),

measured as (
    select * from {{ ref('int_indicator__measured') }}
),

passed_through as (
    select * exclude (domain) from {{ ref('int_indicator__passed_through') }}
    where domain = 'climate'
),

populations as (
    select
        area_id,
        year,
        value as population
    from measured
    where measure = 'population' and is_latest and value_status = 'observed'
),

emission_totals as (
    select
        sectors.kpi_id,
        emissions.area_type,
        emissions.area_id,
        emissions.year::varchar as period,
        make_date(emissions.year, 1, 1) as period_start,
        make_date(emissions.year, 12, 31) as period_end,
        emissions.emissions_t as value,
        if(emissions.value_status = 'observed', 1, 0) as n,
        if(emissions.value_status = 'observed', 1, 0) as completeness,
        emissions.value_status,
        emissions.vintage as source_vintage,
        emissions.valid_from_date,
        emissions.valid_to_date,
        emissions.loaded_at
    from emissions
    inner join sectors on emissions.sector = sectors.sector
    where sectors.kpi_id is not null
),

emissions_per_inhabitant as (
    select
        'ghg_per_capita' as kpi_id,
        emission_totals.* exclude (kpi_id, value),
        emission_totals.value / populations.population as value,
        emission_totals.value as numerator,
        populations.population as denominator
    from emission_totals
    inner join populations
        on
            emission_totals.area_id = populations.area_id
            and emission_totals.period = populations.year::varchar
    where emission_totals.kpi_id = 'ghg_total' and populations.population > 0
),

pv_capacity_per_inhabitant as (
    select
        'pv_capacity_pc' as kpi_id,
        measured.area_type,
        measured.area_id,
        measured.year::varchar as period,
        make_date(measured.year, 1, 1) as period_start,
        make_date(measured.year, 12, 31) as period_end,
        1e6 * measured.value / populations.population as value,
        1e6 * measured.value as numerator,
        populations.population as denominator,
        if(measured.value_status = 'observed', 1, 0) as n,
        if(measured.value_status = 'observed', 1, 0) as completeness,
        measured.value_status,
        measured.vintage as source_vintage,
        measured.released_date as valid_from_date,
        measured.ingested_at as loaded_at
    from measured
    inner join populations
        on
            measured.area_id = populations.area_id
            and measured.year = populations.year
    where measured.measure = 'pv_capacity_mw' and populations.population > 0
),

{% set carbon_law_kpis = {
    'ghg_cagr_since_2015': ['annual_change_pct', 'null', 'null'],
    'ghg_trend_slope': ['slope_t_per_year', 'slope_lower_t_per_year', 'slope_upper_t_per_year'],
    'trend_to_carbon_law': ['trend_ratio', 'trend_ratio_lower', 'trend_ratio_upper'],
    'net_zero_date': ['net_zero_year', 'net_zero_year_earliest', 'net_zero_year_latest'],
} %}
{% for kpi_id, (value, lower, upper) in carbon_law_kpis.items() %}
carbon_law_{{ kpi_id }} as (
    select
        '{{ kpi_id }}' as kpi_id,
        area_type,
        area_id,
        last_year::varchar as period,
        make_date(2015, 1, 1) as period_start,
        make_date(last_year, 12, 31) as period_end,
        {{ value }} as value,
        {% if kpi_id == 'net_zero_date' %}coalesce(net_zero_date::varchar, 'never') as value_text,{% endif %}
        {% if kpi_id == 'trend_to_carbon_law' %}
        total_trend_t as numerator,
        total_carbon_law_t as denominator,
        {% endif %}
        -- An estimate has two bounds or none: a trend that may never reach zero has no latest date.
        if({{ value }} is null or {{ upper }} is null, null, {{ lower }}) as lower_bound,
        if({{ value }} is null or {{ lower }} is null, null, {{ upper }}) as upper_bound,
        n,
        1 as completeness,
        if({{ value }} is null, 'undefined', 'observed') as value_status,
        method_version,
        vintage as source_vintage,
        valid_from_date,
        valid_to_date,
        loaded_at
    from carbon_law_trends
),
{% endfor %}

{% set budget_kpis = {'ghg_cagr_since_2015': 'annual_change_pct', 'net_zero_date': 'net_zero_year'} %}
{% for kpi_id, value in budget_kpis.items() %}
budget_share_{{ kpi_id }} as (
    select
        '{{ kpi_id }}' as kpi_id,
        area_type,
        area_id,
        last_year::varchar as period,
        make_date(2015, 1, 1) as period_start,
        make_date(last_year, 12, 31) as period_end,
        {{ value }} as value,
        {% if kpi_id == 'net_zero_date' %}coalesce(net_zero_date::varchar, 'never') as value_text,{% endif %}
        n,
        1 as completeness,
        if({{ value }} is null, 'undefined', 'observed') as value_status,
        method_version,
        'derived from NED, carbon dioxide (Klimatkollen 2024-12 method)' as source,
        vintage as source_vintage,
        valid_from_date,
        valid_to_date,
        loaded_at
    from budget_trends
),
{% endfor %}

-- Greenhouse gases as the vintage before published their mean change: of every single year since 2015.
yearly_changes as (
    select
        *,
        emissions_t / nullif(lag(emissions_t) over by_year, 0) - 1 as yearly_change,
        year - lag(year) over by_year as years_since
    from emissions
    where sector = 'total' and value_status = 'observed' and year >= 2015
    window by_year as (partition by area_type, area_id, vintage order by year)
),

mean_yearly_change as (
    select
        'ghg_cagr_since_2015' as kpi_id,
        area_type,
        area_id,
        max(year)::varchar as period,
        make_date(2015, 1, 1) as period_start,
        make_date(max(year), 12, 31) as period_end,
        100 * avg(yearly_change) as value,
        count(*) as n,
        1 as completeness,
        'observed' as value_status,
        'mean_yearly_change_2026_02' as method_version,
        vintage as source_vintage,
        any_value(valid_from_date) as valid_from_date,
        any_value(valid_to_date) as valid_to_date,
        max(loaded_at) as loaded_at
    from yearly_changes
    group by area_type, area_id, vintage
    having min(year) = 2015 and max(years_since) = 1
),

{% set decoupling_kpis = {
    'decoupling_oecd': ['oecd', 'oecd_factor', 'oecd_state'],
    'decoupling_tapio': ['tapio', 'tapio_elasticity', 'tapio_state'],
} %}
{% for kpi_id, (method, value, state) in decoupling_kpis.items() %}
{{ kpi_id }} as (
    select
        '{{ kpi_id }}' as kpi_id,
        area_type,
        area_id,
        concat(first_year, '-', last_year) as period,
        make_date(first_year, 1, 1) as period_start,
        make_date(last_year, 12, 31) as period_end,
        {{ value }} as value,
        {{ state }} as value_text,
        if({{ value }} is null, 0, 2) as n,
        if({{ value }} is null, 0, 1) as completeness,
        case
            when {{ value }} is not null then 'observed'
            when product_change is null then 'missing'
            else 'undefined'
        end as value_status,
        concat('{{ method }}-', deflator, '-v1') as method_version,
        if(
            deflator = 'cpi',
            'SMHI national emission database; regional product, population and consumer price index: SCB', null
        ) as source,
        vintage as source_vintage,
        valid_from_date,
        valid_to_date,
        loaded_at
    from decouplings
),
{% endfor %}

{% set carbon_law = ['int_emission_trend__carbon_law'] %}
{% set budget_share = ['int_emission_trend__budget_share'] %}
{% set decoupling = ['int_decoupling__measured'] %}
{{ kpi_values({
    'emission_totals': ['int_emission__published'],
    'emissions_per_inhabitant': ['int_emission__published', 'int_indicator__measured'],
    'pv_capacity_per_inhabitant': ['int_indicator__measured'],
    'passed_through': ['int_indicator__passed_through'],
    'carbon_law_ghg_cagr_since_2015': carbon_law,
    'carbon_law_ghg_trend_slope': carbon_law,
    'carbon_law_trend_to_carbon_law': carbon_law,
    'carbon_law_net_zero_date': carbon_law,
    'budget_share_ghg_cagr_since_2015': budget_share,
    'budget_share_net_zero_date': budget_share,
    'mean_yearly_change': ['int_emission__published'],
    'decoupling_oecd': decoupling,
    'decoupling_tapio': decoupling,
}) }}
