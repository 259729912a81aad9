{# The columns together identify a row: the grain the model's description states. Of a model that is incremental by whole
   local days, named in `days_of`, the days of its last build are looked at: no other can have got a second row. #}
{% test unique_combination(model, columns, days_of=none) %}
select
    {{ columns | join(', ') }},
    count(*) as duplicates
from {{ last_built_rows(days_of, model, 'date', 'local_date') if days_of else model }}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}
