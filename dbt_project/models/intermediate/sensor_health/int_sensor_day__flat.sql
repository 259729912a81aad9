{{ whole_days('int_sensor_reading__hourly') }}

with hourly as (
    select * from {{ pending_rows(ref('int_sensor_reading__hourly'), 'date', 'local_date') }}
),

-- Hours of one and the same value follow each other as long as their distance to their own numbering stays the same.
flat_hours as (
    select
        *,
        hour_at - to_hours(
            row_number() over (partition by feed, sensor_id, quantity, local_date, value_low order by hour_at)
        ) as run
    from hourly
    where valid_readings > 0 and value_low = value_high
),

final as (
    select
        feed,
        sensor_id,
        quantity,
        local_date,
        value_low as value,
        min(hour_at) as first_hour_at,
        max(hour_at) as last_hour_at,
        count(*) as hours
    from flat_hours
    group by feed, sensor_id, quantity, local_date, value_low, run
    -- One hour is a run only where it may go on over midnight: an hourly station has a value of its own every hour.
    having
        count(*) > 1
        or min(hour_at) = {{ local_midnight('local_date') }}
        or max(hour_at) = {{ local_midnight('local_date + 1') }} - interval '1 hour'
)

select * from final
order by feed, local_date, sensor_id, quantity, first_hour_at
