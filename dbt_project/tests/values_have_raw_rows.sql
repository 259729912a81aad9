-- A figure without a raw row behind it would be one that nobody published, or of sensors an indicator whose quantities
-- int_value_quantity__traced does not know.
select
    lineage.kpi_id,
    lineage.area_id,
    lineage.period,
    lineage.method_version,
    lineage.source_vintage
from {{ last_built_values('kpi_lineage', ref('kpi_lineage')) }} as lineage
inner join {{ ref('fct_kpi_value') }} as kpi_values
    on
        lineage.kpi_id = kpi_values.kpi_id
        and lineage.area_type = kpi_values.area_type
        and lineage.area_id = kpi_values.area_id
        and lineage.period = kpi_values.period
        and lineage.method_version = kpi_values.method_version
        and lineage.source_vintage = kpi_values.source_vintage
where
    lineage.raw_table is null
    and (
        (lineage.dbt_model = 'int_kpi_value__climate' and kpi_values.value_status = 'observed')
        or (lineage.area_type in ('sensor', 'station', 'building') and kpi_values.n > 0)
    )
