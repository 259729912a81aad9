-- Weight: where a term stands and how often (int_uttc_term__found), and how rare it is among the solutions.
with terms as (
    select * from {{ ref('int_uttc_term__found') }}
),

stems as (
    select * from {{ ref('int_uttc_term__stemmed') }}
),

totals as (
    select count(*) as n_solutions from {{ ref('kpi_twin__solution') }}
),

final as (
    select
        terms.url,
        terms.term,
        stems.stem_sv,
        stems.stem_en,
        terms.n_occurrences,
        (
            terms.field_weight
            * ln(1 + totals.n_solutions / (count(*) over (partition by terms.term))::double)
        )::double as weight,
        terms.ingested_at as loaded_at
    from terms
    inner join stems on terms.term = stems.term
    cross join totals
)

select * from final
order by term, url
