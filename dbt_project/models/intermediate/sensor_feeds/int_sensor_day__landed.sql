{{ whole_days('int_sensor_day__version') }}

with readings as (
    select * from {{ pending_rows(ref('stg_sensor_feeds__reading'), 'instant', 'observed_at') }}
),

hourly as (
    select
        feed,
        sensor_id,
        quantity,
        date_trunc('hour', observed_at) as hour_at,
        load_id,
        landing_id,
        count(*) as readings
    from readings
    group by feed, sensor_id, quantity, hour_at, load_id, landing_id
),

hours as (
    select
        hour_at,
        {{ local_day('hour_at') }} as local_date
    from (select distinct hour_at from hourly)
),

final as (
    select
        hourly.feed,
        hourly.sensor_id,
        hourly.quantity,
        hours.local_date,
        hourly.load_id,
        hourly.landing_id,
        sum(hourly.readings)::bigint as readings
    from hourly
    inner join hours on hourly.hour_at = hours.hour_at
    group by hourly.feed, hourly.sensor_id, hourly.quantity, hours.local_date, hourly.load_id, hourly.landing_id
)

select * from final
order by feed, local_date, sensor_id, quantity, load_id, landing_id
