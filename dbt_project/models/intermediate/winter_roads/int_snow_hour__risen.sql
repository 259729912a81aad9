{{ whole_days('int_snow_day__triggered') }}

with sensors as (
    select * from {{ ref('sensors') }}
),

road_classes as (
    select * from {{ ref('road_classes') }}
),

daily as (
    select * from {{ pending_rows(ref('int_sensor_reading__daily'), 'date', 'local_date', days_before=2) }}
    where quantity = 'snow_depth'
),

hourly as (
    select * from {{ pending_rows(ref('int_sensor_reading__hourly'), 'date', 'local_date', days_before=2) }}
    where quantity = 'snow_depth' and value_mean is not null
),

triggers as (
    select
        sensors.feed,
        sensors.sensor_id,
        road_classes.plough_trigger_low_cm
    from sensors
    inner join road_classes
        on
            sensors.municipality_code = road_classes.municipality_code
            and sensors.road_class = road_classes.road_class
),

reached as (
    select
        *,
        min(value_low) over (
            partition by feed, sensor_id order by local_date range between interval 2 days preceding and current row
        ) as lowest
    from daily
),

-- Only days on which the depth rose that much over the lowest of the days that 24 hours reach can hold an event.
rising_days as (
    select
        reached.feed,
        reached.sensor_id,
        reached.local_date,
        triggers.plough_trigger_low_cm
    from reached
    inner join triggers on reached.feed = triggers.feed and reached.sensor_id = triggers.sensor_id
    where reached.value_high - reached.lowest >= triggers.plough_trigger_low_cm
),

pending_days as (
    select * from {{ pending_rows('rising_days', 'date', 'local_date') }}
),

rising_hours as (
    select
        hourly.feed,
        hourly.sensor_id,
        hourly.hour_at,
        hourly.value_mean as depth_cm,
        hourly.local_date,
        pending_days.plough_trigger_low_cm,
        -- The days that 24 hours reach back: joined by the day, an hour meets those three only.
        unnest([hourly.local_date - 2, hourly.local_date - 1, hourly.local_date]) as earlier_date
    from hourly
    inner join pending_days
        on
            hourly.feed = pending_days.feed
            and hourly.sensor_id = pending_days.sensor_id
            and hourly.local_date = pending_days.local_date
),

final as (
    select
        rising_hours.feed,
        rising_hours.sensor_id,
        rising_hours.hour_at,
        rising_hours.local_date,
        rising_hours.depth_cm,
        -- The latest hour since which the trigger was reached: a clearing after it takes the event away.
        max(hourly.hour_at) as risen_since_at
    from rising_hours
    inner join hourly
        on
            rising_hours.feed = hourly.feed
            and rising_hours.sensor_id = hourly.sensor_id
            and rising_hours.earlier_date = hourly.local_date
            and rising_hours.hour_at > hourly.hour_at
            and rising_hours.hour_at <= hourly.hour_at + to_hours({{ var('plough_window_hours') }})
    where rising_hours.depth_cm - hourly.value_mean >= rising_hours.plough_trigger_low_cm
    group by
        rising_hours.feed,
        rising_hours.sensor_id,
        rising_hours.hour_at,
        rising_hours.local_date,
        rising_hours.depth_cm
)

select * from final
order by feed, local_date, sensor_id, hour_at
