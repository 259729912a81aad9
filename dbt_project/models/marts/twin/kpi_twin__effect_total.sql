-- Only what can be added: the same quantity, kind, claim and unit. Effects told in words are counted and not added.
with effects as (
    select * from {{ ref('kpi_twin__solution_effect') }}
),

solutions as (
    select * from {{ ref('kpi_twin__solution') }}
),

final as (
    select
        effects.effect_quantity,
        effects.effect_kind,
        effects.effect_claim,
        coalesce(effects.effect_unit, 'in words') as effect_unit,
        sum(effects.effect_value::decimal(18, 4))::double as effect_sum,
        count(*) as n_effects,
        count(distinct effects.url) as n_solutions,
        count(*) filter (where effects.effect_qualifier = 'up_to') as n_up_to,
        count(*) filter (where effects.effect_qualifier = 'about') as n_about,
        count(*) filter (where effects.effect_qualifier = 'more_than') as n_more_than,
        max(effects.loaded_at) as loaded_at
    from effects
    inner join solutions on effects.url = solutions.url
    where not solutions.is_withdrawn
    group by
        effects.effect_quantity,
        effects.effect_kind,
        effects.effect_claim,
        coalesce(effects.effect_unit, 'in words')
)

select * from final
order by effect_quantity, effect_kind, effect_claim, effect_unit
