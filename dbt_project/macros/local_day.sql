{# The instant of a local time of Höglandet. #}
{% macro local_moment(local_time) -%}
    timezone('Europe/Stockholm', ({{ local_time }})::timestamp)
{%- endmacro %}

{# The instant at which a local day of Höglandet begins: 23 or 22 hours UTC the evening before. #}
{% macro local_midnight(local_date) -%}
    {{ local_moment(local_date) }}
{%- endmacro %}

{# The local day of an instant. Costs a time zone look-up per row: use it on distinct hours, not on readings. #}
{% macro local_day(instant) -%}
    timezone('Europe/Stockholm', {{ instant }})::date
{%- endmacro %}
