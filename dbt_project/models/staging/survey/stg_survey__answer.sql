with answers as (
    select * from {{ source('raw', 'survey_answer') }}
),

final as (
    select
        wave,
        respondent,
        question_id,
        answer,
        coalesce(municipality_code, 'not_stated') as municipality_code,
        coalesce(role, 'not_stated') as role,
        submitted_at,
        ingested_at
    from answers
)

select * from final
