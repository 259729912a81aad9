-- Which answers are masked, for all shown subgroups of a type alike.
--
-- What a reader can reconstruct is a table of shown subgroups plus one row "the hidden rest" (the total minus the
-- shown), by answers, with its margins. Masked are the answers that 1-4 gave, or all but 1-4, in any of these rows or
-- in the total; then, the largest first and the indicator's answer last, as many more as it takes until in every row
-- the masked answers are none, or 5 respondents or more and on average two per masked answer, and two rows at least
-- share them. Whole columns with two positive rows and two positive columns leave every masked cell more than one
-- possible value. An answer nobody gave, or everybody, is never masked: it is a figure, and it would protect nothing.
--
-- The options of a multiple choice are masked by the same rule, as if nobody had chosen two: a reader who sees that the
-- choices are as many as the respondents knows that this is so, and then the options have a margin too.

with counted as (
    select * from {{ ref('int_survey_answer__counted') }}
),

hidden as (
    select * from {{ ref('int_survey_subgroup__hidden') }}
),

-- The rows a reader can see or derive: shown subgroups each, hidden ones together.
visible_rows as (
    select
        counted.wave,
        counted.question_id,
        counted.subgroup_type,
        if(hidden.subgroup is null, counted.subgroup, '(hidden)') as visible_row,
        counted.answer,
        counted.is_indicator_answer,
        sum(counted.n_answers)::bigint as n_answers,
        sum(counted.n_respondents)::bigint as n_respondents
    from counted
    left join hidden
        on
            counted.wave = hidden.wave
            and counted.question_id = hidden.question_id
            and counted.subgroup_type = hidden.subgroup_type
            and counted.subgroup = hidden.subgroup
    group by all
),

totals as (
    select
        wave,
        question_id,
        subgroup_type,
        answer,
        is_indicator_answer,
        sum(n_answers)::bigint as n_total,
        sum(n_respondents)::bigint as n_respondents,
        bool_or(n_answers between 1 and 4 or n_respondents - n_answers between 1 and 4) as is_small
    from visible_rows
    group by wave, question_id, subgroup_type, answer, is_indicator_answer
),

-- Small in the total means small in every subgroup type: what is masked in the total is masked below it.
{% for level in ['total', 'subgroup'] %}
{{ level }}_candidates as (
    select
        totals.wave,
        totals.question_id,
        totals.subgroup_type,
        totals.answer,
        {% if level == 'total' %}totals.is_small{% else %}total_masks.answer is not null or totals.is_small{% endif %} as is_required,
        row_number() over (
            partition by totals.wave, totals.question_id, totals.subgroup_type
            order by is_required desc, totals.is_indicator_answer asc, totals.n_total desc, totals.answer asc
        ) as mask_rank,
        sum(is_required::integer) over (
            partition by totals.wave, totals.question_id, totals.subgroup_type
        ) as n_required,
        {% if level == 'total' %}0{% else %}count(total_masks.answer) over (
            partition by totals.wave, totals.question_id, totals.subgroup_type
        ){% endif %} as n_masked_in_total,
        count(*) over (partition by totals.wave, totals.question_id, totals.subgroup_type) as n_candidates
    from totals
    {% if level == 'subgroup' %}
    left join total_masks
        on
            totals.wave = total_masks.wave
            and totals.question_id = total_masks.question_id
            and totals.answer = total_masks.answer
    {% endif %}
    where
        totals.n_total > 0
        and totals.n_total < totals.n_respondents
        and totals.subgroup_type {{ '=' if level == 'total' else '!=' }} 'all'
),

{{ level }}_prefixes as (
    select
        candidates.wave,
        candidates.question_id,
        candidates.subgroup_type,
        candidates.mask_rank,
        candidates.n_required,
        candidates.n_candidates,
        candidates.n_masked_in_total,
        visible_rows.visible_row,
        sum(visible_rows.n_answers) over (
            partition by
                candidates.wave, candidates.question_id, candidates.subgroup_type, visible_rows.visible_row
            order by candidates.mask_rank
        ) as n_masked
    from {{ level }}_candidates as candidates
    inner join visible_rows
        on
            candidates.wave = visible_rows.wave
            and candidates.question_id = visible_rows.question_id
            and candidates.subgroup_type = visible_rows.subgroup_type
            and candidates.answer = visible_rows.answer
),

{{ level }}_safe_prefixes as (
    select
        wave,
        question_id,
        subgroup_type,
        mask_rank
    from {{ level }}_prefixes
    group by wave, question_id, subgroup_type, mask_rank, n_required, n_candidates, n_masked_in_total
    having
        n_required > 0
        and mask_rank >= n_required
        and (
            mask_rank = n_candidates
            or (
                mask_rank >= 2
                and bool_and(n_masked = 0 or (n_masked >= 5 and n_masked >= 2 * mask_rank))
                and (
                    count_if(n_masked > 0) >= 2
                    {% if level == 'total' %}or true{% else %}or mask_rank = n_masked_in_total{% endif %}
                )
            )
        )
),

{{ level }}_masks as (
    select
        candidates.wave,
        candidates.question_id,
        candidates.subgroup_type,
        candidates.answer
    from {{ level }}_candidates as candidates
    inner join (
        select
            wave,
            question_id,
            subgroup_type,
            min(mask_rank) as n_masked_answers
        from {{ level }}_safe_prefixes
        group by wave, question_id, subgroup_type
    ) as shortest
        on
            candidates.wave = shortest.wave
            and candidates.question_id = shortest.question_id
            and candidates.subgroup_type = shortest.subgroup_type
    where candidates.mask_rank <= shortest.n_masked_answers
),
{% endfor %}

final as (
    select * from total_masks
    union all
    select * from subgroup_masks
)

select * from final
