with counted as (
    select * from {{ ref('int_survey_answer__counted') }}
),

hidden as (
    select * from {{ ref('int_survey_subgroup__hidden') }}
),

masked as (
    select * from {{ ref('int_survey_answer__masked') }}
),

questions as (
    select * from {{ ref('survey_questions') }}
),

judged as (
    select
        counted.*,
        -- One reason for small cells and for those masked to protect them: to tell them apart would give them away.
        coalesce(hidden.reason, if(masked.answer is not null, 'small_cells', null)) as suppression_reason
    from counted
    left join hidden
        on
            counted.wave = hidden.wave
            and counted.question_id = hidden.question_id
            and counted.subgroup_type = hidden.subgroup_type
            and counted.subgroup = hidden.subgroup
    left join masked
        on
            counted.wave = masked.wave
            and counted.question_id = masked.question_id
            and counted.subgroup_type = masked.subgroup_type
            and counted.answer = masked.answer
),

shown as (
    select
        *,
        suppression_reason is not null as is_suppressed,
        if(suppression_reason is null, n_answers, null)::bigint as n_answers_shown
    from judged
),

final as (
    select
        shown.wave,
        shown.question_id,
        questions.question_number::integer as question_number,
        questions.text_sv as question_sv,
        questions.text_en as question_en,
        questions.question_type,
        shown.subgroup_type,
        shown.subgroup,
        shown.answer,
        shown.is_indicator_answer,
        shown.n_answers_shown as n_answers,
        shown.n_respondents,
        shown.n_answers_shown / shown.n_respondents as answer_share,
        {{ wilson_bound('shown.n_answers_shown', 'shown.n_respondents', '-') }} as answer_share_lower_bound,
        {{ wilson_bound('shown.n_answers_shown', 'shown.n_respondents', '+') }} as answer_share_upper_bound,
        shown.is_suppressed,
        shown.suppression_reason,
        questions.kpi_id,
        shown.last_submitted_at,
        shown.loaded_at
    from shown
    inner join questions on shown.question_id = questions.question_id
)

select * from final
order by wave, question_number, question_id, subgroup_type, subgroup, answer
