with stages as (
    select * from {{ ref('int_uttc_solution__staged') }}
),

sightings as (
    select * from {{ ref('stg_uttc__sighting') }}
),

-- Up to the month of the last snapshot: what came after nobody has looked at.
reach as (
    select
        date_trunc('month', min({{ local_day('snapshot_at') }})) as first_month,
        date_trunc('month', max({{ local_day('snapshot_at') }})) as last_month
    from sightings
),

months as (
    select unnest(generate_series(first_month, last_month, interval 1 month))::date as month_date from reach
),

names as (
    select unnest(['identified', 'analysed', 'validated']) as stage
),

counted as (
    select
        months.month_date,
        names.stage,
        count(stages.url) as n_solutions
    from months
    cross join names
    left join stages
        on
            names.stage = stages.stage
            and stages.valid_from < {{ local_midnight('months.month_date + interval 1 month') }}
            and (
                stages.valid_to is null
                or stages.valid_to >= {{ local_midnight('months.month_date + interval 1 month') }}
            )
    group by months.month_date, names.stage
),

loads as (
    select max(loaded_at) as loaded_at from stages
),

final as (
    select
        counted.month_date,
        counted.stage,
        counted.n_solutions,
        (sum(counted.n_solutions) over (partition by counted.month_date))::bigint as n_all_solutions,
        counted.n_solutions
        / nullif(sum(counted.n_solutions) over (partition by counted.month_date), 0) as stage_share,
        loads.loaded_at
    from counted
    cross join loads
)

select * from final
order by month_date, stage
