{# Degree days of one day, base 17 degC. `greatest` passes over nulls: a day without a temperature would count as warm. #}
{% macro degree_days(mean_temperature) -%}
    if({{ mean_temperature }} is null, null, greatest(0, 17 - {{ mean_temperature }}))
{%- endmacro %}
