{% set models = [
    'int_sensor_day__landed', 'int_road_day__judged', 'kpi_operations__daily_snow', 'kpi_operations__plough_event',
] %}
-- Landed days are none of the values' own models, and must not be written down between those that ask this view.
-- depends_on: {{ ref('int_sensor_day__landed') }}

with built_days as (
    select * from {{ ref('int_sensor_day__built') }}
    where model in ('{{ models | join("', '") }}')
),

sensors as (
    select * from {{ ref('sensors') }}
),

road_classes as (
    select * from {{ ref('road_classes') }}
),

kpis as (
    select * from {{ ref('kpi_definitions') }}
),

feed_sensors as (
    select
        feed,
        md5(string_agg(
            concat_ws('|', sensor_id, municipality_code, sensor_kind, road_class), ';' order by sensor_id
        )) as sensors
    from sensors
    group by feed
),

registers as (
    select
        (
            select
                md5(string_agg(
                    concat_ws('|', municipality_code, road_class), ';' order by municipality_code, road_class
                ))
            from road_classes
        ) as roads,
        (
            select md5(string_agg(concat_ws('|', kpi_id, method_version, unit, source), ';' order by kpi_id))
            from kpis
        ) as kpis
),

days as (
    select
        feed,
        local_date,
        string_agg(concat_ws('|', model, version), ';' order by model) as versions
    from built_days
    group by feed, local_date
),

final as (
    select
        days.feed,
        days.local_date,
        md5(concat_ws('#', days.versions, feed_sensors.sensors, registers.roads, registers.kpis)) as version
    from days
    left join feed_sensors on days.feed = feed_sensors.feed
    cross join registers
)

select * from final
