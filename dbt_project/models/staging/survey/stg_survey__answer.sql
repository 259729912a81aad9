with answers as (
    select * from {{ source('raw', 'survey_answer') }}
),

final as (
    select
        wave,
        respondent,
        split_part(question_id, '.', 1) as question_id,
        -- Multiple choice has an answer, yes or no, per option.
        nullif(split_part(question_id, '.', 2), '') as option,
        answer,
        coalesce(municipality_code, 'not_stated') as municipality_code,
        coalesce(role, 'not_stated') as role,
        submitted_at,
        ingested_at
    from answers
)

select * from final
