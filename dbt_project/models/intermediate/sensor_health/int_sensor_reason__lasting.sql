with days as (
    select * from {{ ref('int_sensor_day__assessed') }}
),

reason_days as (
    select
        feed,
        sensor_id,
        local_date,
        last_date,
        unnest(reasons) as reason
    from days
),

-- Days that follow each other keep their distance to their own numbering.
runs as (
    select
        feed,
        sensor_id,
        reason,
        last_date,
        local_date,
        local_date - row_number() over (partition by feed, sensor_id, reason order by local_date)::integer as run
    from reason_days
),

final as (
    select
        feed,
        sensor_id,
        reason,
        min(local_date) as since_date,
        max(local_date) as until_date,
        max(local_date) = max(last_date) as is_current
    from runs
    group by feed, sensor_id, reason, run
)

select * from final
