{#
    The end of every int_kpi_value__<domain>: CTEs with values become rows of fct_kpi_value.

    `parts` are names of CTEs. A part has kpi_id, area_type, area_id, period, period_start, period_end, value, n,
    completeness, value_status, source_vintage and loaded_at, and of the other columns below those that it needs, in any
    order. Unit, method and source are the registry's unless the part says its own.
#}
{% macro kpi_values(parts) -%}
kpis as (
    select * from {{ ref('kpi_definitions') }}
),

kpi_values as (
    -- No rows: the columns that a part may leave out, null then.
    select
        null::double as numerator,
        null::double as denominator,
        null::double as lower_bound,
        null::double as upper_bound,
        null::varchar as method_version,
        null::varchar as source
    where false
    {% for part in parts %}
    union all by name
    select * from {{ part }}
    {% endfor %}
),

final as (
    select
        kpi_values.kpi_id,
        kpi_values.area_type,
        kpi_values.area_id,
        kpi_values.period,
        kpi_values.period_start::date as period_start,
        kpi_values.period_end::date as period_end,
        kpi_values.value::double as value,
        kpis.unit,
        kpi_values.numerator::double as numerator,
        kpi_values.denominator::double as denominator,
        kpi_values.n::bigint as n,
        kpi_values.lower_bound::double as lower_bound,
        kpi_values.upper_bound::double as upper_bound,
        kpi_values.completeness::double as completeness,
        kpi_values.value_status,
        coalesce(kpi_values.method_version, kpis.method_version) as method_version,
        coalesce(kpi_values.source, kpis.source) as source,
        kpi_values.source_vintage,
        kpi_values.loaded_at
    from kpi_values
    inner join kpis on kpi_values.kpi_id = kpis.kpi_id
)

select * from final
{%- endmacro %}
