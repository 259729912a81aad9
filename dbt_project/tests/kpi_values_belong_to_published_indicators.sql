select distinct kpi_values.kpi_id
from {{ ref('fct_kpi_value') }} as kpi_values
inner join {{ ref('dim_kpi') }} as kpis on kpi_values.kpi_id = kpis.kpi_id
where not kpis.is_published
