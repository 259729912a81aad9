with days as (
    select * from {{ ref('int_road_day__judged') }}
),

sensors as (
    select distinct
        feed,
        sensor_id,
        municipality_code
    from {{ ref('dim_sensor') }}
),

final as (
    select
        days.feed,
        days.sensor_id,
        sensors.municipality_code,
        days.local_date,
        days.road_surface_temperature_low_degc::double as road_surface_temperature_low_degc,
        days.observed_hours::bigint as observed_hours,
        days.frost_risk_hours::bigint as frost_risk_hours,
        days.loaded_at
    from days
    inner join sensors on days.feed = sensors.feed and days.sensor_id = sensors.sensor_id
)

select * from final
order by sensor_id, local_date
