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

-- The last reading so far is looked for in all of history: a sensor may be silent for longer than the days shown.
joined as (
    select
        expected_days.feed,
        expected_days.sensor_id,
        expected_days.municipality_code,
        expected_days.local_date,
        {{ local_midnight('expected_days.local_date') }} as day_from,
        {{ local_midnight('expected_days.local_date + 1') }} as day_to,
        expected_days.expected_readings,
        coalesce(daily.readings, 0) as readings,
        coalesce(daily.valid_readings, 0) as valid_readings,
        coalesce(daily.suspect_readings, 0) as suspect_readings,
        max(daily.last_observed_at) over (
            partition by expected_days.feed, expected_days.sensor_id
            order by expected_days.local_date
            rows unbounded preceding
        ) as last_observed_at,
        max(expected_days.local_date) over () as last_date,
        limits.expected_interval_minutes,
        limits.silence_minutes,
        limits.availability_pct as availability_least_pct,
        limits.refused_pct as refused_most_pct,
        limits.suspect_pct as suspect_most_pct
    from expected_days
    inner join limits
        on
            expected_days.feed = limits.feed
            and expected_days.sensor_id = limits.sensor_id
    left join daily
        on
            expected_days.feed = daily.feed
            and expected_days.sensor_id = daily.sensor_id
            and expected_days.local_date = daily.local_date
            and limits.quantity = daily.quantity
),

final as (
    select
        *,
        least(100.0, 100.0 * valid_readings / expected_readings)::double as availability_pct,
        date_diff('second', last_observed_at, day_to) / 3600.0 as hours_since_reading
    from joined
    where local_date > last_date - {{ var('health_days') }}
)

select * from final
