with survey_answers as (
    select * from {{ ref('kpi_digitalisation__survey_answer') }}
),

survey_shares as (
    select
        kpi_id,
        if(subgroup_type = 'all', 'federation', subgroup_type) as area_type,
        if(subgroup_type = 'all', 'hoglandet', subgroup) as area_id,
        wave as period,
        {{ local_day('last_submitted_at') }} as period_start,
        {{ local_day('last_submitted_at') }} as period_end,
        100 * answer_share as value,
        n_answers as numerator,
        if(is_suppressed, null, n_respondents) as denominator,
        n_respondents as n,
        100 * answer_share_lower_bound as lower_bound,
        100 * answer_share_upper_bound as upper_bound,
        1 as completeness,
        if(is_suppressed, 'suppressed', 'observed') as value_status,
        wave as source_vintage,
        loaded_at
    from survey_answers
    where
        is_indicator_answer
        and kpi_id is not null
        and subgroup_type in ('all', 'municipality')
        and subgroup != 'not_stated'
),

{{ kpi_values(['survey_shares']) }}
