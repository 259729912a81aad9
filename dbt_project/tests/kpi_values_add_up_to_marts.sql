-- Each indicator's values against the mart they were counted from.
with kpi_values as (
    select
        kpi_id,
        sum(value)::decimal(38, 4) as total,
        sum(n)::bigint as n
    from {{ ref('fct_kpi_value') }}
    where kpi_id in ('sensor_availability', 'zero_crossings', 'snow_cover_days', 'uttc_solutions_by_stage')
    group by kpi_id
),

daily_snow as (
    select * from {{ ref('kpi_operations__daily_snow') }}
),

solutions as (
    select * from {{ ref('kpi_twin__solution') }}
    where not is_withdrawn
),

expected as (
    select
        'sensor_availability' as kpi_id,
        sum(availability_pct)::decimal(38, 4) as total,
        sum(readings)::bigint as n
    from daily_snow
    having count(*) > 0
    union all
    select
        'zero_crossings' as kpi_id,
        count_if(is_zero_crossing_day)::decimal(38, 4) as total,
        (count(is_zero_crossing_day))::bigint as n
    from daily_snow
    having count(is_zero_crossing_day) > 0
    union all
    select
        'snow_cover_days' as kpi_id,
        count_if(is_snow_cover_day)::decimal(38, 4) as total,
        (count(is_snow_cover_day))::bigint as n
    from daily_snow
    where month(local_date) not between 5 and 9
    having count(is_snow_cover_day) > 0
    union all
    select
        'uttc_solutions_by_stage' as kpi_id,
        count(*)::decimal(38, 4) as total,
        (3 * count(*))::bigint as n
    from solutions
),

final as (
    select
        expected.kpi_id,
        expected.total as total_in_mart,
        kpi_values.total as total_in_values,
        expected.n as n_in_mart,
        kpi_values.n as n_in_values
    from expected
    left join kpi_values on expected.kpi_id = kpi_values.kpi_id
    where
        (expected.total is not null and coalesce(abs(expected.total - kpi_values.total) > 0.01, expected.total != 0))
        or expected.n is distinct from coalesce(kpi_values.n, 0)
)

select * from final
