with solutions as (
    select * from {{ ref('kpi_twin__solution') }}
    where not is_withdrawn
),

effects as (
    select * from {{ ref('kpi_twin__solution_effect') }}
),

snapshots as (
    select
        {{ local_day('max(snapshot_at)') }} as snapshot_date,
        count(*) as n_solutions,
        count_if(stage in ('analysed', 'validated')) as n_mature,
        max(loaded_at) as loaded_at
    from solutions
    having count(*) > 0
),

stages as (
    select unnest(['identified', 'analysed', 'validated']) as stage
),

solutions_by_stage as (
    select
        'uttc_solutions_by_stage' as kpi_id,
        'stage' as area_type,
        stages.stage as area_id,
        strftime(snapshots.snapshot_date, '%Y-%m-%d') as period,
        snapshots.snapshot_date as period_start,
        snapshots.snapshot_date as period_end,
        count(solutions.url) as value,
        count(solutions.url) as numerator,
        snapshots.n_solutions as denominator,
        snapshots.n_solutions as n,
        null as lower_bound,
        null as upper_bound,
        1 as completeness,
        'observed' as value_status,
        strftime(snapshots.snapshot_date, '%Y-%m-%d') as source_vintage,
        snapshots.loaded_at
    from snapshots
    cross join stages
    left join solutions on stages.stage = solutions.stage
    group by stages.stage, snapshots.snapshot_date, snapshots.n_solutions, snapshots.loaded_at
),

maturity_share as (
    select
        'uttc_maturity_share' as kpi_id,
        'catalogue' as area_type,
        'uttc' as area_id,
        strftime(snapshot_date, '%Y-%m-%d') as period,
        snapshot_date as period_start,
        snapshot_date as period_end,
        100.0 * n_mature / n_solutions as value,
        n_mature as numerator,
        n_solutions as denominator,
        n_solutions as n,
        null as lower_bound,
        null as upper_bound,
        1 as completeness,
        'observed' as value_status,
        strftime(snapshot_date, '%Y-%m-%d') as source_vintage,
        loaded_at
    from snapshots
),

-- Only what an entry itself states as net; a gross effect or a footprint is not a net effect. Effects in different
-- units, or of which one is claimed and another measured, are not added: kpi_twin__effect_total has them apart.
net_effects as (
    select
        url,
        sum(effect_value::decimal(18, 4))::double as net_effect,
        count(*) as n_effects
    from effects
    where effect_kind = 'net' and effect_value is not null and effect_unit in ('t CO2e/yr', 't CO2/yr')
    group by url
    having count(distinct effect_unit) = 1 and count(distinct effect_claim) = 1
),

net_effect as (
    select
        'uttc_net_effect' as kpi_id,
        'solution' as area_type,
        solutions.slug as area_id,
        strftime(snapshots.snapshot_date, '%Y-%m-%d') as period,
        snapshots.snapshot_date as period_start,
        snapshots.snapshot_date as period_end,
        net_effects.net_effect as value,
        null as numerator,
        null as denominator,
        coalesce(net_effects.n_effects, 0) as n,
        null as lower_bound,
        null as upper_bound,
        if(net_effects.url is null, 0, 1) as completeness,
        if(net_effects.url is null, 'missing', 'observed') as value_status,
        strftime(snapshots.snapshot_date, '%Y-%m-%d') as source_vintage,
        solutions.loaded_at
    from solutions
    cross join snapshots
    left join net_effects on solutions.url = net_effects.url
),

-- No row until a municipality has delivered its register: missing is not zero.
local_adoption as (
    select
        'local_adoption' as kpi_id,
        'municipality' as area_type,
        municipality_code as area_id,
        year(max(last_change_date))::varchar as period,
        date_trunc('year', max(last_change_date)) as period_start,
        max(last_change_date) as period_end,
        sum(n_solutions) filter (where status in ('pilot', 'in_use')) as value,
        sum(n_solutions) as n,
        1 as completeness,
        'observed' as value_status,
        strftime(max(last_change_date), '%Y-%m-%d') as source_vintage,
        null::timestamptz as loaded_at
    from {{ ref('kpi_twin__local_adoption') }}
    where value_status = 'observed'
    group by municipality_code
),

{{ kpi_values({
    'solutions_by_stage': ['kpi_twin__solution'],
    'maturity_share': ['kpi_twin__solution'],
    'net_effect': ['kpi_twin__solution', 'kpi_twin__solution_effect'],
    'local_adoption': ['kpi_twin__local_adoption'],
}) }}
