{# Heat of a year of normal weather: hot water as it was, the rest by the degree days of a normal year over the year's.
   `factor` is the year's degree days over the normal year's, above 1 in a cold year. #}
{% macro normal_year_heat(heat, hot_water, factor) -%}
    ({{ hot_water }} + ({{ heat }} - {{ hot_water }}) / nullif({{ factor }}, 0))
{%- endmacro %}
