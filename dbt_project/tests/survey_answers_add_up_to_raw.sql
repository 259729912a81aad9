-- Per wave, question and subgroup type the respondents of the mart are those of the raw table, and every answer is an
-- option of its question (so nothing but an option, no free text, is ever counted). Of a multiple choice every chosen
-- option is counted, of numbers every class.
with answers as (
    select * from {{ source('raw', 'survey_answer') }}
),

questions as (
    select * from {{ ref('survey_questions') }}
),

mart as (
    select * from {{ ref('kpi_digitalisation__survey_answer') }}
),

counted as (
    select * from {{ ref('int_survey_answer__counted') }}
),

expected as (
    select
        answers.wave,
        questions.question_id,
        subgroup_types.subgroup_type,
        count(distinct answers.respondent)::bigint as n_respondents,
        count_if(questions.question_type != 'multiple' or answers.answer = 'yes')::bigint as n_answers
    from answers
    inner join questions on split_part(answers.question_id, '.', 1) = questions.question_id
    cross join (select unnest(['all', 'municipality', 'role']) as subgroup_type) as subgroup_types
    where answers.answer != 'no_answer'
    group by all
),

respondents as (
    select
        wave,
        question_id,
        subgroup_type,
        sum(n_respondents)::bigint as n_respondents
    from (select distinct wave, question_id, subgroup_type, subgroup, n_respondents from mart)
    group by all
),

answers_counted as (
    select
        wave,
        question_id,
        subgroup_type,
        sum(n_answers)::bigint as n_answers
    from counted
    group by all
),

found as (
    select
        respondents.wave,
        respondents.question_id,
        respondents.subgroup_type,
        respondents.n_respondents,
        answers_counted.n_answers
    from respondents
    inner join answers_counted
        on
            respondents.wave = answers_counted.wave
            and respondents.question_id = answers_counted.question_id
            and respondents.subgroup_type = answers_counted.subgroup_type
),

lost as (
    select * from expected
    except
    select * from found
),

unexpected as (
    select * from found
    except
    select * from expected
),

final as (
    select * from lost
    union all
    select * from unexpected
)

-- The columns of a set operation are beyond the linter.
select * from final  -- noqa: AM04
