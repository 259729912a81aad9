{{ whole_days('int_plough_day__decided') }}

with events as (
    select * from {{ pending_rows(ref('int_plough_event__begun'), 'date', 'local_date') }}
),

hourly as (
    select * from {{ pending_rows(ref('int_sensor_reading__hourly'), 'date', 'local_date', days_before=2) }}
    where quantity = 'snow_depth' and value_mean is not null
),

sensors as (
    select distinct
        feed,
        sensor_id,
        municipality_code,
        road_class
    from {{ ref('dim_sensor') }}
),

road_classes as (
    select * from {{ ref('road_classes') }}
),

-- Joined by the day, an event meets the hours of three days and not of all winters.
reaching as (
    select
        *,
        unnest([local_date - 2, local_date - 1, local_date]) as earlier_date
    from events
),

measured as (
    select
        reaching.feed,
        reaching.sensor_id,
        reaching.local_date,
        reaching.event_at,
        arg_max(hourly.value_mean, hourly.hour_at) as snow_depth_cm,
        arg_max(hourly.value_mean, hourly.hour_at) - min(hourly.value_mean) as new_snow_cm,
        max(hourly.loaded_at) as loaded_at
    from reaching
    inner join hourly
        on
            reaching.feed = hourly.feed
            and reaching.sensor_id = hourly.sensor_id
            and reaching.earlier_date = hourly.local_date
            and reaching.event_at >= hourly.hour_at
            and reaching.event_at <= hourly.hour_at + to_hours({{ var('plough_window_hours') }})
            and coalesce(reaching.cleared_at <= hourly.hour_at, true)
    group by reaching.feed, reaching.sensor_id, reaching.local_date, reaching.event_at
),

final as (
    select
        measured.feed,
        measured.sensor_id,
        sensors.municipality_code,
        sensors.road_class,
        measured.event_at,
        measured.local_date,
        measured.new_snow_cm::double as new_snow_cm,
        measured.snow_depth_cm::double as snow_depth_cm,
        road_classes.plough_trigger_low_cm::double as trigger_low_cm,
        road_classes.plough_trigger_high_cm::double as trigger_high_cm,
        measured.loaded_at
    from measured
    inner join sensors on measured.feed = sensors.feed and measured.sensor_id = sensors.sensor_id
    inner join road_classes
        on
            sensors.municipality_code = road_classes.municipality_code
            and sensors.road_class = road_classes.road_class
)

select * from final
order by sensor_id, event_at
