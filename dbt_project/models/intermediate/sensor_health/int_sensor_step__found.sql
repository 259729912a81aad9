with traces as (
    select * from {{ ref('int_sensor_day__trace') }}
),

limits as (
    select * from {{ ref('int_sensor_health__limit') }}
),

shown as (
    select min(local_date) as first_date from {{ ref('int_sensor_day__recent') }}
),

within_days as (
    select
        feed,
        sensor_id,
        quantity,
        local_date,
        unnest(steps) as step
    from traces
    where len(steps) > 0 and local_date >= (select shown.first_date from shown)
),

between_days as (
    select
        traces.feed,
        traces.sensor_id,
        traces.quantity,
        traces.local_date,
        traces.first_observed_at as step_at,
        traces.value_first - lag(traces.value_last) over by_day as change,
        date_diff('second', lag(traces.last_observed_at) over by_day, traces.first_observed_at) / 60.0
            as elapsed_minutes,
        limits.step,
        limits.silence_minutes
    from traces
    inner join limits
        on
            traces.feed = limits.feed
            and traces.sensor_id = limits.sensor_id
            and traces.quantity = limits.quantity
    where
        limits.step is not null
        -- A change counts from a reading that is no older than the silence allowed before the first shown day.
        and traces.local_date >= (select shown.first_date from shown) - 1 - (limits.silence_minutes // 1440)::integer
    window by_day as (partition by traces.feed, traces.sensor_id, traces.quantity order by traces.local_date)
),

final as (
    select
        feed,
        sensor_id,
        quantity,
        local_date,
        step.step_at,
        step.change
    from within_days
    union all
    select
        feed,
        sensor_id,
        quantity,
        local_date,
        step_at,
        change
    from between_days
    where
        abs(change) > step
        and elapsed_minutes <= silence_minutes
        and local_date >= (select shown.first_date from shown)
)

select * from final
