{#
    A wide mart for BI: one row per municipality, period and interval in which the row was the latest, a column per
    indicator. `columns` maps an indicator to [column name, expression of value or value_text], `words` an indicator to the
    column of its value in words, and `more` any other column to [indicator, expression]. `periods` is what a period must look like. Of several methods the registry's is taken,
    else the one that became valid last.
#}
{% macro wide_kpis(columns, periods, words={}, more={}) -%}
with kpi_values as (
    select * from {{ ref('fct_kpi_value') }}
    where
        area_type = 'municipality'
        and regexp_full_match(period, '{{ periods }}')
        and kpi_id in ({% for kpi_id in columns %}'{{ kpi_id }}'{{ ', ' if not loop.last }}{% endfor %})
),

kpis as (
    select * from {{ ref('kpi_definitions') }}
),

municipalities as (
    select * from {{ ref('municipalities') }}
),

changes as (
    select
        area_id,
        period,
        valid_from_date
    from kpi_values
    union
    select
        area_id,
        period,
        valid_to_date as valid_from_date
    from kpi_values
    where valid_to_date is not null
),

intervals as (
    select
        *,
        lead(valid_from_date) over (partition by area_id, period order by valid_from_date) as valid_to_date
    from changes
),

valid_values as (
    select
        kpi_values.* exclude (valid_from_date, valid_to_date, is_latest),
        intervals.valid_from_date,
        intervals.valid_to_date
    from intervals
    inner join kpi_values
        on
            intervals.area_id = kpi_values.area_id
            and intervals.period = kpi_values.period
            and intervals.valid_from_date >= kpi_values.valid_from_date
            and (kpi_values.valid_to_date is null or intervals.valid_from_date < kpi_values.valid_to_date)
    inner join kpis on kpi_values.kpi_id = kpis.kpi_id
    qualify row_number() over (
        partition by kpi_values.kpi_id, intervals.area_id, intervals.period, intervals.valid_from_date
        order by
            kpi_values.method_version = kpis.method_version desc, kpi_values.valid_from_date desc,
            kpi_values.method_version asc, kpi_values.source_vintage desc
    ) = 1
),

final as (
    select
        valid_values.area_id as municipality_code,
        any_value(municipalities.municipality_name) as municipality_name,
        valid_values.period,
        {% for kpi_id, (column, expression) in columns.items() %}
        max({{ expression }}) filter (valid_values.kpi_id = '{{ kpi_id }}') as {{ column }},
        {% endfor %}
        {% for kpi_id, column in words.items() %}
        max(value_text) filter (valid_values.kpi_id = '{{ kpi_id }}') as {{ column }},
        {% endfor %}
        {% for column, (kpi_id, expression) in more.items() %}
        max({{ expression }}) filter (valid_values.kpi_id = '{{ kpi_id }}') as {{ column }},
        {% endfor %}
        string_agg(
            concat(valid_values.kpi_id, ': ', valid_values.value_status), '; ' order by valid_values.kpi_id
        ) filter (valid_values.value_status != 'observed') as without_value,
        string_agg(
          distinct concat(valid_values.source, ' ', valid_values.source_vintage), '; '
            order by concat(valid_values.source, ' ', valid_values.source_vintage)
        ) as sources_and_vintages,
        valid_values.valid_from_date,
        valid_values.valid_to_date,
        valid_values.valid_to_date is null as is_latest,
        max(valid_values.loaded_at) as loaded_at
    from valid_values
    inner join municipalities on valid_values.area_id = municipalities.municipality_code
    group by valid_values.area_id, valid_values.period, valid_values.valid_from_date, valid_values.valid_to_date
)

select * from final
order by municipality_code, period, valid_from_date
{%- endmacro %}
