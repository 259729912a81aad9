-- Stored: fct_kpi_value and kpi_lineage both read it, and it has a row for every sensor and day.
{{ whole_periods('int_value_day__traced') }}

with daily_snow as (
    select * from {{ ref('kpi_operations__daily_snow') }}
),

sensors as (
    select distinct
        sensor_id,
        feed,
        sensor_kind,
        municipality_code,
        road_class
    from {{ ref('dim_sensor') }}
),

road_classes as (
    select * from {{ ref('road_classes') }}
),

plough_events as (
    select * from {{ ref('kpi_operations__plough_event') }}
),

frost_days as (
    select * from {{ ref('kpi_operations__daily_frost_risk') }}
),

building_years as (
    select * from {{ ref('kpi_operations__building_heat') }}
),

building_winters as (
    select * from {{ ref('kpi_operations__building_peak_power') }}
),

-- A period that is not over is complete up to the last day of its feed, which ends when its sensors are taken down.
feed_so_far as (
    select
        feed,
        max(local_date) as last_date
    from daily_snow
    group by feed
),

-- Meters may have been read after it, the same night.
so_far as (
    select max(last_date) as last_date from feed_so_far
),

sensor_days as (
    select
        daily_snow.*,
        if(sensors.sensor_kind = 'weather_station', 'station', 'sensor') as area_type,
        -- A winter is 1 October to 30 April and is named by its two years.
        year(daily_snow.local_date - interval '9 months')::integer as winter_year,
        date_trunc('month', daily_snow.local_date)::date as month_date,
        feed_so_far.last_date
    from daily_snow
    inner join sensors on daily_snow.sensor_id = sensors.sensor_id
    inner join feed_so_far on daily_snow.feed = feed_so_far.feed
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

event_counts as (
    select
        feed,
        sensor_id,
        year(local_date - interval '9 months')::integer as winter_year,
        count(*) as events
    from plough_events
    where month(local_date) not between 5 and 9
    group by feed, sensor_id, winter_year
),

-- A winter without an event has 0 of them, if its snow was measured.
plough_trigger_events as (
    select
        'plough_trigger_events' as kpi_id,
        winters.area_type,
        winters.sensor_id as area_id,
        concat(winters.winter_year, '/', winters.winter_year + 1) as period,
        winters.winter_start as period_start,
        winters.winter_end as period_end,
        if(count(winters.snow_depth_mean_cm) = 0, null, coalesce(max(event_counts.events), 0)) as value,
        count(winters.snow_depth_mean_cm) as n,
        count(winters.snow_depth_mean_cm)
        / (least(winters.winter_end, max(winters.last_date)) - winters.winter_start + 1) as completeness,
        if(count(winters.snow_depth_mean_cm) = 0, 'missing', 'observed') as value_status,
        winters.feed as source_vintage,
        max(winters.loaded_at) as loaded_at
    from winters
    inner join sensors on winters.feed = sensors.feed and winters.sensor_id = sensors.sensor_id
    inner join road_classes
        on
            sensors.municipality_code = road_classes.municipality_code
            and sensors.road_class = road_classes.road_class
    left join event_counts
        on
            winters.feed = event_counts.feed
            and winters.sensor_id = event_counts.sensor_id
            and winters.winter_year = event_counts.winter_year
    group by
        winters.area_type,
        winters.sensor_id,
        winters.feed,
        winters.winter_year,
        winters.winter_start,
        winters.winter_end
),

frost_months as (
    select
        feed,
        sensor_id,
        date_trunc('month', local_date)::date as month_date,
        sum(observed_hours) as observed_hours,
        sum(frost_risk_hours) as frost_risk_hours,
        max(loaded_at) as loaded_at
    from frost_days
    group by feed, sensor_id, month_date
),

frost_risk_hours as (
    select
        'frost_risk_hours' as kpi_id,
        'station' as area_type,
        frost_months.sensor_id as area_id,
        strftime(frost_months.month_date, '%Y-%m') as period,
        frost_months.month_date as period_start,
        last_day(frost_months.month_date) as period_end,
        if(frost_months.observed_hours = 0, null, frost_months.frost_risk_hours) as value,
        frost_months.observed_hours as n,
        frost_months.observed_hours / date_diff(
            'hour',
            {{ local_midnight('frost_months.month_date') }},
            {{ local_midnight('least(last_day(frost_months.month_date), feed_so_far.last_date) + 1') }}
        ) as completeness,
        if(frost_months.observed_hours = 0, 'missing', 'observed') as value_status,
        frost_months.feed as source_vintage,
        frost_months.loaded_at
    from frost_months
    left join feed_so_far on frost_months.feed = feed_so_far.feed
),

heat_use_normalised as (
    select
        'heat_use_normalised' as kpi_id,
        'building' as area_type,
        building_id as area_id,
        year::varchar as period,
        make_date(year, 1, 1) as period_start,
        make_date(year, 12, 31) as period_end,
        heat_normalised_kwh_per_m2 as value,
        observed_days as n,
        completeness,
        if(heat_normalised_kwh_per_m2 is null, 'missing', 'observed') as value_status,
        'meters' as source_vintage,
        loaded_at
    from building_years
),

peak_power_reduction as (
    select
        'peak_power_reduction' as kpi_id,
        'building' as area_type,
        building_winters.building_id as area_id,
        building_winters.winter as period,
        building_winters.winter_start_date as period_start,
        building_winters.winter_end_date as period_end,
        building_winters.peak_power_reduction_pct as value,
        building_winters.peak_power_kw as numerator,
        building_winters.reference_peak_power_kw as denominator,
        building_winters.observed_days as n,
        building_winters.observed_days / greatest(
            building_winters.observed_days,
            least(building_winters.winter_end_date, so_far.last_date) - building_winters.winter_start_date + 1
        ) as completeness,
        'observed' as value_status,
        'meters' as source_vintage,
        building_winters.loaded_at
    from building_winters
    cross join so_far
    where building_winters.peak_power_reduction_pct is not null
),

passed_through as (
    select * exclude (domain) from {{ ref('int_indicator__passed_through') }}
    where domain = 'operations'
),

{{ kpi_values({
    'availability': ['kpi_operations__daily_snow', 'dim_sensor'],
    'zero_crossings': ['kpi_operations__daily_snow', 'dim_sensor'],
    'snow_cover_days': ['kpi_operations__daily_snow', 'dim_sensor'],
    'plough_trigger_events': ['kpi_operations__daily_snow', 'kpi_operations__plough_event', 'dim_sensor'],
    'frost_risk_hours': ['kpi_operations__daily_frost_risk', 'kpi_operations__daily_snow'],
    'heat_use_normalised': ['kpi_operations__building_heat'],
    'peak_power_reduction': ['kpi_operations__building_peak_power', 'kpi_operations__daily_snow'],
    'passed_through': ['int_indicator__passed_through'],
}) }}
