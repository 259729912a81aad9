with pages as (
    select * from {{ source('raw', 'uttc_solution') }}
    qualify row_number() over (partition by url order by snapshot_at desc) = 1
),

expected as (
    select
        count(*)::bigint as solutions,
        coalesce(sum(len(effects)), 0)::bigint as effects
    from pages
),

solutions as (
    select
        count(*)::bigint as solutions,
        coalesce(sum(effects_count), 0)::bigint as effects
    from {{ ref('kpi_twin__solution') }}
),

effects as (
    select count(*)::bigint as effects from {{ ref('kpi_twin__solution_effect') }}
),

final as (
    select
        expected.solutions as solutions_in_raw,
        solutions.solutions as solutions_in_mart,
        expected.effects as effects_in_raw,
        solutions.effects as effects_in_solutions,
        effects.effects as effects_in_mart
    from expected
    cross join solutions
    cross join effects
    where
        expected.solutions != solutions.solutions
        or expected.effects != solutions.effects
        or expected.effects != effects.effects
)

select * from final
