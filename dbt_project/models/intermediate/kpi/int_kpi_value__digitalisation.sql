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

passed_through as (
    select * exclude (domain) from {{ ref('int_indicator__passed_through') }}
    where domain = 'digitalisation'
),

-- Six questions answered 0, 1 or 2; at least four of them, or there is no index.
welfare_tech_answers as (
    select
        area_type,
        area_id,
        year,
        avg(value) filter (value_status = 'observed') as mean_answer,
        count_if(value_status = 'observed') as n,
        max(vintage) as source_vintage,
        max(released_date) as valid_from_date,
        max(ingested_at) as loaded_at
    from {{ ref('int_indicator__measured') }}
    where measure = 'welfare_tech_answer' and is_latest
    group by area_type, area_id, year
),

welfare_tech_index as (
    select
        'welfare_tech_index' as kpi_id,
        area_type,
        area_id,
        year::varchar as period,
        make_date(year, 1, 1) as period_start,
        make_date(year, 12, 31) as period_end,
        if(n >= 4, 100 * mean_answer / 2, null) as value,
        n,
        n / 6 as completeness,
        if(n >= 4, 'observed', 'missing') as value_status,
        source_vintage,
        valid_from_date,
        loaded_at
    from welfare_tech_answers
),

-- No row until the number of invited is known: the registry says why.
response_rate as (
    select
        'survey_response_rate' as kpi_id,
        'federation' as area_type,
        'hoglandet' as area_id,
        wave as period,
        first_answer_date as period_start,
        last_answer_date as period_end,
        100 * response_share as value,
        n_respondents as numerator,
        n_invited as denominator,
        n_respondents as n,
        1 as completeness,
        value_status,
        wave as source_vintage,
        loaded_at
    from {{ ref('kpi_digitalisation__survey_wave') }}
    where value_status = 'observed'
),

{{ kpi_values({
    'survey_shares': ['kpi_digitalisation__survey_answer'],
    'response_rate': ['kpi_digitalisation__survey_wave'],
    'passed_through': ['int_indicator__passed_through'],
    'welfare_tech_index': ['int_indicator__measured'],
}) }}
