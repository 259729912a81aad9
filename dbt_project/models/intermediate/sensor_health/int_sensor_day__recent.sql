with expected_days as (
    select * from {{ ref('int_sensor_day__expected') }}
),

daily as (
    select * from {{ ref('int_sensor_reading__daily') }}
),

limits as (
    select * from {{ ref('int_sensor_health__limit') }}
    where is_main_quantity
),

shown_days as (
    select
        *,
        max(local_date) over () as last_date
    from expected_days
    qualify local_date > last_date - {{ var('health_days') }}
),

-- The last reading so far is looked for in all of history: a sensor may be silent for longer than the days shown.
earlier as (
    select
        feed,
        sensor_id,
        quantity,
        max(last_observed_at) as last_observed_at
    from daily
    where local_date < (select min(shown_days.local_date) from shown_days)
    group by feed, sensor_id, quantity
),

joined as (
    select
        shown_days.feed,
        shown_days.sensor_id,
        shown_days.municipality_code,
        shown_days.local_date,
        {{ local_midnight('shown_days.local_date') }} as day_from,
        {{ local_midnight('shown_days.local_date + 1') }} as day_to,
        shown_days.expected_readings,
        coalesce(daily.readings, 0) as readings,
        coalesce(daily.valid_readings, 0) as valid_readings,
        coalesce(daily.suspect_readings, 0) as suspect_readings,
        greatest(
            earlier.last_observed_at,
            max(daily.last_observed_at) over (
                partition by shown_days.feed, shown_days.sensor_id
                order by shown_days.local_date
                rows unbounded preceding
            )
        ) as last_observed_at,
        shown_days.last_date,
        limits.expected_interval_minutes,
        limits.silence_minutes,
        limits.availability_pct as availability_least_pct,
        limits.refused_pct as refused_most_pct,
        limits.suspect_pct as suspect_most_pct
    from shown_days
    inner join limits
        on
            shown_days.feed = limits.feed
            and shown_days.sensor_id = limits.sensor_id
    left join earlier
        on
            shown_days.feed = earlier.feed
            and shown_days.sensor_id = earlier.sensor_id
            and limits.quantity = earlier.quantity
    left join daily
        on
            shown_days.feed = daily.feed
            and shown_days.sensor_id = daily.sensor_id
            and shown_days.local_date = daily.local_date
            and limits.quantity = daily.quantity
),

final as (
    select
        *,
        least(100.0, 100.0 * valid_readings / expected_readings)::double as availability_pct,
        date_diff('second', last_observed_at, day_to) / 3600.0 as hours_since_reading
    from joined
)

select * from final
