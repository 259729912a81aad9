with answers as (
    select * from {{ ref('stg_survey__answer') }}
),

waves as (
    select * from {{ ref('survey_waves') }}
),

respondents as (
    select
        wave,
        count(distinct respondent) as n_respondents,
        {{ local_day('min(submitted_at)') }} as first_answer_date,
        {{ local_day('max(submitted_at)') }} as last_answer_date,
        max(ingested_at) as loaded_at
    from answers
    group by wave
),

final as (
    select
        waves.wave,
        waves.survey,
        waves.wave_number,
        waves.title_sv,
        waves.title_en,
        coalesce(respondents.n_respondents, 0) as n_respondents,
        waves.invited::bigint as n_invited,
        respondents.n_respondents / waves.invited::double as response_share,
        if(waves.invited is null or respondents.wave is null, 'missing', 'observed') as value_status,
        case
            when respondents.wave is null then 'no answer of the wave has been loaded'
            when waves.invited is null then waves.invited_reason
        end as missing_reason,
        respondents.first_answer_date,
        respondents.last_answer_date,
        respondents.loaded_at
    from waves
    left join respondents on waves.wave = respondents.wave
)

select * from final
order by survey, wave_number
