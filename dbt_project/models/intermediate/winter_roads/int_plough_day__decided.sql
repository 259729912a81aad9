{{ config(materialized='table') }}

with events as (
    select * from {{ ref('int_plough_event__begun') }}
),

risen_days as (
    select
        feed,
        local_date,
        version
    from {{ ref('int_sensor_day__built') }}
    where model = 'int_snow_hour__risen'
),

sensors as (
    select * from {{ ref('sensors') }}
),

road_classes as (
    select * from {{ ref('road_classes') }}
),

roads as (
    select
        sensors.feed,
        string_agg(
            concat_ws(
                '|',
                sensors.sensor_id,
                sensors.municipality_code,
                sensors.road_class,
                road_classes.plough_trigger_low_cm,
                road_classes.plough_trigger_high_cm
            ),
            ';' order by sensors.sensor_id
        ) as roads
    from sensors
    inner join road_classes
        on
            sensors.municipality_code = road_classes.municipality_code
            and sensors.road_class = road_classes.road_class
    group by sensors.feed
),

-- An event may come or go by what happened in the days before it: those of a day are in its version.
event_days as (
    select
        feed,
        local_date,
        string_agg(
            concat_ws('|', sensor_id, epoch(event_at), epoch(cleared_at)), ';' order by sensor_id, event_at
        ) as events
    from events
    group by feed, local_date
),

final as (
    select
        risen_days.feed,
        risen_days.local_date,
        md5(concat_ws(
            '#', risen_days.version, coalesce(event_days.events, ''), coalesce(roads.roads, '')
        )) as version
    from risen_days
    left join event_days
        on
            risen_days.feed = event_days.feed
            and risen_days.local_date = event_days.local_date
    left join roads on risen_days.feed = roads.feed
)

select * from final
order by feed, local_date
