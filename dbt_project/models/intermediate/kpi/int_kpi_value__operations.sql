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

{{ kpi_values(['availability', 'zero_crossings', 'snow_cover_days']) }}
