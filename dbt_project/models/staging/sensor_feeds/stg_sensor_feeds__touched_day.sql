with touched_days as (
    select * from {{ source('ops', 'touched_day') }}
),

final as (
    select
        load_id,
        feed,
        local_date
    from touched_days
)

select * from final
