with readings as (
    select * from {{ source('raw', 'sensor_reading') }}
),

final as (
    select
        feed,
        sensor_id,
        quantity,
        observed_at,
        value,
        unit,
        quality,
        source_quality,
        received_at,
        ingested_at,
        revision,
        landing_id,
        load_id
    from readings
)

select * from final
