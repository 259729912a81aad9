{{ config(materialized='table') }}

with expected_days as (
    select * from {{ ref('int_sensor_day__expected') }}
),

daily as (
    select * from {{ ref('int_sensor_reading__daily') }}
),

traces as (
    select * from {{ ref('int_sensor_day__trace') }}
),

limits as (
    select * from {{ ref('int_sensor_health__limit') }}
    where is_main_quantity
),

lives as (
    select
        feed,
        sensor_id,
        {{ local_midnight('min(local_date)') }} as expected_from,
        {{ local_midnight('max(local_date) + 1') }} as expected_to,
        coalesce(max(local_date) = max(active_to), false) as is_taken_down
    from expected_days
    group by feed, sensor_id
),

read_days as (
    select
        daily.feed,
        daily.sensor_id,
        daily.first_observed_at,
        daily.last_observed_at
    from daily
    inner join limits
        on
            daily.feed = limits.feed
            and daily.sensor_id = limits.sensor_id
            and daily.quantity = limits.quantity
    inner join lives on daily.feed = lives.feed and daily.sensor_id = lives.sensor_id
    where daily.last_observed_at < lives.expected_to
),

between_days as (
    select
        feed,
        sensor_id,
        lag(last_observed_at) over (partition by feed, sensor_id order by first_observed_at) as gap_from,
        first_observed_at as gap_to
    from read_days
),

within_days as (
    select
        traces.feed,
        traces.sensor_id,
        unnest(traces.gaps) as gap
    from traces
    where len(traces.gaps) > 0
),

last_readings as (
    select
        feed,
        sensor_id,
        max(last_observed_at) as last_observed_at
    from read_days
    group by feed, sensor_id
),

-- A sensor that never sent has been silent since it was expected to; a gap without an end is still open.
gaps as (
    select
        feed,
        sensor_id,
        gap_from,
        gap_to
    from between_days
    union all
    select
        feed,
        sensor_id,
        gap.gap_from,
        gap.gap_to
    from within_days
    union all
    select
        lives.feed,
        lives.sensor_id,
        last_readings.last_observed_at as gap_from,
        null as gap_to
    from lives
    left join last_readings on lives.feed = last_readings.feed and lives.sensor_id = last_readings.sensor_id
),

measured as (
    select
        gaps.feed,
        gaps.sensor_id,
        limits.expected_interval_minutes,
        limits.silence_minutes,
        -- The gap of a sensor that was taken down ends with its last day.
        coalesce(gaps.gap_to, if(lives.is_taken_down, lives.expected_to, null)) as gap_to,
        lives.expected_to,
        greatest(gaps.gap_from, lives.expected_from) as gap_from,
        coalesce(gaps.gap_to, lives.expected_to) as counted_to
    from gaps
    inner join lives on gaps.feed = lives.feed and gaps.sensor_id = lives.sensor_id
    inner join limits on gaps.feed = limits.feed and gaps.sensor_id = limits.sensor_id
),

final as (
    select
        feed,
        sensor_id,
        gap_from,
        gap_to,
        gap_to is null as is_open,
        counted_to,
        silence_minutes,
        date_diff('second', gap_from, counted_to) / 3600.0 as gap_hours,
        -- One interval of every gap is the ordinary pause between two readings.
        greatest(
            1, round(date_diff('second', gap_from, counted_to) / 60.0 / expected_interval_minutes)::bigint - 1
        ) as missing_readings
    from measured
    where date_diff('second', gap_from, counted_to) / 60.0 > silence_minutes and gap_from < expected_to
)

select * from final
order by feed, sensor_id, gap_from
