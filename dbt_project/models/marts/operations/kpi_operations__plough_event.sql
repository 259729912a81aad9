with events as (
    select * from {{ ref('int_plough_event__begun') }}
),

sensors as (
    select distinct
        feed,
        sensor_id,
        municipality_code,
        road_class
    from {{ ref('dim_sensor') }}
),

road_classes as (
    select * from {{ ref('road_classes') }}
),

measured as (
    select
        feed,
        sensor_id,
        local_date,
        event_at,
        depth_cm as snow_depth_cm,
        depth_cm - list_min(list_transform(hours_since_clearing, lambda hour: hour.depth_cm)) as new_snow_cm,
        greatest(
            loaded_at, list_max(list_transform(hours_since_clearing, lambda hour: hour.loaded_at))
        ) as loaded_at
    from events
),

final as (
    select
        measured.feed,
        measured.sensor_id,
        sensors.municipality_code,
        sensors.road_class,
        measured.event_at,
        measured.local_date,
        measured.new_snow_cm::double as new_snow_cm,
        measured.snow_depth_cm::double as snow_depth_cm,
        road_classes.plough_trigger_low_cm::double as trigger_low_cm,
        road_classes.plough_trigger_high_cm::double as trigger_high_cm,
        measured.loaded_at
    from measured
    inner join sensors on measured.feed = sensors.feed and measured.sensor_id = sensors.sensor_id
    inner join road_classes
        on
            sensors.municipality_code = road_classes.municipality_code
            and sensors.road_class = road_classes.road_class
)

select * from final
order by sensor_id, event_at
