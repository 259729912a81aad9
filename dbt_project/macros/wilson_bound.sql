{# Wilson score bound, 95 %, of `successes` out of `trials`, as a share between 0 and 1; null when
   `successes` is null (least and greatest alone would turn that into a figure). `sign` is '+' or '-'. #}
{% macro wilson_bound(successes, trials, sign) -%}
    {%- set z = 1.959963984540054 -%}
    case when {{ successes }} is not null then least(1.0, greatest(0.0, (
        {{ successes }} + {{ z * z / 2 }}
        {{ sign }} {{ z }} * sqrt({{ successes }} * ({{ trials }} - {{ successes }}) / {{ trials }}::double + {{ z * z / 4 }})
    ) / ({{ trials }} + {{ z * z }}))) end
{%- endmacro %}
