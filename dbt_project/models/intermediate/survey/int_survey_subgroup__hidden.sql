-- Which subgroups are hidden whole. In order of size, the shortest run of smallest subgroups that
--   holds every subgroup below 10 respondents,
--   and is two subgroups or more, 10 respondents or more together, who did not all give one answer:
-- the total minus the shown subgroups then says nothing about any one of them. Of a multiple choice they all gave one
-- answer when each of them chose it, whatever else they chose.

with counted as (
    select * from {{ ref('int_survey_answer__counted') }}
),

subgroups as (
    select distinct
        wave,
        question_id,
        subgroup_type,
        subgroup,
        n_respondents
    from counted
),

ranked as (
    select
        *,
        row_number() over by_size as size_rank,
        sum(n_respondents) over by_size as n_in_run,
        count_if(n_respondents < 10) over (partition by wave, question_id, subgroup_type) as n_small,
        count(*) over (partition by wave, question_id, subgroup_type) as n_subgroups
    from subgroups
    window by_size as (
        partition by wave, question_id, subgroup_type
        order by n_respondents, subgroup
    )
),

answers_in_run as (
    select
        ranked.wave,
        ranked.question_id,
        ranked.subgroup_type,
        ranked.size_rank,
        sum(counted.n_answers) over (
            partition by ranked.wave, ranked.question_id, ranked.subgroup_type, counted.answer
            order by ranked.size_rank
        ) as n_answers
    from ranked
    inner join counted
        on
            ranked.wave = counted.wave
            and ranked.question_id = counted.question_id
            and ranked.subgroup_type = counted.subgroup_type
            and ranked.subgroup = counted.subgroup
),

variety_of_run as (
    select
        wave,
        question_id,
        subgroup_type,
        size_rank,
        max(n_answers) as n_most_given
    from answers_in_run
    group by wave, question_id, subgroup_type, size_rank
),

run_lengths as (
    select
        ranked.wave,
        ranked.question_id,
        ranked.subgroup_type,
        min(ranked.size_rank) filter (
            where ranked.n_small > 0
            and ranked.size_rank >= ranked.n_small
            and (
                ranked.size_rank = ranked.n_subgroups
                or (ranked.size_rank >= 2 and ranked.n_in_run >= 10 and variety_of_run.n_most_given < ranked.n_in_run)
            )
        ) as n_hidden
    from ranked
    inner join variety_of_run
        on
            ranked.wave = variety_of_run.wave
            and ranked.question_id = variety_of_run.question_id
            and ranked.subgroup_type = variety_of_run.subgroup_type
            and ranked.size_rank = variety_of_run.size_rank
    group by ranked.wave, ranked.question_id, ranked.subgroup_type
),

final as (
    select
        ranked.wave,
        ranked.question_id,
        ranked.subgroup_type,
        ranked.subgroup,
        if(ranked.n_respondents < 10, 'subgroup_below_10', 'protects_other_subgroup') as reason
    from ranked
    inner join run_lengths
        on
            ranked.wave = run_lengths.wave
            and ranked.question_id = run_lengths.question_id
            and ranked.subgroup_type = run_lengths.subgroup_type
    where ranked.size_rank <= run_lengths.n_hidden
)

select * from final
