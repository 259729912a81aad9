{{ whole_periods('int_value_day__traced') }}

{% set domains = ['operations', 'digitalisation', 'twin', 'climate'] %}

with domain_values as (
    {% for domain in domains %}
    select * from {{ ref('int_kpi_value__' ~ domain) }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

kpi_values as (
    select * from domain_values{{ where_pending() }}
),

municipalities as (
    select * from {{ ref('municipalities') }}
),

-- Other municipalities, counties and the country are there to compare with: kpi_benchmark has them.
final as (
    select * exclude (read_models)
    from kpi_values
    where
        area_type not in ('municipality', 'region', 'country', 'group')
        or area_id in (select municipalities.municipality_code from municipalities)
)

-- Newest last: what a night replaces lies together, and no more than that is written anew.
-- The columns of a set operation are beyond the linter.
select * from final  -- noqa: AM04
order by period_end, kpi_id, area_type, area_id, period, method_version, valid_from_date, source_vintage
