{# Every row satisfies the SQL condition; a null result counts as satisfied. #}
{% test holds_true(model, condition) %}
select * from {{ model }} where not ({{ condition }})
{% endtest %}
