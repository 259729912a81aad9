-- Per sensor: what the mart counts and its extremes against the readings themselves, from its first to its last day in
-- the mart, of the days of the last build (or of all, see last_built_rows).
{% set quantities = [
    ('snow_depth', 'snow_depth', 'cm'),
    ('air_temperature', 'air_temperature', 'degc'),
    ('relative_humidity', 'relative_humidity', 'pct'),
] %}

with readings as (
    select *
    from {{ last_built_rows(
        'int_sensor_reading__daily', ref('int_sensor_reading__calibrated'), 'instant', 'observed_at'
    ) }}
),

daily_snow as (
    select * from {{ ref('kpi_operations__daily_snow') }}
),

main_quantities as (
    select distinct
        feed,
        sensor_id,
        main_quantity
    from {{ ref('dim_sensor') }}
),

lives as (
    select
        feed,
        sensor_id,
        {{ local_midnight('min(local_date)') }} as began_at,
        {{ local_midnight('max(local_date) + 1') }} as ended_at
    from daily_snow
    group by feed, sensor_id
),

expected as (
    select
        readings.sensor_id,
        count(*) filter (where readings.quantity = main_quantities.main_quantity) as readings,
        count(readings.value) filter (where readings.quantity = main_quantities.main_quantity) as valid_readings,
        {% for quantity, column, unit in quantities %}
        min(readings.value) filter (where readings.quantity = '{{ quantity }}') as {{ column }}_low_{{ unit }},
        max(readings.value) filter (where readings.quantity = '{{ quantity }}') as {{ column }}_high_{{ unit }}
        {%- if not loop.last %},{% endif %}
        {% endfor %}
    from readings
    inner join main_quantities
        on
            readings.feed = main_quantities.feed
            and readings.sensor_id = main_quantities.sensor_id
    inner join lives
        on
            readings.feed = lives.feed
            and readings.sensor_id = lives.sensor_id
            and readings.observed_at >= lives.began_at
            and readings.observed_at < lives.ended_at
    group by readings.sensor_id
),

found as (
    select
        sensor_id,
        sum(readings) as readings,
        sum(valid_readings) as valid_readings,
        {% for quantity, column, unit in quantities %}
        min({{ column }}_low_{{ unit }}) as {{ column }}_low_{{ unit }},
        max({{ column }}_high_{{ unit }}) as {{ column }}_high_{{ unit }}
        {%- if not loop.last %},{% endif %}
        {% endfor %}
    from {{ last_built_rows('int_sensor_reading__daily', 'daily_snow', 'date', 'local_date') }}
    group by sensor_id
    having sum(readings) > 0 or max(loaded_at) is not null
),

lost as (
    select * from expected
    except
    select * from found
),

unexpected as (
    select * from found
    except
    select * from expected
),

final as (
    select * from lost
    union all
    select * from unexpected
)

-- The columns of a set operation are beyond the linter.
select * from final  -- noqa: AM04
