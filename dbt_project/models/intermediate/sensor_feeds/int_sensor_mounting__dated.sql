with mountings as (
    select * from {{ ref('sensor_mountings') }}
),

numbered as (
    select
        *,
        row_number() over (partition by sensor_id order by valid_from) as mounting_number,
        lead(valid_from) over (partition by sensor_id order by valid_from) as valid_to
    from mountings
),

final as (
    select
        sensor_id,
        mounting_number::integer as mounting_number,
        valid_from::date as valid_from_date,
        valid_to::date as valid_to_date,
        {{ local_moment('valid_from') }} as mounted_at,
        -- The current mounting has no end; a far one keeps the join below a plain range.
        coalesce({{ local_moment('valid_to') }}, timestamptz '9999-01-01 00:00:00+00') as dismounted_at,
        mount_height_mm,
        angle_deg,
        zero_offset_mm,
        reason
    from numbered
)

select * from final
