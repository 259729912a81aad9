with stages as (
    select * from {{ ref('int_uttc_solution__staged') }}
),

solutions as (
    select * from {{ ref('stg_uttc__solution') }}
),

final as (
    select
        stages.url,
        stages.event_number,
        solutions.title,
        stages.event,
        stages.stage,
        stages.stage_before,
        stages.valid_from,
        stages.valid_to,
        stages.valid_to is null as is_current,
        stages.loaded_at
    from stages
    inner join solutions on stages.url = solutions.url
)

select * from final
order by url, event_number
