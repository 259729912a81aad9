-- Whatever its type, a question becomes a table of answers: the answers of a scale, the options of a multiple choice
-- (of which a respondent may have chosen several), or the classes in which numbers are counted.
with answers as (
    select * from {{ ref('stg_survey__answer') }}
),

questions as (
    select * from {{ ref('survey_questions') }}
),

options as (
    select
        question_id,
        question_type,
        indicator_answer,
        unnest(string_split(answer_options, ';')) as option
    from questions
),

-- A class of numbers begins at its bound and ends below the next one.
bounded as (
    select
        *,
        option::double as from_value,
        lead(option) over (partition by question_id order by option::double) as next_bound
    from options
    where question_type = 'numeric'
),

classes as (
    select
        question_id,
        question_type,
        indicator_answer,
        from_value,
        next_bound::double as below_value,
        if(next_bound is null, option || '_and_above', option || '_to_below_' || next_bound) as answer
    from bounded
),

answer_options as (
    select
        question_id,
        question_type,
        indicator_answer,
        option as answer
    from options
    where question_type != 'numeric'
    union all
    select
        question_id,
        question_type,
        indicator_answer,
        answer
    from classes
),

-- Only registered questions go further; that their answers are registered too is tested. Who was asked and left the
-- question out has not responded to it.
registered as (
    select
        answers.wave,
        answers.respondent,
        answers.question_id,
        answers.option,
        case questions.question_type
            when 'multiple' then if(answers.answer = 'yes', answers.option, null)
            when 'numeric' then classes.answer
            else answers.answer
        end as answer,
        answers.municipality_code,
        answers.role,
        answers.submitted_at,
        answers.ingested_at
    from answers
    inner join questions on answers.question_id = questions.question_id
    left join classes
        on
            questions.question_id = classes.question_id
            and try_cast(answers.answer as double) >= classes.from_value
            and coalesce(try_cast(answers.answer as double) < classes.below_value, true)
    where answers.answer != 'no_answer'
),

-- A wave may have offered fewer options of a multiple choice than another.
offered as (
    select distinct
        wave,
        question_id,
        option
    from registered
    where option is not null
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
        count(distinct respondent) as n_respondents,
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
    where answer is not null
    group by wave, question_id, subgroup_type, subgroup, answer
),

final as (
    select
        subgroups.wave,
        subgroups.question_id,
        subgroups.subgroup_type,
        subgroups.subgroup,
        answer_options.answer,
        coalesce(answer_options.answer = answer_options.indicator_answer, false) as is_indicator_answer,
        coalesce(counted.n_answers, 0) as n_answers,
        subgroups.n_respondents,
        subgroups.last_submitted_at,
        subgroups.loaded_at
    from subgroups
    inner join answer_options on subgroups.question_id = answer_options.question_id
    left join offered
        on
            subgroups.wave = offered.wave
            and subgroups.question_id = offered.question_id
            and answer_options.answer = offered.option
    left join counted
        on
            subgroups.wave = counted.wave
            and subgroups.question_id = counted.question_id
            and subgroups.subgroup_type = counted.subgroup_type
            and subgroups.subgroup = counted.subgroup
            and answer_options.answer = counted.answer
    where answer_options.question_type != 'multiple' or offered.option is not null
)

select * from final
