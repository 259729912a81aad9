{% set quantities = ['road_surface_temperature', 'dew_point', 'precipitation_hourly'] %}

with hourly as (
    select * from {{ ref('int_sensor_reading__hourly') }}
    where quantity in ('{{ quantities | join("', '") }}')
),

sensors as (
    select distinct
        feed,
        sensor_id,
        municipality_code
    from {{ ref('dim_sensor') }}
),

hours as (
    select
        feed,
        sensor_id,
        local_date,
        hour_at,
        {% for quantity in quantities %}
        max(value_mean) filter (where quantity = '{{ quantity }}') as {{ quantity }},
        {% endfor %}
        max(loaded_at) as loaded_at
    from hourly
    group by feed, sensor_id, local_date, hour_at
),

judged as (
    select
        *,
        road_surface_temperature < 0
        and dew_point > road_surface_temperature
        and precipitation_hourly = 0 as is_frost_risk,
        road_surface_temperature is not null
        and dew_point is not null
        and precipitation_hourly is not null as is_observed
    from hours
),

final as (
    select
        judged.feed,
        judged.sensor_id,
        sensors.municipality_code,
        judged.local_date,
        min(judged.road_surface_temperature)::double as road_surface_temperature_low_degc,
        count_if(judged.is_observed)::bigint as observed_hours,
        count_if(judged.is_observed and judged.is_frost_risk)::bigint as frost_risk_hours,
        max(judged.loaded_at) as loaded_at
    from judged
    inner join sensors on judged.feed = sensors.feed and judged.sensor_id = sensors.sensor_id
    group by judged.feed, judged.sensor_id, sensors.municipality_code, judged.local_date
    -- A weather station without a road sends dew point and rain too.
    having count(judged.road_surface_temperature) > 0
)

select * from final
order by sensor_id, local_date
