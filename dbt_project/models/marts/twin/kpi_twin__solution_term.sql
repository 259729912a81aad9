-- Weight: where a term stands (title 4, short title 3, place on the transition path 2, owner 2, else 1), how often, and
-- how rare it is among the solutions.
with solutions as (
    select * from {{ ref('kpi_twin__solution') }}
),

effects as (
    select * from {{ ref('kpi_twin__solution_effect') }}
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
        loaded_at
    from solutions
    union all
    {% endfor %}
    select
        url,
        concat_ws(' ', replace(effect_quantity, '_', ' '), effect_description) as words,
        1 as field_weight,
        loaded_at
    from effects
),

found as (
    select
        url,
        field_weight,
        loaded_at,
        unnest(regexp_extract_all({{ folded('words') }}, '[a-z0-9åäö]{2,}')) as term
    from texts
    where words is not null
),

counted as (
    select
        url,
        term,
        count(*) as n_occurrences,
        sum(field_weight) as field_weight,
        max(loaded_at) as loaded_at
    from found
    where
        term not in (
            'att', 'av', 'de', 'den', 'det', 'dem', 'där', 'efter', 'eller', 'en', 'ett', 'för', 'från', 'går', 'han',
            'har', 'hon', 'hos', 'hur', 'inte', 'kan', 'man', 'med', 'mot', 'ner', 'när', 'och', 'om', 'på', 'sig',
            'sin', 'ska', 'som', 'så', 'till', 'upp', 'ut', 'vad', 'var', 'vi', 'vid', 'än', 'är', 'över', 'and', 'for',
            'in', 'of', 'on', 'the', 'to', 'with'
        )
    group by url, term
),

totals as (
    select count(*) as n_solutions from solutions
),

final as (
    select
        counted.url,
        counted.term,
        counted.n_occurrences,
        (
            counted.field_weight
            * ln(1 + totals.n_solutions / (count(*) over (partition by counted.term))::double)
        )::double as weight,
        counted.loaded_at
    from counted
    cross join totals
)

select * from final
order by term, url
