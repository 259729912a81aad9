with refused_readings as (
    select * from {{ source('quarantine', 'refused_sensor_reading') }}
),

final as (
    select
        source as feed,
        sensor_id,
        quantity,
        observed_at,
        -- A message whose time cannot be read belongs to the day it was delivered.
        coalesce({{ local_day('observed_at') }}, landing_day) as local_date,
        check_name,
        reason,
        load_id
    from refused_readings
)

select * from final
