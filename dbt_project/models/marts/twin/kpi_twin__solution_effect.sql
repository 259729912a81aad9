with effects as (
    select * from {{ ref('stg_uttc__effect') }}
),

final as (
    select
        url,
        effect_number,
        effect_quantity,
        effect_value,
        effect_unit,
        effect_kind,
        effect_claim,
        effect_qualifier,
        effect_description,
        ingested_at as loaded_at
    from effects
)

select * from final
order by url, effect_number
