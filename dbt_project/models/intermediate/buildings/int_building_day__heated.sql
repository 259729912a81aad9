with buildings as (
    select * from {{ ref('buildings') }}
),

sensors as (
    select * from {{ ref('sensors') }}
),

-- A building names its sensors without their feed, and another feed may hold readings of the same name.
daily as (
    select daily.*
    from {{ ref('int_sensor_reading__daily') }} as daily
    inner join sensors on daily.feed = sensors.feed and daily.sensor_id = sensors.sensor_id
),

final as (
    select
        buildings.building_id,
        meters.local_date,
        meters.value_sum::double as heat_kwh,
        -- The mean of hourly energy in kWh is the mean power in kW. Two hours may be missing from a day.
        if(meters.valid_readings >= 22, meters.value_mean, null) as mean_power_kw,
        {{ degree_days('temperatures.value_mean') }} as degree_days,
        greatest(meters.loaded_at, temperatures.loaded_at) as loaded_at
    from buildings
    inner join daily as meters
        on buildings.meter_id = meters.sensor_id and meters.quantity = 'energy' and meters.valid_readings > 0
    left join daily as temperatures
        on
            buildings.temperature_sensor_id = temperatures.sensor_id
            and temperatures.quantity = 'air_temperature'
            and meters.local_date = temperatures.local_date
)

select * from final
