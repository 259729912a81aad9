with solutions as (
    select * from {{ ref('stg_uttc__solution') }}
),

effects as (
    select * from {{ ref('stg_uttc__effect') }}
),

stages as (
    select
        url,
        min(valid_from) as first_seen_at,
        max(valid_from) filter (where event = 'withdrawn' and valid_to is null) as withdrawn_at
    from {{ ref('int_uttc_solution__staged') }}
    group by url
),

first_effects as (
    select * from effects
    where effect_number = 1
),

final as (
    select
        solutions.url,
        solutions.slug,
        solutions.title,
        solutions.short_title,
        solutions.stage,
        solutions.published_date,
        solutions.summary,
        solutions.transition_area,
        solutions.transition_sector,
        solutions.transition_kind,
        solutions.owner,
        solutions.effects_count,
        first_effects.effect_quantity,
        first_effects.effect_value,
        first_effects.effect_unit,
        first_effects.effect_kind,
        first_effects.effect_claim,
        first_effects.effect_qualifier,
        first_effects.effect_description,
        solutions.baseline_period,
        solutions.object_count,
        solutions.object_count_qualifier,
        stages.first_seen_at,
        solutions.snapshot_at,
        stages.withdrawn_at is not null as is_withdrawn,
        stages.withdrawn_at,
        solutions.ingested_at as loaded_at
    from solutions
    inner join stages on solutions.url = stages.url
    left join first_effects on solutions.url = first_effects.url
)

select * from final
order by url
