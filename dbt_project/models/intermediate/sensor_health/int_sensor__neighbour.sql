{{ config(materialized='table') }}

with sensors as (
    select * from {{ ref('sensors') }}
),

limits as (
    select
        max(limit_value) filter (where limit_name = 'neighbour_distance_km') as neighbour_distance_km,
        max(limit_value) filter (where limit_name = 'smhi_distance_km') as smhi_distance_km
    from {{ ref('sensor_health_limits') }}
),

-- Great-circle distance on a sphere of 6371 km: 0.5 % off at most, which is 100 m in 25 km.
pairs as (
    select
        sensors.sensor_id,
        others.sensor_id as other_id,
        if(others.sensor_kind = 'weather_station', 'smhi', 'neighbour') as relation,
        2 * 6371 * asin(sqrt(
            pow(sin(radians(others.latitude - sensors.latitude) / 2), 2)
            + cos(radians(sensors.latitude)) * cos(radians(others.latitude))
            * pow(sin(radians(others.longitude - sensors.longitude) / 2), 2)
        )) as distance_km
    from sensors
    inner join sensors as others
        on
            sensors.sensor_id != others.sensor_id
            and (sensors.sensor_kind = others.sensor_kind or others.sensor_kind = 'weather_station')
),

ranked as (
    select
        pairs.*,
        row_number() over (
            partition by pairs.sensor_id, pairs.relation order by pairs.distance_km, pairs.other_id
        ) as nearness
    from pairs
    cross join limits
    where pairs.distance_km <= if(pairs.relation = 'smhi', limits.smhi_distance_km, limits.neighbour_distance_km)
),

final as (
    select
        sensor_id,
        other_id,
        relation,
        distance_km,
        nearness
    from ranked
    -- Five neighbours are enough for a median.
    where relation = 'smhi' or nearness <= 5
)

select * from final
order by sensor_id, relation, distance_km
