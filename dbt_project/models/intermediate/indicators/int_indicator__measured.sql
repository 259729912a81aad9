-- The registered series in the units of the indicators. Of vintages that repeat a figure the first is kept: a source
-- that is read again without news is no restatement.
with indicator_values as (
    select * from {{ ref('stg_indicators__value') }}
),

series as (
    select * from {{ ref('kpi_series') }}
),

registered as (
    select
        series.measure,
        indicator_values.* replace (indicator_values.value * series.factor as value)
    from indicator_values
    inner join series
        on
            indicator_values.source = series.source
            and indicator_values.series_id = series.series_id
            and indicator_values.breakdown = series.breakdown
),

restated as (
    select
        *,
        lag(row(value, value_status)) over (
            partition by source, series_id, area_id, year
            order by released_date, vintage
        ) as figure_before
    from registered
),

final as (
    select
        measure,
        source,
        series_id,
        breakdown,
        area_type,
        area_id,
        year,
        value,
        value_status,
        vintage,
        released_date,
        ingested_at,
        load_id,
        landing_id,
        row_number() over (
            partition by source, series_id, area_id, year
            order by released_date desc, vintage desc
        ) = 1 as is_latest
    from restated
    where figure_before is distinct from row(value, value_status)
)

select * from final
