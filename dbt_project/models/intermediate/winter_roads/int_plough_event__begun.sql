-- One event after the other: each is the first hour whose snow fell since the event before, at least a pause later.
with recursive risen as (
    select * from {{ ref('int_snow_hour__risen') }}
),

events as (
    select
        feed,
        sensor_id,
        null::timestamptz as cleared_at,
        min(hour_at) as event_at
    from risen
    group by feed, sensor_id
    union all
    select
        risen.feed,
        risen.sensor_id,
        events.event_at as cleared_at,
        min(risen.hour_at) as event_at
    from events
    inner join risen
        on
            events.feed = risen.feed
            and events.sensor_id = risen.sensor_id
            and events.event_at + to_hours({{ var('plough_pause_hours') }}) <= risen.hour_at
            and events.event_at <= risen.risen_since_at
    group by risen.feed, risen.sensor_id, events.event_at
),

final as (
    select
        feed,
        sensor_id,
        event_at,
        cleared_at
    from events
)

select * from final
