-- How much a term weighs by where it stands: title 4, short title 3, place on the transition path 2, owner 2, else 1.
with solutions as (
    select * from {{ ref('stg_uttc__solution') }}
),

effects as (
    select * from {{ ref('stg_uttc__effect') }}
),

texts as (
    {% for words, field_weight in [
        ('title', 4),
        ('short_title', 3),
        ("concat_ws(' ', transition_area, transition_sector, transition_kind)", 2),
        ('owner', 2),
        ('summary', 1),
    ] %}
    select
        url,
        {{ words }} as words,
        {{ field_weight }} as field_weight,
        ingested_at
    from solutions
    union all
    {% endfor %}
    select
        url,
        concat_ws(' ', replace(effect_quantity, '_', ' '), effect_description) as words,
        1 as field_weight,
        ingested_at
    from effects
),

found as (
    select
        url,
        field_weight,
        ingested_at,
        unnest(regexp_extract_all({{ folded('words') }}, '[a-z0-9åäö]{2,}')) as term
    from texts
    where words is not null
),

final as (
    select
        url,
        term,
        count(*) as n_occurrences,
        sum(field_weight)::bigint as field_weight,
        max(ingested_at) as ingested_at
    from found
    where
        term not in (
            'att', 'av', 'de', 'den', 'det', 'dem', 'där', 'efter', 'eller', 'en', 'ett', 'för', 'från', 'går', 'han',
            'har', 'hon', 'hos', 'hur', 'inte', 'kan', 'man', 'med', 'mot', 'ner', 'när', 'och', 'om', 'på', 'sig',
            'sin', 'ska', 'som', 'så', 'till', 'upp', 'ut', 'vad', 'var', 'vi', 'vid', 'än', 'är', 'över', 'and', 'for',
            'in', 'of', 'on', 'the', 'to', 'with'
        )
    group by url, term
)

select * from final
