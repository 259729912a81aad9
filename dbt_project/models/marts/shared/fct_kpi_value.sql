with daily_snow as (
    select * from {{ ref('kpi_operations__daily_snow') }}
),

sensors as (
    select distinct
        sensor_id,
        feed,
        sensor_kind
    from {{ ref('dim_sensor') }}
),

survey_answers as (
    select * from {{ ref('kpi_digitalisation__survey_answer') }}
),

solutions as (
    select * from {{ ref('kpi_twin__solution') }}
),

effects as (
    select * from {{ ref('kpi_twin__solution_effect') }}
),

kpis as (
    select * from {{ ref('dim_kpi') }}
),

sensor_days as (
    select
        daily_snow.*,
        if(sensors.sensor_kind = 'weather_station', 'station', 'sensor') as area_type,
        -- A winter is 1 October to 30 April and is named by its two years.
        year(daily_snow.local_date - interval '9 months')::integer as winter_year,
        date_trunc('month', daily_snow.local_date)::date as month_date,
        max(daily_snow.local_date) over () as last_date
    from daily_snow
    inner join sensors on daily_snow.sensor_id = sensors.sensor_id
),

availability as (
    select
        'sensor_availability' as kpi_id,
        area_type,
        sensor_id as area_id,
        strftime(local_date, '%Y-%m-%d') as period,
        local_date as period_start,
        local_date as period_end,
        availability_pct as value,
        valid_readings as numerator,
        expected_readings as denominator,
        readings as n,
        null as lower_bound,
        null as upper_bound,
        1 as completeness,
        'observed' as value_status,
        feed as source_vintage,
        loaded_at
    from sensor_days
),

zero_crossings as (
    select
        'zero_crossings' as kpi_id,
        area_type,
        sensor_id as area_id,
        strftime(month_date, '%Y-%m') as period,
        month_date as period_start,
        last_day(month_date) as period_end,
        if(count(is_zero_crossing_day) = 0, null, count_if(is_zero_crossing_day)) as value,
        null as numerator,
        null as denominator,
        count(is_zero_crossing_day) as n,
        null as lower_bound,
        null as upper_bound,
        count(is_zero_crossing_day)
        / (least(last_day(month_date), max(last_date)) - month_date + 1) as completeness,
        if(count(is_zero_crossing_day) = 0, 'missing', 'observed') as value_status,
        feed as source_vintage,
        max(loaded_at) as loaded_at
    from sensor_days
    group by area_type, sensor_id, feed, month_date
),

winters as (
    select
        *,
        make_date(winter_year, 10, 1) as winter_start,
        make_date(winter_year + 1, 4, 30) as winter_end
    from sensor_days
    where month(local_date) not between 5 and 9
),

snow_cover_days as (
    select
        'snow_cover_days' as kpi_id,
        area_type,
        sensor_id as area_id,
        concat(winter_year, '/', winter_year + 1) as period,
        winter_start as period_start,
        winter_end as period_end,
        if(count(is_snow_cover_day) = 0, null, count_if(is_snow_cover_day)) as value,
        null as numerator,
        null as denominator,
        count(is_snow_cover_day) as n,
        null as lower_bound,
        null as upper_bound,
        count(is_snow_cover_day) / (least(winter_end, max(last_date)) - winter_start + 1) as completeness,
        if(count(is_snow_cover_day) = 0, 'missing', 'observed') as value_status,
        feed as source_vintage,
        max(loaded_at) as loaded_at
    from winters
    group by area_type, sensor_id, feed, winter_year, winter_start, winter_end
),

survey_shares as (
    select
        kpi_id,
        if(subgroup_type = 'all', 'federation', subgroup_type) as area_type,
        if(subgroup_type = 'all', 'hoglandet', subgroup) as area_id,
        wave as period,
        {{ local_day('last_submitted_at') }} as period_start,
        {{ local_day('last_submitted_at') }} as period_end,
        100 * answer_share as value,
        n_answers as numerator,
        if(is_suppressed, null, n_respondents) as denominator,
        n_respondents as n,
        100 * answer_share_lower_bound as lower_bound,
        100 * answer_share_upper_bound as upper_bound,
        1 as completeness,
        if(is_suppressed, 'suppressed', 'observed') as value_status,
        wave as source_vintage,
        loaded_at
    from survey_answers
    where
        is_indicator_answer
        and kpi_id is not null
        and subgroup_type in ('all', 'municipality')
        and subgroup != 'not_stated'
),

snapshots as (
    select
        {{ local_day('max(snapshot_at)') }} as snapshot_date,
        count(*) as n_solutions,
        count_if(stage in ('analysed', 'validated')) as n_mature,
        max(loaded_at) as loaded_at
    from solutions
    having count(*) > 0
),

stages as (
    select unnest(['identified', 'analysed', 'validated']) as stage
),

solutions_by_stage as (
    select
        'uttc_solutions_by_stage' as kpi_id,
        'stage' as area_type,
        stages.stage as area_id,
        strftime(snapshots.snapshot_date, '%Y-%m-%d') as period,
        snapshots.snapshot_date as period_start,
        snapshots.snapshot_date as period_end,
        count(solutions.url) as value,
        count(solutions.url) as numerator,
        snapshots.n_solutions as denominator,
        snapshots.n_solutions as n,
        null as lower_bound,
        null as upper_bound,
        1 as completeness,
        'observed' as value_status,
        strftime(snapshots.snapshot_date, '%Y-%m-%d') as source_vintage,
        snapshots.loaded_at
    from snapshots
    cross join stages
    left join solutions on stages.stage = solutions.stage
    group by stages.stage, snapshots.snapshot_date, snapshots.n_solutions, snapshots.loaded_at
),

maturity_share as (
    select
        'uttc_maturity_share' as kpi_id,
        'catalogue' as area_type,
        'uttc' as area_id,
        strftime(snapshot_date, '%Y-%m-%d') as period,
        snapshot_date as period_start,
        snapshot_date as period_end,
        100.0 * n_mature / n_solutions as value,
        n_mature as numerator,
        n_solutions as denominator,
        n_solutions as n,
        null as lower_bound,
        null as upper_bound,
        1 as completeness,
        'observed' as value_status,
        strftime(snapshot_date, '%Y-%m-%d') as source_vintage,
        loaded_at
    from snapshots
),

-- Only what an entry itself states as net; a gross effect or a footprint is not a net effect.
net_effects as (
    select
        url,
        sum(effect_value::decimal(18, 4))::double as net_effect,
        count(*) as n_effects
    from effects
    where effect_kind = 'net' and effect_value is not null and effect_unit in ('t CO2e/yr', 't CO2/yr')
    group by url
),

net_effect as (
    select
        'uttc_net_effect' as kpi_id,
        'solution' as area_type,
        solutions.slug as area_id,
        strftime(snapshots.snapshot_date, '%Y-%m-%d') as period,
        snapshots.snapshot_date as period_start,
        snapshots.snapshot_date as period_end,
        net_effects.net_effect as value,
        null as numerator,
        null as denominator,
        coalesce(net_effects.n_effects, 0) as n,
        null as lower_bound,
        null as upper_bound,
        if(net_effects.url is null, 0, 1) as completeness,
        if(net_effects.url is null, 'missing', 'observed') as value_status,
        strftime(snapshots.snapshot_date, '%Y-%m-%d') as source_vintage,
        solutions.loaded_at
    from solutions
    cross join snapshots
    left join net_effects on solutions.url = net_effects.url
),

kpi_values as (
    {% for kpi in [
        'availability', 'zero_crossings', 'snow_cover_days', 'survey_shares', 'solutions_by_stage',
        'maturity_share', 'net_effect',
    ] %}
    select * from {{ kpi }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

final as (
    select
        kpi_values.kpi_id,
        kpi_values.area_type,
        kpi_values.area_id,
        kpi_values.period,
        kpi_values.period_start::date as period_start,
        kpi_values.period_end::date as period_end,
        kpi_values.value::double as value,
        kpis.unit,
        kpi_values.numerator::double as numerator,
        kpi_values.denominator::double as denominator,
        kpi_values.n::bigint as n,
        kpi_values.lower_bound::double as lower_bound,
        kpi_values.upper_bound::double as upper_bound,
        kpi_values.completeness::double as completeness,
        kpi_values.value_status,
        kpis.method_version,
        kpis.source,
        kpi_values.source_vintage,
        kpi_values.loaded_at
    from kpi_values
    inner join kpis on kpi_values.kpi_id = kpis.kpi_id
)

select * from final
order by kpi_id, area_type, area_id, period, method_version, source_vintage
