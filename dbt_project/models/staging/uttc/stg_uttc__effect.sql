with solutions as (
    select * from {{ source('raw', 'uttc_solution') }}
    qualify row_number() over (partition by url order by snapshot_at desc) = 1
),

numbered as (
    select
        url,
        ingested_at,
        unnest(generate_series(1, len(effects)))::integer as effect_number,
        unnest(effects) as effect
    from solutions
),

final as (
    select
        url,
        effect_number,
        effect.value as effect_value,
        effect.unit as effect_unit,
        effect.kind as effect_kind,
        effect.claim as effect_claim,
        effect.qualifier as effect_qualifier,
        effect.quantity as effect_quantity,
        effect.description as effect_description,
        ingested_at
    from numbered
)

select * from final
