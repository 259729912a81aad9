with gaps as (
    select * from {{ ref('int_sensor_gap__found') }}
),

sensors as (
    select distinct
        sensor_id,
        feed,
        municipality_code
    from {{ ref('dim_sensor') }}
),

final as (
    select
        gaps.feed,
        gaps.sensor_id,
        sensors.municipality_code,
        gaps.gap_from,
        gaps.gap_to,
        gaps.is_open,
        gaps.gap_hours::double as gap_hours,
        gaps.missing_readings,
        gaps.silence_minutes::double as limit_minutes
    from gaps
    inner join sensors on gaps.feed = sensors.feed and gaps.sensor_id = sensors.sensor_id
)

select * from final
order by sensor_id, gap_from
