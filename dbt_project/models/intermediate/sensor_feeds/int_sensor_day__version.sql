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
        {{ local_midnight('local_date') }} as begins_at,
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
                '|',
                mountings.sensor_id,
                mountings.mount_height_mm,
                mountings.angle_deg,
                mountings.zero_offset_mm,
                -- Only on its first day does a mounting's time change anything.
                if(mountings.mounted_at > loaded_days.begins_at, mountings.mounted_at, null)
            ),
            ';' order by mountings.sensor_id, mountings.mounted_at
        ) as calibration
    from loaded_days
    inner join sensors on loaded_days.feed = sensors.feed
    inner join mountings
        on
            sensors.sensor_id = mountings.sensor_id
            and loaded_days.local_date >= mountings.valid_from_date
            and loaded_days.begins_at < mountings.dismounted_at
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
