-- Indicators that a source publishes ready made, in the shape of a part of kpi_values; with the domain they belong to.
with measured as (
    select * from {{ ref('int_indicator__measured') }}
),

kpis as (
    select * from {{ ref('kpi_definitions') }}
),

margins as (
    select
        area_id,
        year,
        value
    from measured
    where measure = 'snow_satisfaction_margin' and is_latest
),

final as (
    select
        kpis.domain,
        kpis.kpi_id,
        measured.area_type,
        measured.area_id,
        measured.year::varchar as period,
        make_date(measured.year, 1, 1) as period_start,
        make_date(measured.year, 12, 31) as period_end,
        measured.value,
        -- Without a margin there are no bounds; greatest and least alone would turn null into 0 and 100.
        measured.value - margins.value as below,
        measured.value + margins.value as above,
        if(below is null, null, greatest(0, below)) as lower_bound,
        if(above is null, null, least(100, above)) as upper_bound,
        if(measured.value_status = 'observed', 1, 0) as n,
        if(measured.value_status = 'observed', 1, 0) as completeness,
        measured.value_status,
        'kolada-v1' as method_version,
        concat('Kolada ', measured.series_id) as source,
        measured.vintage as source_vintage,
        measured.released_date as valid_from_date,
        measured.ingested_at as loaded_at
    from measured
    inner join kpis on measured.measure = kpis.kpi_id
    left join margins
        on
            kpis.kpi_id = 'snow_satisfaction'
            and measured.area_id = margins.area_id
            and measured.year = margins.year
)

select * exclude (below, above) from final
