{{ whole_periods('int_value_day__traced') }}

-- Where every value comes from: the models it came through, and the raw rows behind it by load and landing file.
{% set domains = ['operations', 'digitalisation', 'twin', 'climate'] %}

with kpi_values as (
    select * from {{ ref('fct_kpi_value') }}{{ where_pending() }}
),

-- Which branch of which model gives an indicator by which method, and what that branch reads.
branches as (
    {% for domain in domains %}
    select distinct
        kpi_id,
        method_version,
        'int_kpi_value__{{ domain }}' as dbt_model,
        unnest(read_models) as read_model
    from {{ ref('int_kpi_value__' ~ domain) }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

steps as (
    {{ model_steps() }}
),

steps_of_branch as (
    select
        branches.kpi_id,
        branches.method_version,
        branches.dbt_model,
        steps.step,
        max(steps.distance) as distance
    from branches
    inner join steps on branches.read_model = steps.model
    group by branches.kpi_id, branches.method_version, branches.dbt_model, steps.step
),

chains as (
    select
        kpi_id,
        method_version,
        dbt_model,
        concat('fct_kpi_value ← ', dbt_model, ' ← ', string_agg(step, ' ← ' order by distance, step)) as dbt_models
    from steps_of_branch
    group by kpi_id, method_version, dbt_model
),

indicator_values as (
    select * from {{ ref('stg_indicators__value') }}
),

measured as (
    select * from {{ ref('int_indicator__measured') }}
),

sectors as (
    select * from {{ ref('emission_sectors') }}
    where kpi_id is not null
),

questions as (
    select * from {{ ref('survey_questions') }}
    where kpi_id is not null
),

answers as (
    select * from {{ source('raw', 'survey_answer') }}
),

solutions as (
    select * from {{ source('raw', 'uttc_solution') }}
),

reading_inputs as (
    select * from {{ ref('int_value_quantity__traced') }}
),

landed_days as (
    select * from {{ ref('int_sensor_day__landed') }}
),

loads as (
    select * from {{ source('ops', 'load') }}
),

-- What each method takes from the emission database: a sector, and the value's own year, the years since 2015, those of
-- the Carbon Law (2015 and 2020 on), or the ends of the period.
emission_inputs as (
    select
        kpi_id,
        'ned-v1' as method_version,
        'GGT' as substance,
        sector,
        'own' as years
    from sectors
    union all
    select methods.* from (
        values
        ('ghg_per_capita', 'per-capita-v1', 'GGT', 'total', 'own'),
        ('ghg_cagr_since_2015', 'carbon_law_lad_2026_06', 'GGT', 'total', 'ends'),
        ('ghg_cagr_since_2015', 'mean_yearly_change_2026_02', 'GGT', 'total', 'since_2015'),
        ('ghg_cagr_since_2015', 'budget_share_ols_2024_12', 'CO2', 'total', 'since_2015'),
        ('ghg_trend_slope', 'carbon_law_lad_2026_06', 'GGT', 'total', 'carbon_law'),
        ('trend_to_carbon_law', 'carbon_law_lad_2026_06', 'GGT', 'total', 'carbon_law'),
        ('net_zero_date', 'carbon_law_lad_2026_06', 'GGT', 'total', 'carbon_law'),
        ('net_zero_date', 'budget_share_ols_2024_12', 'CO2', 'total', 'since_2015'),
        ('decoupling_oecd', 'oecd-cpi-v1', 'GGT', 'total', 'ends'),
        ('decoupling_oecd', 'oecd-grp-v1', 'GGT', 'total', 'ends'),
        ('decoupling_tapio', 'tapio-cpi-v1', 'GGT', 'total', 'ends'),
        ('decoupling_tapio', 'tapio-grp-v1', 'GGT', 'total', 'ends')
    ) as methods (kpi_id, method_version, substance, sector, years)
),

measure_inputs as (
    select
        measure as kpi_id,
        'kolada-v1' as method_version,
        measure,
        true as is_own_vintage
    from {{ ref('kpi_series') }}
    union
    select methods.* from (
        values
        ('ghg_per_capita', 'per-capita-v1', 'population', false),
        ('pv_capacity_pc', 'per-capita-v1', 'population', false),
        ('pv_capacity_pc', 'per-capita-v1', 'pv_capacity_mw', true),
        ('welfare_tech_index', 'welfare-tech-v1', 'welfare_tech_answer', false),
        {% for kpi_id, method in [('decoupling_oecd', 'oecd'), ('decoupling_tapio', 'tapio')] %}
        {% for deflator in ['cpi', 'grp'] %}
        ('{{ kpi_id }}', '{{ method }}-{{ deflator }}-v1', 'population', false),
        ('{{ kpi_id }}', '{{ method }}-{{ deflator }}-v1', 'grp_per_inhabitant', false),
        {% endfor %}
        ('{{ kpi_id }}', '{{ method }}-grp-v1', 'county_product_current_prices', false),
        ('{{ kpi_id }}', '{{ method }}-grp-v1', 'county_product_volume_change_pct', false),
        {% endfor %}
        ('snow_satisfaction', 'kolada-v1', 'snow_satisfaction_margin', false)
    ) as methods (kpi_id, method_version, measure, is_own_vintage)
),

emission_rows as (
    select
        kpi_values.*,
        'indicator_value' as raw_table,
        concat(indicator_values.series_id, ' ', indicator_values.breakdown) as raw_series,
        indicator_values.area_id as raw_area_id,
        indicator_values.load_id,
        indicator_values.landing_id
    from kpi_values
    inner join emission_inputs
        on
            kpi_values.kpi_id = emission_inputs.kpi_id
            and kpi_values.method_version = emission_inputs.method_version
    inner join indicator_values
        on
            indicator_values.source = 'ned'
            and kpi_values.area_id = indicator_values.area_id
            and kpi_values.source_vintage = indicator_values.vintage
            and emission_inputs.substance = indicator_values.series_id
            and emission_inputs.sector = indicator_values.breakdown
            and indicator_values.year between year(kpi_values.period_start) and year(kpi_values.period_end)
            and case emission_inputs.years
                when 'ends' then indicator_values.year in (year(kpi_values.period_start), year(kpi_values.period_end))
                when 'carbon_law' then indicator_values.year not between 2016 and 2019
                else true
            end
),

measure_rows as (
    select
        kpi_values.*,
        'indicator_value' as raw_table,
        concat(measured.series_id, ' ', measured.breakdown) as raw_series,
        measured.area_id as raw_area_id,
        measured.load_id,
        measured.landing_id
    from kpi_values
    inner join measure_inputs
        on
            kpi_values.kpi_id = measure_inputs.kpi_id
            and kpi_values.method_version = measure_inputs.method_version
    inner join measured
        on
            measure_inputs.measure = measured.measure
            -- Prices are the county's, and its changes in volume are chained over the years between.
            and if(
                starts_with(measure_inputs.measure, 'county_'),
                concat('00', left(kpi_values.area_id, 2)), kpi_values.area_id
            ) = measured.area_id
            and measured.year between year(kpi_values.period_start) and year(kpi_values.period_end)
            and (
                measure_inputs.measure = 'county_product_volume_change_pct'
                or measured.year in (year(kpi_values.period_start), year(kpi_values.period_end))
            )
            and if(measure_inputs.is_own_vintage, kpi_values.source_vintage = measured.vintage, measured.is_latest)
),

-- Of a whole wave: a subgroup's own rows would single out its answers.
answer_rows as (
    select
        kpi_values.*,
        'survey_answer' as raw_table,
        answers.question_id as raw_series,
        null as raw_area_id,
        answers.load_id,
        answers.landing_id
    from kpi_values
    inner join questions on kpi_values.kpi_id = questions.kpi_id
    inner join answers
        on
            questions.question_id = split_part(answers.question_id, '.', 1)
            and kpi_values.period = answers.wave
),

solution_rows as (
    select
        kpi_values.*,
        'uttc_solution' as raw_table,
        null as raw_series,
        null as raw_area_id,
        solutions.load_id,
        solutions.landing_id
    from kpi_values
    inner join solutions
        on
            kpi_values.kpi_id in ('uttc_solutions_by_stage', 'uttc_maturity_share')
            or (kpi_values.kpi_id = 'uttc_net_effect' and kpi_values.area_id = solutions.slug)
),

-- Days of raw rows: those of the value in which its sensor was in service, and of a winter that it is compared with.
value_days as (
    select
        kpi_values.*,
        reading_inputs.feed,
        reading_inputs.sensor_id,
        reading_inputs.quantity,
        coalesce(
            make_date(reading_inputs.reference_year, 10, 1),
            greatest(kpi_values.period_start, reading_inputs.active_from)
        ) as first_date,
        coalesce(
            make_date(reading_inputs.reference_year + 1, 4, 30),
            least(kpi_values.period_end, reading_inputs.active_to)
        ) as last_date
    from kpi_values
    inner join reading_inputs
        on
            kpi_values.kpi_id = reading_inputs.kpi_id
            and kpi_values.area_id = reading_inputs.area_id
            and kpi_values.source_vintage = reading_inputs.source_vintage
    where kpi_values.area_type in ('sensor', 'station', 'building')
),

reading_rows as (
    select
        value_days.*,
        'sensor_reading' as raw_table,
        value_days.quantity as raw_series,
        value_days.sensor_id as raw_area_id,
        landed_days.load_id,
        landed_days.landing_id,
        landed_days.readings
    from value_days
    inner join landed_days
        on
            value_days.feed = landed_days.feed
            and value_days.sensor_id = landed_days.sensor_id
            and value_days.quantity = landed_days.quantity
            and landed_days.local_date between value_days.first_date and value_days.last_date
),

traced as (
    {% for part in ['emission_rows', 'measure_rows', 'answer_rows', 'solution_rows', 'reading_rows'] %}
    select
        kpi_id,
        area_type,
        area_id,
        period,
        method_version,
        source_vintage,
        raw_table,
        raw_series,
        raw_area_id,
        load_id,
        landing_id,
        {{ 'sum(readings)' if part == 'reading_rows' else 'count(*)' }} as raw_rows
    from {{ part }}
    group by all
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

final as (
    select
        kpi_values.kpi_id,
        kpi_values.area_type,
        kpi_values.area_id,
        kpi_values.period,
        kpi_values.period_start,
        kpi_values.period_end,
        kpi_values.method_version,
        kpi_values.source_vintage,
        chains.dbt_model,
        chains.dbt_models,
        traced.raw_table,
        traced.raw_series::varchar as raw_series,
        traced.raw_area_id::varchar as raw_area_id,
        traced.raw_rows::bigint as raw_rows,
        traced.load_id,
        loads.source as load_source,
        loads.run_id,
        loads.finished_at as loaded_at,
        loads.checks_passed,
        loads.checks_warned,
        loads.checks_failed,
        traced.landing_id
    from kpi_values
    inner join chains
        on
            kpi_values.kpi_id = chains.kpi_id
            and kpi_values.method_version = chains.method_version
    left join traced
        on
            kpi_values.kpi_id = traced.kpi_id
            and kpi_values.area_type = traced.area_type
            and kpi_values.area_id = traced.area_id
            and kpi_values.period = traced.period
            and kpi_values.method_version = traced.method_version
            and kpi_values.source_vintage = traced.source_vintage
    left join loads on traced.load_id = loads.load_id
)

-- Newest last: what a night replaces lies together, and no more than that is written anew.
select * from final
order by
    period_end, kpi_id, area_type, area_id, period, method_version, source_vintage, raw_table, raw_series, load_id,
    landing_id
