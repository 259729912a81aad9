{# Sensors and quantities whose readings do not add up to what the raw table holds: a lost or doubled day shows here.
   `model` names the aggregate; of it and of the raw table the days of its last build are compared, or all of them. #}
{% macro readings_differ(model) %}
with raw_totals as (
    select
        feed,
        sensor_id,
        if(quantity = 'distance', 'snow_depth', quantity) as quantity,
        count(*) as readings,
        -- Depths are not in the raw table; the calibrated view adds them below.
        sum(value::decimal(18, 4)) filter (where quantity != 'distance' and quality != 'bad') as raw_sum
    from {{ last_built_rows(model, source('raw', 'sensor_reading'), 'instant', 'observed_at') }}
    group by all
),

depth_totals as (
    select
        feed,
        sensor_id,
        quantity,
        sum(value::decimal(18, 4)) as depth_sum
    from {{ last_built_rows(model, ref('int_sensor_reading__calibrated'), 'instant', 'observed_at') }}
    where quantity = 'snow_depth'
    group by all
),

expected as (
    select
        raw_totals.feed,
        raw_totals.sensor_id,
        raw_totals.quantity,
        raw_totals.readings,
        if(raw_totals.quantity = 'snow_depth', depth_totals.depth_sum, raw_totals.raw_sum) as value_sum
    from raw_totals
    left join depth_totals
        on
            raw_totals.feed = depth_totals.feed
            and raw_totals.sensor_id = depth_totals.sensor_id
            and raw_totals.quantity = depth_totals.quantity
),

found as (
    select
        feed,
        sensor_id,
        quantity,
        sum(readings) as readings,
        sum(value_sum) as value_sum
    from {{ last_built_rows(model, ref(model), 'date', 'local_date') }}
    group by all
),

final as (
    select
        coalesce(expected.feed, found.feed) as feed,
        coalesce(expected.sensor_id, found.sensor_id) as sensor_id,
        coalesce(expected.quantity, found.quantity) as quantity,
        expected.readings as readings_in_raw,
        found.readings as readings_in_aggregate,
        expected.value_sum as sum_in_raw,
        found.value_sum as sum_in_aggregate
    from expected
    full join found
        on
            expected.feed = found.feed
            and expected.sensor_id = found.sensor_id
            and expected.quantity = found.quantity
    where
        expected.readings is distinct from found.readings
        or expected.value_sum is distinct from found.value_sum
)

select * from final
{% endmacro %}
