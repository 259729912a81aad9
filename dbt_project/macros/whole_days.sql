{#
    Incremental by whole local days.

    `int_sensor_day__version` says which version of every day (its last load and the mountings in force) the warehouse
    holds; `int_sensor_day__built` which version each model holds. A model rebuilds the days whose versions differ, and
    writes down what it built in the transaction that built it. So a build sees one set of loads however many models it
    runs, a model left out of one build catches up in the next, and a day that ends with no rows is settled like any other.
#}

{# The versions a model should hold: those of the warehouse, or those of the model it is built from. #}
{% macro wanted_days(upstream) -%}
    {%- set version = ref('int_sensor_day__version') -%}
    {%- set built = ref('int_sensor_day__built') -%}
    {%- if upstream == 'warehouse' -%}
        select feed, local_date, version from {{ version }}
    {%- else -%}
        select feed, local_date, version from {{ built }} where model = '{{ upstream }}'
    {%- endif -%}
{%- endmacro %}

{% macro pending_days(upstream) -%}
    select wanted.feed, wanted.local_date
    from ({{ wanted_days(upstream) }}) as wanted
    anti join {{ ref('int_sensor_day__built') }} as built
        on
            built.model = '{{ this.identifier }}'
            and wanted.feed = built.feed
            and wanted.local_date = built.local_date
            and wanted.version = built.version
{%- endmacro %}

{# Runs of adjoining pending days as constant dates: DuckDB skips row groups only by constants. #}
{% macro pending_runs(upstream) -%}
    {%- set query -%}
        select feed, min(local_date)::varchar as first_date, max(local_date)::varchar as last_date
        from (
            select feed, local_date, local_date - row_number() over (partition by feed order by local_date)::integer as run
            from ({{ pending_days(upstream) }})
        )
        group by feed, run
        order by feed, first_date
    {%- endset -%}
    {{ return(run_query(query).rows) }}
{%- endmacro %}

{#
    The condition that keeps only rows of pending days. `grain` is 'instant' (a UTC column) or 'date' (a local date column).
    Everything on a first build or a full refresh.
#}
{% macro in_pending_days(upstream, grain, column) -%}
    {%- set declared = pending_days(upstream) -%}
    {%- if not execute or not is_incremental() -%}
        true
    {%- else -%}
        {%- set runs = pending_runs(upstream) -%}
        (
        {%- if not runs %}false{% endif -%}
        {%- for feed, first_date, last_date in runs %}
            {%- if not loop.first %} or {% endif -%}
            (
            feed = '{{ feed | replace("'", "''") }}' and
            {%- if grain == 'instant' %}
            {{ column }} >= {{ local_midnight_constant(first_date, 0) }}
            and {{ column }} < {{ local_midnight_constant(last_date, 1) }}
            {%- else %}
            {{ column }} between date '{{ first_date }}' and date '{{ last_date }}'
            {%- endif -%}
            )
        {%- endfor -%}
        )
    {%- endif -%}
{%- endmacro %}

{% macro local_midnight_constant(local_date, days_later) -%}
    {%- set query -%}
        select {{ local_midnight("date '" ~ local_date ~ "' + " ~ days_later) }}::varchar
    {%- endset -%}
    timestamptz '{{ run_query(query).rows[0][0] }}'
{%- endmacro %}

{# Incremental strategy: the pending days go, whatever they held, and the rebuilt rows come in. #}
{% macro get_incremental_replace_days_sql(arg_dict) -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    delete from {{ arg_dict['target_relation'] }} as target
    where exists (
        select 1
        from ({{ pending_days(config.require('days_from')) }}) as pending
        where target.feed = pending.feed and target.local_date = pending.local_date
    );
    insert into {{ arg_dict['target_relation'] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }};
{%- endmacro %}

{# Post-hook of every model that is incremental by whole days; runs in the transaction of the model. #}
{% macro record_built_days(upstream) -%}
    delete from {{ ref('int_sensor_day__built') }} where model = '{{ this.identifier }}';
    insert into {{ ref('int_sensor_day__built') }} (model, feed, local_date, version)
    select '{{ this.identifier }}', feed, local_date, version
    from ({{ wanted_days(upstream) }})
    order by feed, local_date;
{%- endmacro %}
