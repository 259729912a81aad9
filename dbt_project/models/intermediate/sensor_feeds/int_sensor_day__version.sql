{{ config(materialized='table') }}

with touched_days as (
    select * from {{ ref('stg_sensor_feeds__touched_day') }}
),

sensors as (
    select * from {{ ref('sensors') }}
),

mountings as (
    select * from {{ ref('int_sensor_mounting__dated') }}
),

loaded_days as (
    select
        feed,
        local_date,
        max(load_id) as load_id
    from touched_days
    group by feed, local_date
),

mounted_days as (
    select
        loaded_days.feed,
        loaded_days.local_date,
        string_agg(
            concat_ws(
                '|', mountings.sensor_id, mountings.mount_height_mm, mountings.angle_deg, mountings.zero_offset_mm
            ),
            ';' order by mountings.sensor_id
        ) as calibration
    from loaded_days
    inner join sensors on loaded_days.feed = sensors.feed
    inner join mountings
        on
            sensors.sensor_id = mountings.sensor_id
            and loaded_days.local_date >= mountings.valid_from_date
            and (mountings.valid_to_date is null or loaded_days.local_date < mountings.valid_to_date)
    group by loaded_days.feed, loaded_days.local_date
),

final as (
    select
        loaded_days.feed,
        loaded_days.local_date,
        loaded_days.load_id,
        md5(concat_ws(
            '#', loaded_days.load_id, coalesce(mounted_days.calibration, ''), '{{ var("calibration_method") }}'
        )) as version
    from loaded_days
    left join mounted_days
        on
            loaded_days.feed = mounted_days.feed
            and loaded_days.local_date = mounted_days.local_date
)

select * from final
order by feed, local_date
