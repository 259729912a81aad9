with readings as (
    select * from {{ ref('stg_sensor_feeds__reading') }}
),

mountings as (
    select * from {{ ref('int_sensor_mounting__dated') }}
),

measured as (
    select
        readings.*,
        readings.quantity = 'distance' as is_distance,
        mountings.mount_height_mm / 10.0 as mount_height_cm,
        round(
            (
                (mountings.mount_height_mm - readings.value) * cos(radians(mountings.angle_deg))
                - mountings.zero_offset_mm
            ) / 10.0, 4
        ) as depth_cm
    from readings
    left join mountings
        on
            readings.sensor_id = mountings.sensor_id
            and readings.observed_at >= mountings.mounted_at
            and readings.observed_at < mountings.dismounted_at
),

judged as (
    select
        *,
        case
            when quality = 'bad' then 'source says bad'
            when not is_distance then null
            when mount_height_cm is null then 'no mounting in force'
            when quality = 'suspect' then 'suspect distance'
            when depth_cm < -2 then 'below the ground'
            when depth_cm > mount_height_cm then 'above the sensor'
        end as invalid_reason
    from measured
),

final as (
    select
        feed,
        sensor_id,
        if(is_distance, 'snow_depth', quantity) as quantity,
        observed_at,
        case
            when invalid_reason is not null then null
            when is_distance then greatest(depth_cm, 0.0)
            else value
        end as value,
        if(is_distance, 'cm', unit) as unit,
        if(invalid_reason is null, quality, 'bad') as quality,
        quality = 'suspect' as is_suspect,
        invalid_reason,
        ingested_at
    from judged
)

select * from final
