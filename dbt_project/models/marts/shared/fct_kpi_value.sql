{% set domains = ['operations', 'digitalisation', 'twin'] %}

with final as (
    {% for domain in domains %}
    select * from {{ ref('int_kpi_value__' ~ domain) }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

-- The columns of a set operation are beyond the linter.
select * from final  -- noqa: AM04
order by kpi_id, area_type, area_id, period, method_version, source_vintage
