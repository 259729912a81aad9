with days as (
    select * from {{ ref('int_road_day__judged') }}
),

-- Days that are over; readings may have come after the last midnight.
expected_days as (
    select * from {{ ref('int_sensor_day__expected') }}
),

final as (
    select
        days.feed,
        days.sensor_id,
        expected_days.municipality_code,
        days.local_date,
        days.road_surface_temperature_low_degc::double as road_surface_temperature_low_degc,
        days.observed_hours::bigint as observed_hours,
        days.frost_risk_hours::bigint as frost_risk_hours,
        days.loaded_at
    from days
    inner join expected_days
        on
            days.feed = expected_days.feed
            and days.sensor_id = expected_days.sensor_id
            and days.local_date = expected_days.local_date
)

select * from final
order by sensor_id, local_date
