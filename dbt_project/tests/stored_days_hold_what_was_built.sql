-- Every day of every model that is incremental by whole days has as many rows as when it was built.
{% set models = whole_day_models() %}

with built as (
    select * from {{ ref('int_sensor_day__built') }}
    -- Days built before rows were counted have no number.
    where rows_built is not null
),

stored as (
    {% for model in models %}
    select
        '{{ model }}' as model,
        feed,
        local_date,
        count(*) as stored_rows
    from {{ ref(model) }}
    group by feed, local_date
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

final as (
    select
        built.model,
        built.feed,
        built.local_date,
        built.rows_built,
        coalesce(stored.stored_rows, 0) as stored_rows
    from built
    left join stored
        on
            built.model = stored.model
            and built.feed = stored.feed
            and built.local_date = stored.local_date
    where built.rows_built != coalesce(stored.stored_rows, 0)
)

select * from final
