with answers as (
    select * from {{ ref('stg_survey__answer') }}
),

questions as (
    select * from {{ ref('survey_questions') }}
),

options as (
    select
        question_id,
        indicator_answer,
        unnest(string_split(answer_options, ';')) as answer
    from questions
),

-- Only registered questions go further; that their answers are registered too is tested. Who was asked and left the
-- question out has not responded to it.
registered as (
    select answers.*
    from answers
    semi join questions on answers.question_id = questions.question_id
    where answers.answer != 'no_answer'
),

grouped as (
    select *, 'all' as subgroup_type, 'all' as subgroup from registered
    union all
    select *, 'municipality' as subgroup_type, municipality_code as subgroup from registered
    union all
    select *, 'role' as subgroup_type, role as subgroup from registered
),

subgroups as (
    select
        wave,
        question_id,
        subgroup_type,
        subgroup,
        count(*) as n_respondents,
        -- Of the whole wave: in a subgroup of one it would be the time of one person's answer.
        max(max(submitted_at)) over (partition by wave) as last_submitted_at,
        max(ingested_at) as loaded_at
    from grouped
    group by wave, question_id, subgroup_type, subgroup
),

counted as (
    select
        wave,
        question_id,
        subgroup_type,
        subgroup,
        answer,
        count(*) as n_answers
    from grouped
    group by wave, question_id, subgroup_type, subgroup, answer
),

final as (
    select
        subgroups.wave,
        subgroups.question_id,
        subgroups.subgroup_type,
        subgroups.subgroup,
        options.answer,
        options.answer = options.indicator_answer as is_indicator_answer,
        coalesce(counted.n_answers, 0) as n_answers,
        subgroups.n_respondents,
        subgroups.last_submitted_at,
        subgroups.loaded_at
    from subgroups
    inner join options on subgroups.question_id = options.question_id
    left join counted
        on
            subgroups.wave = counted.wave
            and subgroups.question_id = counted.question_id
            and subgroups.subgroup_type = counted.subgroup_type
            and subgroups.subgroup = counted.subgroup
            and options.answer = counted.answer
)

select * from final
