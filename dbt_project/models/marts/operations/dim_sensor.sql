with sensors as (
    select * from {{ ref('sensors') }}
),

sensor_kinds as (
    select * from {{ ref('sensor_kinds') }}
),

mountings as (
    select * from {{ ref('int_sensor_mounting__dated') }}
),

final as (
    select
        sensors.sensor_id,
        coalesce(mountings.mounting_number, 1)::integer as mounting_number,
        mountings.valid_from_date,
        mountings.valid_to_date,
        mountings.valid_to_date is null as is_current,
        sensors.feed,
        sensors.device_id,
        sensors.site,
        sensors.municipality_code,
        sensors.sensor_kind,
        sensor_kinds.name_sv as sensor_kind_sv,
        sensor_kinds.main_quantity,
        sensors.road_class,
        sensors.latitude,
        sensors.longitude,
        sensors.expected_interval_minutes::integer as expected_interval_minutes,
        sensors.active_from,
        sensors.active_to,
        mountings.mount_height_mm::integer as mount_height_mm,
        mountings.angle_deg::double as angle_deg,
        mountings.zero_offset_mm::integer as zero_offset_mm,
        mountings.reason as mounting_reason
    from sensors
    inner join sensor_kinds on sensors.sensor_kind = sensor_kinds.sensor_kind
    left join mountings on sensors.sensor_id = mountings.sensor_id
)

select * from final
order by sensor_id, mounting_number
