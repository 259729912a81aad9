{{ config(materialized='table') }}

-- One event after the other: each is the first hour whose snow fell since the event before, at least a pause later.
-- Once nothing has risen for as long as either lasts, the event before decides nothing: spells of snow stand by
-- themselves, and so few steps are taken however long the history is.
{% set longest_hours = [var('plough_window_hours'), var('plough_pause_hours')] | max %}

with recursive risen as (
    select * from {{ ref('int_snow_hour__risen') }}
),

expected_days as (
    select * from {{ ref('int_sensor_day__expected') }}
),

begun as (
    select
        *,
        coalesce(hour_at - lag(hour_at) over by_time >= to_hours({{ longest_hours }}), true) as begins_spell
    from risen
    window by_time as (partition by feed, sensor_id order by hour_at)
),

spells as (
    select
        *,
        count_if(begins_spell) over (
            partition by feed, sensor_id order by hour_at rows unbounded preceding
        ) as spell
    from begun
),

events as (
    select
        feed,
        sensor_id,
        spell,
        null::timestamptz as cleared_at,
        min(hour_at) as event_at
    from spells
    group by feed, sensor_id, spell
    union all
    select
        spells.feed,
        spells.sensor_id,
        spells.spell,
        events.event_at as cleared_at,
        min(spells.hour_at) as event_at
    from events
    inner join spells
        on
            events.feed = spells.feed
            and events.sensor_id = spells.sensor_id
            and events.spell = spells.spell
            and events.event_at + to_hours({{ var('plough_pause_hours') }}) <= spells.hour_at
            and events.event_at <= spells.risen_since_at
    group by spells.feed, spells.sensor_id, spells.spell, events.event_at
),

final as (
    select
        events.feed,
        events.sensor_id,
        spells.local_date,
        events.event_at,
        -- Null where the event before is too long ago to matter.
        events.cleared_at
    from events
    inner join spells
        on
            events.feed = spells.feed
            and events.sensor_id = spells.sensor_id
            and events.event_at = spells.hour_at
    -- A day that is not over has no events yet, as it has no snow.
    inner join expected_days
        on
            spells.feed = expected_days.feed
            and spells.sensor_id = expected_days.sensor_id
            and spells.local_date = expected_days.local_date
)

select * from final
