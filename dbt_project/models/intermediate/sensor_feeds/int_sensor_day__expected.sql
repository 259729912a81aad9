with sensors as (
    select * from {{ ref('int_sensor__started') }}
),

feed_days as (
    select * from {{ ref('int_sensor_day__version') }}
),

today as (
    select coalesce(nullif('{{ var("as_of") }}', '')::date, max(local_date) + 1) as as_of
    from feed_days
),

days as (
    select unnest(generate_series(min(sensors.first_date), today.as_of - 1, interval '1 day'))::date as local_date
    from sensors
    cross join today
    group by today.as_of
),

-- A local day has 23, 24 or 25 hours.
lasting as (
    select
        local_date,
        date_diff(
            'minute', {{ local_midnight('local_date') }}, {{ local_midnight('local_date + 1') }}
        ) as day_minutes
    from days
),

final as (
    select
        sensors.feed,
        sensors.sensor_id,
        sensors.municipality_code,
        sensors.main_quantity,
        sensors.active_to,
        lasting.local_date,
        greatest(1, floor(lasting.day_minutes / sensors.expected_interval_minutes))::bigint as expected_readings
    from sensors
    inner join lasting
        on
            sensors.first_date <= lasting.local_date
            and coalesce(sensors.active_to >= lasting.local_date, true)
)

select * from final
