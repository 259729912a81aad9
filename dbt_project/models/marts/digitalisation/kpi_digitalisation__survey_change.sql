-- Made of shown shares only, so that it gives away nothing that the answers hide. The interval is Newcombe's, of two
-- independent shares: respondents are not followed from wave to wave, and those who answered both make it too wide.
with answers as (
    select * from {{ ref('kpi_digitalisation__survey_answer') }}
),

waves as (
    select * from {{ ref('survey_waves') }}
),

dated as (
    select
        answers.*,
        waves.survey,
        waves.wave_number,
        lag(waves.wave) over (
            partition by waves.survey, answers.question_id, answers.subgroup_type, answers.subgroup, answers.answer
            order by waves.wave_number
        ) as previous_wave
    from answers
    inner join waves on answers.wave = waves.wave
),

final as (
    select
        now.wave,
        now.previous_wave,
        now.question_id,
        now.subgroup_type,
        now.subgroup,
        now.answer,
        now.is_indicator_answer,
        now.n_respondents,
        before.n_respondents as n_respondents_before,
        now.answer_share,
        before.answer_share as answer_share_before,
        now.answer_share - before.answer_share as change_share,
        (now.answer_share - before.answer_share) - sqrt(
            (now.answer_share - now.answer_share_lower_bound) ** 2
            + (before.answer_share_upper_bound - before.answer_share) ** 2
        ) as change_share_lower_bound,
        (now.answer_share - before.answer_share) + sqrt(
            (now.answer_share_upper_bound - now.answer_share) ** 2
            + (before.answer_share - before.answer_share_lower_bound) ** 2
        ) as change_share_upper_bound,
        case
            when now.previous_wave is null then 'missing'
            when now.is_suppressed or before.is_suppressed then 'suppressed'
            else 'observed'
        end as value_status,
        case
            when now.previous_wave is null then 'no earlier wave asked this'
            when now.is_suppressed or before.is_suppressed then 'hidden in one of the waves'
        end as missing_reason,
        greatest(now.loaded_at, before.loaded_at) as loaded_at
    from dated as now
    left join dated as before
        on
            now.previous_wave = before.wave
            and now.question_id = before.question_id
            and now.subgroup_type = before.subgroup_type
            and now.subgroup = before.subgroup
            and now.answer = before.answer
)

select * from final
order by wave, question_id, subgroup_type, subgroup, answer
