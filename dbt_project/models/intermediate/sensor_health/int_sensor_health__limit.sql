{{ config(materialized='table') }}

with sensors as (
    select * from {{ ref('sensors') }}
),

sensor_kinds as (
    select * from {{ ref('sensor_kinds') }}
),

limits as (
    select * from {{ ref('sensor_health_limits') }}
),

quantities as (
    select quantity from limits
    where quantity != 'any'
    union
    select main_quantity as quantity from sensor_kinds
),

-- A limit for a kind of sensor goes before one for any.
applying as (
    select
        sensors.sensor_id,
        sensors.feed,
        sensors.sensor_kind,
        sensors.expected_interval_minutes,
        sensor_kinds.main_quantity,
        quantities.quantity,
        limits.limit_name,
        arg_max(limits.limit_value, (limits.sensor_kind != 'any')::integer) as limit_value
    from sensors
    inner join sensor_kinds on sensors.sensor_kind = sensor_kinds.sensor_kind
    cross join quantities
    inner join limits
        on
            limits.sensor_kind in (sensors.sensor_kind, 'any')
            and limits.quantity in (quantities.quantity, 'any')
    group by all
),

final as (
    select
        feed,
        sensor_id,
        sensor_kind,
        quantity,
        quantity = main_quantity as is_main_quantity,
        expected_interval_minutes,
        expected_interval_minutes
        * max(limit_value) filter (where limit_name = 'silence_intervals') as silence_minutes,
        {% for limit_name in [
            'availability_pct', 'refused_pct', 'suspect_pct', 'flatline_hours', 'resting_value', 'step',
            'neighbour_difference', 'smhi_difference', 'battery_least', 'signal_least',
        ] %}
        max(limit_value) filter (where limit_name = '{{ limit_name }}') as {{ limit_name }}
        {%- if not loop.last %},{% endif %}
        {% endfor %}
    from applying
    group by feed, sensor_id, sensor_kind, main_quantity, quantity, expected_interval_minutes
)

select * from final
order by feed, sensor_id, quantity
