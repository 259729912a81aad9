{# The columns together identify a row: the grain the model's description states. Of a model that is incremental by whole
   local days, named in `days_of`, or by whole periods, named in `values_of`, what its last build made is looked at: no
   other day or period can have got a second row. #}
{% test unique_combination(model, columns, days_of=none, values_of=none) %}
select
    {{ columns | join(', ') }},
    count(*) as duplicates
from
    {% if days_of %}{{ last_built_rows(days_of, model, 'date', 'local_date') }}
    {% elif values_of %}{{ last_built_values(values_of, model) }}
    {% else %}{{ model }}{% endif %}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}
