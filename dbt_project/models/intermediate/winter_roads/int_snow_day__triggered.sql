with hourly_days as (
    select
        feed,
        local_date,
        version
    from {{ ref('int_sensor_day__built') }}
    where model = 'int_sensor_reading__hourly'
),

sensors as (
    select * from {{ ref('sensors') }}
),

road_classes as (
    select * from {{ ref('road_classes') }}
),

triggers as (
    select
        sensors.feed,
        string_agg(
            concat_ws('|', sensors.sensor_id, road_classes.plough_trigger_low_cm), ';' order by sensors.sensor_id
        ) as triggers
    from sensors
    inner join road_classes
        on
            sensors.municipality_code = road_classes.municipality_code
            and sensors.road_class = road_classes.road_class
    group by sensors.feed
),

-- 24 hours reach into the day before, and into the one before that when the clock changes.
reaching as (
    select
        feed,
        local_date,
        string_agg(concat_ws('|', local_date, version), ';') over (
            partition by feed order by local_date range between interval 2 days preceding and current row
        ) as versions
    from hourly_days
),

final as (
    select
        reaching.feed,
        reaching.local_date,
        md5(concat_ws(
            '#', reaching.versions, coalesce(triggers.triggers, ''), {{ var('plough_window_hours') }}
        )) as version
    from reaching
    left join triggers on reaching.feed = triggers.feed
)

select * from final
