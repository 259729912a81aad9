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

-- A sensor is expected from the day its feed was first read and it was up, or earlier if it did send. The register may
-- say since when it is in service: what it sent before that was not meant for anybody.
final as (
    select
        sensors.feed,
        sensors.sensor_id,
        sensors.municipality_code,
        sensors.expected_interval_minutes,
        sensor_kinds.main_quantity,
        if(
            sensors.active_from is null,
            least(reading_starts.first_date, greatest(feed_starts.first_date, mounting_starts.first_date)),
            greatest(feed_starts.first_date, sensors.active_from)
        ) as first_date,
        sensors.active_to
    from sensors
    inner join sensor_kinds on sensors.sensor_kind = sensor_kinds.sensor_kind
    inner join feed_starts on sensors.feed = feed_starts.feed
    left join mounting_starts on sensors.sensor_id = mounting_starts.sensor_id
    left join reading_starts
        on
            sensors.feed = reading_starts.feed
            and sensors.sensor_id = reading_starts.sensor_id
)

select * from final
