with sensors as (
    select * from {{ ref('sensors') }}
),

sensor_kinds as (
    select * from {{ ref('sensor_kinds') }}
),

mountings as (
    select * from {{ ref('int_sensor_mounting__dated') }}
),

feed_days as (
    select * from {{ ref('int_sensor_day__version') }}
),

daily as (
    select * from {{ ref('int_sensor_reading__daily') }}
),

today as (
    select coalesce(nullif('{{ var("as_of") }}', '')::date, max(local_date) + 1) as as_of
    from feed_days
),

feed_starts as (
    select
        feed,
        min(local_date) as first_date
    from feed_days
    group by feed
),

mounting_starts as (
    select
        sensor_id,
        min(valid_from_date) as first_date
    from mountings
    group by sensor_id
),

reading_starts as (
    select
        feed,
        sensor_id,
        min(local_date) as first_date
    from daily
    group by feed, sensor_id
),

-- A sensor is expected from the day its feed was first read and it was up, or earlier if it did send.
sensor_starts as (
    select
        sensors.*,
        sensor_kinds.main_quantity,
        least(
            reading_starts.first_date,
            greatest(feed_starts.first_date, mounting_starts.first_date)
        ) as first_date
    from sensors
    inner join sensor_kinds on sensors.sensor_kind = sensor_kinds.sensor_kind
    inner join feed_starts on sensors.feed = feed_starts.feed
    left join mounting_starts on sensors.sensor_id = mounting_starts.sensor_id
    left join reading_starts
        on
            sensors.feed = reading_starts.feed
            and sensors.sensor_id = reading_starts.sensor_id
),

sensor_days as (
    select
        sensor_starts.*,
        unnest(generate_series(sensor_starts.first_date, today.as_of - 1, interval '1 day'))::date as local_date
    from sensor_starts
    cross join today
),

final as (
    select
        feed,
        sensor_id,
        municipality_code,
        main_quantity,
        local_date,
        -- A local day has 23, 24 or 25 hours.
        (
            date_diff('minute', {{ local_midnight('local_date') }}, {{ local_midnight('local_date + 1') }})
            // expected_interval_minutes
        )::bigint as expected_readings
    from sensor_days
)

select * from final
