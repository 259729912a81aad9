-- An indicator of sensors whose quantities int_value_quantity__traced does not know has no raw rows.
select
    lineage.kpi_id,
    lineage.area_id,
    lineage.period
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
    lineage.area_type in ('sensor', 'station', 'building')
    and kpi_values.n > 0
    and lineage.raw_table is null
