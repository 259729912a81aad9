select kpis.kpi_id
from {{ ref('dim_kpi') }} as kpis
where not kpis.is_published and not starts_with(kpis.value_status, 'no value yet: ')
