{{ whole_days('int_sensor_reading__hourly') }}

{% set quantities = ['road_surface_temperature', 'dew_point', 'precipitation_hourly'] %}

with hourly as (
    select * from {{ pending_rows(ref('int_sensor_reading__hourly'), 'date', 'local_date') }}
    where quantity in ('{{ quantities | join("', '") }}')
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
        feed,
        sensor_id,
        local_date,
        min(road_surface_temperature) as road_surface_temperature_low_degc,
        count_if(is_observed) as observed_hours,
        count_if(is_observed and is_frost_risk) as frost_risk_hours,
        max(loaded_at) as loaded_at
    from judged
    group by feed, sensor_id, local_date
    -- A weather station without a road sends dew point and rain too.
    having count(road_surface_temperature) > 0
)

select * from final
order by feed, local_date, sensor_id
