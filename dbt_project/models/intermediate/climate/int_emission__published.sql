-- Territorial emissions of the national emission database as each vintage published them. A vintage holds until the
-- next one of its substance is released, also for the years that the next one leaves out.
{{ config(materialized='table') }}

with emissions as (
    select * from {{ ref('stg_indicators__value') }}
    where source = 'ned'
),

vintages as (
    select
        series_id,
        vintage,
        min(released_date) as valid_from_date,
        lead(min(released_date)) over (partition by series_id order by min(released_date), vintage) as valid_to_date
    from emissions
    group by series_id, vintage
),

final as (
    select
        emissions.series_id as substance,
        emissions.breakdown as sector,
        emissions.area_type,
        emissions.area_id,
        emissions.year,
        emissions.vintage,
        emissions.value as emissions_t,
        emissions.value_status,
        vintages.valid_from_date,
        vintages.valid_to_date,
        emissions.ingested_at as loaded_at
    from emissions
    inner join vintages
        on
            emissions.series_id = vintages.series_id
            and emissions.vintage = vintages.vintage
)

select * from final
