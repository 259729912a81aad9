{#
    The end of every int_kpi_value__<domain>: CTEs with values become rows of fct_kpi_value.

    `parts` are names of CTEs, each with the models that it reads, for lineage. A part has kpi_id, area_type, area_id, period, period_start, period_end, value, n,
    completeness, value_status, source_vintage and loaded_at, and of the other columns those that it needs, in any order.
    Unit, method and source are the registry's unless the part says its own. A value is valid from the day its vintage was
    released (else loaded) until the next vintage of it is; a part whose vintages end together says so in valid_to_date.
    In a model that is incremental by whole periods the values of changed periods only.
#}
{% macro kpi_values(parts) -%}
{%- set pending = where_pending() -%}
kpis as (
    select * from {{ ref('kpi_definitions') }}
),

kpi_values as (
    -- No rows: the columns that a part may leave out, null then.
    select
        null::varchar as value_text,
        null::double as numerator,
        null::double as denominator,
        null::double as lower_bound,
        null::double as upper_bound,
        null::varchar as method_version,
        null::varchar as source,
        null::date as valid_from_date,
        null::date as valid_to_date,
        null::varchar[] as read_models
    where false
    {% for part, models in parts.items() %}
    union all by name
    select
        *,
        {{ models }} as read_models
    from {{ part }}{{ pending }}
    {% endfor %}
),

described as (
    select
        kpi_values.* exclude (method_version, source, valid_from_date),
        kpis.unit,
        coalesce(kpi_values.method_version, kpis.method_version) as method_version,
        coalesce(kpi_values.source, kpis.source) as source,
        coalesce(
            kpi_values.valid_from_date, {{ local_day('kpi_values.loaded_at') }}, kpi_values.period_end
        )::date as valid_from_date
    from kpi_values
    -- A value of no registered indicator stays, without a unit, and fails the test of the relationship.
    left join kpis on kpi_values.kpi_id = kpis.kpi_id
),

dated as (
    select
        * exclude (valid_to_date),
        coalesce(
            valid_to_date,
            lead(valid_from_date) over (
                partition by kpi_id, area_type, area_id, period, method_version
                order by valid_from_date, source_vintage
            )
        ) as valid_to_date
    from described
),

final as (
    select
        kpi_id,
        area_type,
        area_id,
        period,
        period_start::date as period_start,
        period_end::date as period_end,
        value::double as value,
        value_text,
        unit,
        numerator::double as numerator,
        denominator::double as denominator,
        n::bigint as n,
        lower_bound::double as lower_bound,
        upper_bound::double as upper_bound,
        completeness::double as completeness,
        value_status,
        method_version,
        source,
        source_vintage,
        valid_from_date,
        valid_to_date,
        valid_to_date is null as is_latest,
        loaded_at,
        read_models
    from dated
)

select * from final
{%- endmacro %}
