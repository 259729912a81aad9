{{ whole_days('int_sensor_day__limited') }}

with readings as (
    select * from {{ pending_rows(ref('int_sensor_reading__calibrated'), 'instant', 'observed_at') }}
),

limits as (
    select * from {{ ref('int_sensor_health__limit') }}
),

limited as (
    select
        readings.feed,
        readings.sensor_id,
        readings.quantity,
        readings.observed_at,
        readings.value,
        date_trunc('hour', readings.observed_at) as hour_at,
        if(limits.is_main_quantity, limits.silence_minutes, null) as gap_minutes,
        limits.silence_minutes,
        limits.step
    from readings
    inner join limits
        on
            readings.feed = limits.feed
            and readings.sensor_id = limits.sensor_id
            and readings.quantity = limits.quantity
    where limits.is_main_quantity or limits.step is not null
),

hours as (
    select
        hour_at,
        {{ local_day('hour_at') }} as local_date
    from (select distinct hour_at from limited)
),

compared as (
    select
        limited.*,
        hours.local_date,
        lag(limited.observed_at) over same_day as previous_at,
        lag(limited.value) over same_day as previous_value
    from limited
    inner join hours on limited.hour_at = hours.hour_at
    window same_day as (
        partition by limited.feed, limited.sensor_id, limited.quantity, hours.local_date
        order by limited.observed_at
    )
),

judged as (
    select
        *,
        date_diff('second', previous_at, observed_at) / 60.0 as elapsed_minutes,
        abs(value - previous_value) as change
    from compared
),

final as (
    select
        feed,
        sensor_id,
        quantity,
        local_date,
        coalesce(list(
            { 'gap_from': previous_at, 'gap_to': observed_at }
            order by observed_at
        ) filter (where elapsed_minutes > gap_minutes), []) as gaps,
        coalesce(list(
            { 'step_at': observed_at, 'change': value - previous_value }
            order by observed_at
        ) filter (where change > step and elapsed_minutes <= silence_minutes), []) as steps,
        min(observed_at) as first_observed_at,
        max(observed_at) as last_observed_at,
        -- Null where that reading is not valid: a step is from one reading to the next, over midnight too.
        arg_min_null(value, observed_at) as value_first,
        arg_max_null(value, observed_at) as value_last
    from judged
    group by feed, sensor_id, quantity, local_date
)

select * from final
order by feed, local_date, sensor_id, quantity
