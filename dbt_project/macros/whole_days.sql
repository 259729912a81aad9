{#
    Incremental by whole local days.

    `int_sensor_day__version` says which version of every day (its last load and the mountings in force) the warehouse
    holds; `int_sensor_day__built` which version each model holds. A model rebuilds the days whose versions differ, and
    writes down what it built in the transaction that built it. So a build sees one set of loads however many models it
    runs, a model left out of one build catches up in the next, and a day that ends with no rows is settled like any other.
#}

{# The head of such a model. `days_from` says which days it should hold, in which version: a model of versions such as
   `int_sensor_day__version`, or the whole-day model it is built from. #}
{% macro whole_days(days_from) -%}
    {#- dbt learns here, and not in the conditions below, which models stand before this one. -#}
    {%- set _ = pending_days(days_from) -%}
    {{ config(
        materialized='incremental',
        incremental_strategy='replace_days',
        days_from=days_from,
        on_schema_change='append_new_columns',
        post_hook="{{ record_built_days('" ~ days_from ~ "') }}"
    ) }}
{%- endmacro %}

{% macro whole_day_models() -%}
    {{ return([
        'int_sensor_reading__hourly', 'int_sensor_reading__daily', 'int_sensor_day__trace', 'int_sensor_day__flat',
        'int_sensor_day__landed', 'int_snow_hour__risen', 'int_road_day__judged',
        'kpi_operations__daily_snow', 'kpi_operations__plough_event',
    ]) }}
{%- endmacro %}

{% macro wanted_days(days_from) -%}
    {%- if days_from in whole_day_models() -%}
        select feed, local_date, version from {{ ref('int_sensor_day__built') }} where model = '{{ days_from }}'
    {%- else -%}
        select feed, local_date, version from {{ ref(days_from) }}
    {%- endif -%}
{%- endmacro %}

{% macro pending_days(days_from) -%}
    select wanted.feed, wanted.local_date, wanted.version
    from ({{ wanted_days(days_from) }}) as wanted
    anti join {{ ref('int_sensor_day__built') }} as built
        on
            built.model = '{{ this.identifier }}'
            and wanted.feed = built.feed
            and wanted.local_date = built.local_date
            and wanted.version = built.version
{%- endmacro %}

{# The days that the last build of a model made, whatever it had to make. Everything after a first build. #}
{% macro last_built_days(model) -%}
    select feed, local_date
    from {{ ref('int_sensor_day__built') }}
    where model = '{{ model }}'
    qualify built_at = max(built_at) over ()
{%- endmacro %}

{# Runs of adjoining days, each day with so many before it: feed, first and last date. #}
{% macro day_runs(days, days_before=0) -%}
    {%- set query -%}
        with days as (
            select distinct feed, unnest(generate_series(local_date - {{ days_before }}, local_date, interval 1 day))::date as day
            from ({{ days }})
        )

        select feed, min(day)::varchar as first_date, max(day)::varchar as last_date
        from (select feed, day, day - row_number() over (partition by feed order by day)::integer as run from days)
        group by feed, run
        order by feed, first_date
    {%- endset -%}
    {{ return(run_query(query).rows if execute else []) }}
{%- endmacro %}

{#
    The rows of `relation` on pending days. `grain` is 'instant' (a UTC column) or 'date' (a local date column);
    `days_before` adds so many days before each. All rows on a first build or a full refresh.
#}
{% macro pending_rows(relation, grain, column, days_before=0) -%}
    {%- if not execute or not is_incremental() -%}
        {{ relation }}
    {%- else -%}
        {{ rows_of_runs(relation, day_runs(pending_days(config.require('days_from')), days_before), grain, column) }}
    {%- endif -%}
{%- endmacro %}

{#
    The rows of `relation` on the days that the last build of `model` made, for tests that compare with the raw table: what
    they read then does not grow with history. With the variable `whole_history` all rows.
#}
{% macro last_built_rows(model, relation, grain, column) -%}
    {%- set days = last_built_days(model) -%}
    {%- if not execute or var('whole_history') -%}
        {{ relation }}
    {%- else -%}
        {{ rows_of_runs(relation, day_runs(days), grain, column) }}
    {%- endif -%}
{%- endmacro %}

{# A query for each run, with constants: DuckDB skips row groups by them alone, and not by conditions joined with "or"
   (0.01 s against 0.7 s for two days out of 100 million readings). #}
{% macro rows_of_runs(relation, runs, grain, column) -%}
    (
    {%- for run in runs %}
        select * from {{ relation }} where {{ is_in_run(run, grain, column) }}
        {%- if not loop.last %} union all {% endif -%}
    {% else %}
        select * from {{ relation }} where false
    {%- endfor -%}
    )
{%- endmacro %}

{% macro is_in_run(run, grain, column) -%}
    feed = '{{ run[0] | replace("'", "''") }}'
    {%- if grain == 'instant' %}
        and {{ column }} >= {{ local_midnight_constant(run[1], 0) }} and {{ column }} < {{ local_midnight_constant(run[2], 1) }}
    {%- else %}
        and {{ column }} between date '{{ run[1] }}' and date '{{ run[2] }}'
    {%- endif -%}
{%- endmacro %}

{% macro local_midnight_constant(local_date, days_later) -%}
    {%- set query -%}
        select {{ local_midnight("date '" ~ local_date ~ "' + " ~ days_later) }}::varchar
    {%- endset -%}
    timestamptz '{{ run_query(query).rows[0][0] }}'
{%- endmacro %}

{# Days that a model holds and should no longer: their feed is gone from the seeds, or the as-of date went back. #}
{% macro vanished_days(days_from) -%}
    select built.feed, built.local_date
    from {{ ref('int_sensor_day__built') }} as built
    anti join ({{ wanted_days(days_from) }}) as wanted
        on built.feed = wanted.feed and built.local_date = wanted.local_date
    where built.model = '{{ this.identifier }}'
{%- endmacro %}

{# Incremental strategy: the pending and vanished days go, whatever they held, and the rebuilt rows come in. #}
{% macro get_incremental_replace_days_sql(arg_dict) -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    {%- set days_from = config.require('days_from') -%}
    {%- set pending = 'select feed, local_date from (' ~ pending_days(days_from) ~ ')' -%}
    {%- for run in day_runs(pending ~ ' union all ' ~ vanished_days(days_from)) %}
    delete from {{ arg_dict['target_relation'] }} where {{ is_in_run(run, 'date', 'local_date') }};
    {%- endfor %}
    insert into {{ arg_dict['target_relation'] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }};
{%- endmacro %}

{# Post-hook of every model that is incremental by whole days; runs in the transaction of the model. The number of rows
   is what a later test compares with, so that a day that vanished from the table is found without reading the raw one;
   a model of periods (macros/whole_periods.sql) has no number of its own for a day. #}
{% macro record_built_days(days_from, counted=true) -%}
    {%- set built = ref('int_sensor_day__built') -%}
    delete from {{ built }} as built
    where
        built.model = '{{ this.identifier }}'
        {%- if is_incremental() %}
        and not exists (
            select 1
            from ({{ wanted_days(days_from) }}) as wanted
            where built.feed = wanted.feed and built.local_date = wanted.local_date and built.version = wanted.version
        )
        {%- endif %};
    insert into {{ built }} (model, feed, local_date, version, rows_built, built_at)
    with pending as (
        {{ pending_days(days_from) }}
    ){% if counted %},

    counted as (
        select feed, local_date, count(*) as rows_built
        from {{ rows_of_runs(this, day_runs(pending_days(days_from)), 'date', 'local_date') }}
        group by feed, local_date
    ){% endif %}

    select
        '{{ this.identifier }}',
        pending.feed,
        pending.local_date,
        pending.version,
        {{ 'coalesce(counted.rows_built, 0)' if counted else 'null' }},
        timestamptz '{{ run_started_at }}'
    from pending
    {% if counted %}
    left join counted on pending.feed = counted.feed and pending.local_date = counted.local_date
    {% endif %}
    order by pending.feed, pending.local_date;
{%- endmacro %}
