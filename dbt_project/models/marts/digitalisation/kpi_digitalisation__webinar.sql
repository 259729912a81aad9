with webinars as (
    select * from {{ ref('webinars') }}
),

final as (
    select
        starts_at,
        topic,
        organisation,
        source
    from webinars
)

select * from final
order by starts_at, topic
