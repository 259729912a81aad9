{#
    Incremental by the whole periods of sensors' values, with the days of macros/whole_days.sql.

    A value of a sensor is of a day, a month or a winter. When a day gets another version, the rows of every period with
    that day in it are replaced; rows of anything but sensors always are. Such a model has the key of fct_kpi_value, whose
    source_vintage is the feed where the value is a sensor's.
#}
{% macro whole_periods(days_from) -%}
    {%- set _ = pending_days(days_from) -%}
    {{ config(
        materialized='incremental',
        incremental_strategy='replace_periods',
        days_from=days_from,
        on_schema_change='append_new_columns',
        post_hook="{{ record_built_days('" ~ days_from ~ "', counted=false) }}"
    ) }}
{%- endmacro %}

{# The condition on the rows that such a model replaces; none on a first build or a full refresh, nor in another model. #}
{% macro where_pending() -%}
    {%- if execute and config.get('days_from') and is_incremental() %} where {{ is_in_period_of(changed_days()) }}{% endif -%}
{%- endmacro %}

{# The rows of `relation` that the last build of `model` replaced; all of them with the variable `whole_history`. #}
{% macro last_built_values(model, relation) -%}
    {%- set days = last_built_days(model) -%}
    {%- if not execute or var('whole_history') -%}
        {{ relation }}
    {%- else -%}
        (select * from {{ relation }} where {{ is_in_period_of(days) }})
    {%- endif -%}
{%- endmacro %}

{% macro changed_days() -%}
    {%- set days_from = config.require('days_from') -%}
    select feed, local_date from ({{ pending_days(days_from) }}) union all {{ vanished_days(days_from) }}
{%- endmacro %}

{% macro is_in_period_of(days) -%}
    (
        area_type not in ('sensor', 'station')
        {%- for run in day_runs(days) %}
        or (
            source_vintage = '{{ run[0] | replace("'", "''") }}'
            and period_start <= date '{{ run[2] }}'
            and period_end >= date '{{ run[1] }}'
        )
        {%- endfor %}
    )
{%- endmacro %}

{# Incremental strategy: the rows of the changed periods go, whatever they were, and the rebuilt rows come in. #}
{% macro get_incremental_replace_periods_sql(arg_dict) -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    delete from {{ arg_dict['target_relation'] }} where {{ is_in_period_of(changed_days()) }};
    insert into {{ arg_dict['target_relation'] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }};
{%- endmacro %}
