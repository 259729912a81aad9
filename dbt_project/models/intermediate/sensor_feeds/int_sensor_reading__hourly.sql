{{ whole_days('int_sensor_day__version') }}

with readings as (
    select * from {{ pending_rows(ref('int_sensor_reading__calibrated'), 'instant', 'observed_at') }}
),

hourly as (
    select
        feed,
        sensor_id,
        quantity,
        date_trunc('hour', observed_at) as hour_at,
        min(unit) as unit,
        count(*) as readings,
        count(value) as valid_readings,
        count_if(is_suspect) as suspect_readings,
        min(value) as value_low,
        max(value) as value_high,
        -- Decimals add up exactly, so the sum does not depend on the order in which threads met the rows.
        sum(value::decimal(18, 4)) as value_sum,
        arg_min(value, observed_at) as value_first,
        min(observed_at) as first_observed_at,
        max(observed_at) as last_observed_at,
        max(ingested_at) as loaded_at
    from readings
    group by feed, sensor_id, quantity, hour_at
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
        hourly.hour_at,
        hourly.unit,
        hourly.readings,
        hourly.valid_readings,
        hourly.suspect_readings::bigint as suspect_readings,
        hourly.value_low,
        hourly.value_high,
        hourly.value_sum,
        hourly.value_sum / nullif(hourly.valid_readings, 0) as value_mean,
        hourly.value_first,
        hourly.first_observed_at,
        hourly.last_observed_at,
        hourly.loaded_at
    from hourly
    inner join hours on hourly.hour_at = hours.hour_at
)

select * from final
order by feed, local_date, sensor_id, quantity, hour_at
