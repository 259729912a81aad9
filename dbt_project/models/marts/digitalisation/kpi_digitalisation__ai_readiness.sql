-- Made of shown answers only. An item scores 0 to 1; its bounds are Wilson's for a share and 1.96 standard errors for
-- the mean of a scale. A dimension is the mean of its items, and its bounds the mean of theirs: at least 95 % however
-- the items hang together, because a sum varies at most as much as its parts do together.
with answers as (
    select * from {{ ref('kpi_digitalisation__survey_answer') }}
),

items as (
    select * from {{ ref('readiness_items') }}
),

subgroups as (
    select
        wave,
        subgroup_type,
        subgroup,
        max(loaded_at) as loaded_at
    from answers
    group by wave, subgroup_type, subgroup
),

steps as (
    select
        *,
        (try_cast(answer as double) - min(try_cast(answer as double)) over by_question)
        / nullif(
            max(try_cast(answer as double)) over by_question - min(try_cast(answer as double)) over by_question, 0
        ) as step
    from answers
    window by_question as (
        partition by wave, question_id, subgroup_type, subgroup
    )
),

questions as (
    select
        wave,
        question_id,
        subgroup_type,
        subgroup,
        max(n_respondents) as n_respondents,
        any_value(answer_share) filter (where is_indicator_answer) as share,
        any_value(answer_share_lower_bound) filter (where is_indicator_answer) as share_lower_bound,
        any_value(answer_share_upper_bound) filter (where is_indicator_answer) as share_upper_bound,
        if(bool_or(is_suppressed), null, sum(step * answer_share)) as scale_mean,
        if(bool_or(is_suppressed), null, sqrt(greatest(
            0, sum(step * step * answer_share) - sum(step * answer_share) ** 2
        ) / max(n_respondents))) as standard_error
    from steps
    group by wave, question_id, subgroup_type, subgroup
),

scored as (
    select
        subgroups.wave,
        subgroups.subgroup_type,
        subgroups.subgroup,
        subgroups.loaded_at,
        items.dimension,
        items.dimension_sv,
        items.dimension_en,
        items.definition_en,
        items.question_id,
        questions.question_id is not null as is_asked,
        questions.n_respondents,
        if(items.measure = 'indicator_share', questions.share, questions.scale_mean) as score,
        if(
            items.measure = 'indicator_share',
            questions.share_lower_bound,
            greatest(0, questions.scale_mean - 1.96 * questions.standard_error)
        ) as score_lower_bound,
        if(
            items.measure = 'indicator_share',
            questions.share_upper_bound,
            least(1, questions.scale_mean + 1.96 * questions.standard_error)
        ) as score_upper_bound
    from subgroups
    cross join items
    left join questions
        on
            subgroups.wave = questions.wave
            and subgroups.subgroup_type = questions.subgroup_type
            and subgroups.subgroup = questions.subgroup
            and items.question_id = questions.question_id
),

final as (
    select
        wave,
        subgroup_type,
        subgroup,
        dimension,
        dimension_sv,
        dimension_en,
        definition_en as definition,
        count(*) as n_items,
        min(n_respondents) as n_respondents,
        if(count(score) = count(*), 100 * avg(score), null) as readiness_index,
        if(count(score) = count(*), 100 * avg(score_lower_bound), null) as readiness_index_lower_bound,
        if(count(score) = count(*), 100 * avg(score_upper_bound), null) as readiness_index_upper_bound,
        case
            when not bool_and(is_asked) then 'missing'
            when count(score) < count(*) then 'suppressed'
            else 'observed'
        end as value_status,
        case
            when not bool_and(is_asked) then 'the wave did not ask every question of the dimension'
            when count(score) < count(*) then 'an answer that the dimension needs is hidden'
        end as missing_reason,
        max(loaded_at) as loaded_at
    from scored
    group by wave, subgroup_type, subgroup, dimension, dimension_sv, dimension_en, definition_en
)

select * from final
order by wave, subgroup_type, subgroup, dimension
