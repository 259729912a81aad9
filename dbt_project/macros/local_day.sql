{# The instant at which a local day of Höglandet begins: 23 or 22 hours UTC the evening before. #}
{% macro local_midnight(local_date) -%}
    timezone('Europe/Stockholm', ({{ local_date }})::timestamp)
{%- endmacro %}

{# The local day of an instant. Costs a time zone look-up per row: use it on distinct hours, not on readings. #}
{% macro local_day(instant) -%}
    timezone('Europe/Stockholm', {{ instant }})::date
{%- endmacro %}
