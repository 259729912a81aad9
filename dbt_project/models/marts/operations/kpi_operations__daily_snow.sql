{{ whole_days('int_sensor_day__reported') }}

with every_day as (
    select * from {{ ref('int_sensor_day__expected') }}
),

-- The day before is read for what new snow lies on, and left out at the end.
expected_days as (
    select * from {{ pending_rows('every_day', 'date', 'local_date', days_before=1) }}
),

daily as (
    select * from {{ pending_rows(ref('int_sensor_reading__daily'), 'date', 'local_date', days_before=1) }}
),

measured as (
    select
        expected_days.feed,
        expected_days.sensor_id,
        expected_days.municipality_code,
        expected_days.local_date,
        expected_days.expected_readings,
        {% for quantity, column, unit in [
            ('snow_depth', 'snow_depth', 'cm'),
            ('air_temperature', 'air_temperature', 'degc'),
            ('relative_humidity', 'relative_humidity', 'pct'),
        ] %}
        max(daily.value_low) filter (where daily.quantity = '{{ quantity }}') as {{ column }}_low_{{ unit }},
        max(daily.value_mean) filter (where daily.quantity = '{{ quantity }}') as {{ column }}_mean_{{ unit }},
        max(daily.value_high) filter (where daily.quantity = '{{ quantity }}') as {{ column }}_high_{{ unit }},
        {% endfor %}
        max(daily.value_at_06_utc) filter (where daily.quantity = 'snow_depth') as snow_depth_at_06_utc_cm,
        max(daily.value_low_before_06_utc) filter (where daily.quantity = 'snow_depth') as depth_low_before_06_utc_cm,
        max(daily.value_low_from_06_utc) filter (where daily.quantity = 'snow_depth') as depth_low_from_06_utc_cm,
        coalesce(sum(daily.readings) filter (where daily.quantity = expected_days.main_quantity), 0) as readings,
        coalesce(
            sum(daily.valid_readings) filter (where daily.quantity = expected_days.main_quantity), 0
        ) as valid_readings,
        coalesce(
            sum(daily.suspect_readings) filter (where daily.quantity = expected_days.main_quantity), 0
        ) as suspect_readings,
        max(daily.loaded_at) as loaded_at
    from expected_days
    left join daily
        on
            expected_days.feed = daily.feed
            and expected_days.sensor_id = daily.sensor_id
            and expected_days.local_date = daily.local_date
    group by
        expected_days.feed,
        expected_days.sensor_id,
        expected_days.municipality_code,
        expected_days.local_date,
        expected_days.expected_readings
),

-- The lowest depth since the observation of the day before: snow that settled first does not hide what fell on it.
risen as (
    select
        *,
        snow_depth_at_06_utc_cm - least(
            lag(depth_low_from_06_utc_cm) over by_day,
            coalesce(depth_low_before_06_utc_cm, lag(depth_low_from_06_utc_cm) over by_day)
        ) as rise_cm,
        lag(depth_low_from_06_utc_cm) over by_day is not null as is_observed_before
    from measured
    window by_day as (partition by feed, sensor_id order by local_date)
),

final as (
    select
        feed,
        sensor_id,
        municipality_code,
        local_date,
        snow_depth_low_cm,
        snow_depth_mean_cm,
        snow_depth_high_cm,
        snow_depth_at_06_utc_cm,
        case
            when rise_cm is null or not is_observed_before then null
            when rise_cm < {{ var('new_snow_least_cm') }} then 0
            else rise_cm
        end::double as new_snow_cm,
        air_temperature_low_degc,
        air_temperature_mean_degc,
        air_temperature_high_degc,
        relative_humidity_low_pct,
        relative_humidity_mean_pct,
        relative_humidity_high_pct,
        snow_depth_at_06_utc_cm >= 1 as is_snow_cover_day,
        air_temperature_low_degc < 0 and air_temperature_high_degc > 0 as is_zero_crossing_day,
        ({{ degree_days('air_temperature_mean_degc') }})::double as degree_days,
        readings::bigint as readings,
        valid_readings::bigint as valid_readings,
        suspect_readings::bigint as suspect_readings,
        expected_readings,
        least(100.0, 100.0 * valid_readings / expected_readings)::double as availability_pct,
        loaded_at
    from {{ pending_rows('risen', 'date', 'local_date') }}
)

select * from final
order by sensor_id, local_date
