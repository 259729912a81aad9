with flat_hours as (
    select * from {{ ref('int_sensor_day__flat') }}
),

limits as (
    select * from {{ ref('int_sensor_health__limit') }}
),

limited as (
    select
        flat_hours.*,
        limits.flatline_hours
    from flat_hours
    inner join limits
        on
            flat_hours.feed = limits.feed
            and flat_hours.sensor_id = limits.sensor_id
            and flat_hours.quantity = limits.quantity
    where
        limits.flatline_hours is not null
        and flat_hours.value is distinct from limits.resting_value
),

-- A run ends with its day; it goes on in the next one's first hour if the value is the same.
continued as (
    select
        *,
        coalesce(
            lag(last_hour_at) over by_time = first_hour_at - interval '1 hour' and lag(value) over by_time = value,
            false
        ) as is_continued
    from limited
    window by_time as (partition by feed, sensor_id, quantity order by first_hour_at)
),

numbered as (
    select
        *,
        count_if(not is_continued) over (
            partition by feed, sensor_id, quantity order by first_hour_at rows unbounded preceding
        ) as run
    from continued
),

final as (
    select
        feed,
        sensor_id,
        quantity,
        value,
        min(first_hour_at) as flat_from,
        max(last_hour_at) + interval '1 hour' as flat_to,
        sum(hours)::bigint as hours
    from numbered
    group by feed, sensor_id, quantity, value, run, flatline_hours
    having sum(hours) >= flatline_hours
)

select * from final
