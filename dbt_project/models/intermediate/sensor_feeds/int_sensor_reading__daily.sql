{{ whole_days('int_sensor_reading__hourly') }}

with hourly as (
    select * from {{ pending_rows(ref('int_sensor_reading__hourly'), 'date', 'local_date') }}
),

daily as (
    select
        feed,
        sensor_id,
        quantity,
        local_date,
        min(unit) as unit,
        sum(readings)::bigint as readings,
        sum(valid_readings)::bigint as valid_readings,
        sum(suspect_readings)::bigint as suspect_readings,
        min(value_low) as value_low,
        max(value_high) as value_high,
        sum(value_sum) as value_sum,
        -- Snow depth is observed at 07:00 Swedish normal time, summer and winter.
        max(value_first) filter (where extract(hour from hour_at) = 6) as value_at_06_utc,
        -- New snow needs the lowest depth on either side of the observation; an hour's mean keeps the noise out.
        min(value_mean) filter (
            where hour_at < timezone('UTC', local_date + interval '6 hours')
        ) as value_low_before_06_utc,
        min(value_mean) filter (
            where hour_at >= timezone('UTC', local_date + interval '6 hours')
        ) as value_low_from_06_utc,
        min(first_observed_at) as first_observed_at,
        max(last_observed_at) as last_observed_at,
        max(loaded_at) as loaded_at
    from hourly
    group by feed, sensor_id, quantity, local_date
),

final as (
    select
        feed,
        sensor_id,
        quantity,
        local_date,
        unit,
        readings,
        valid_readings,
        suspect_readings,
        value_low,
        value_high,
        value_sum,
        value_sum / nullif(valid_readings, 0) as value_mean,
        value_at_06_utc,
        value_low_before_06_utc,
        value_low_from_06_utc,
        first_observed_at,
        last_observed_at,
        loaded_at
    from daily
)

select * from final
order by feed, local_date, sensor_id, quantity
