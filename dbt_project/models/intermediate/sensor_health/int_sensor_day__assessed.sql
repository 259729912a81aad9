{{ config(materialized='table') }}

with days as (
    select * from {{ ref('int_sensor_day__recent') }}
),

refused_readings as (
    select * from {{ ref('stg_sensor_feeds__refused_reading') }}
),

gaps as (
    select * from {{ ref('int_sensor_gap__found') }}
),

flatlines as (
    select * from {{ ref('int_sensor_flatline__joined') }}
),

steps as (
    select * from {{ ref('int_sensor_step__found') }}
),

compared as (
    select * from {{ ref('int_sensor_day__compared') }}
),

daily as (
    select * from {{ ref('int_sensor_reading__daily') }}
),

limits as (
    select * from {{ ref('int_sensor_health__limit') }}
),

refused as (
    select
        feed,
        sensor_id,
        local_date,
        -- A source that delivers a reading again has it refused again. What has no time is told apart by nothing.
        count(distinct concat_ws('|', quantity, observed_at)) filter (where observed_at is not null)
        + count_if(observed_at is null) as refused_readings,
        -- The range rules of the suite are named by what a value is within.
        count(distinct concat_ws('|', quantity, observed_at)) filter (
            where regexp_matches(check_name, '_is_.*within_')
        ) as out_of_range_readings
    from refused_readings
    group by feed, sensor_id, local_date
),

silent as (
    select
        days.feed,
        days.sensor_id,
        days.local_date,
        count(*) as gaps,
        -- By microseconds: a gap that ends within the first second of a day has hours, if few.
        sum(
            date_diff('microsecond', greatest(gaps.gap_from, days.day_from), least(gaps.counted_to, days.day_to))
        ) / 3_600_000_000.0 as gap_hours
    from days
    inner join gaps
        on
            days.feed = gaps.feed
            and days.sensor_id = gaps.sensor_id
            and days.day_from < gaps.counted_to
            and days.day_to > gaps.gap_from
    group by days.feed, days.sensor_id, days.local_date
),

stuck as (
    select
        days.feed,
        days.sensor_id,
        days.local_date,
        string_agg(distinct flatlines.quantity, ', ' order by flatlines.quantity) as flatline_quantities,
        max(flatlines.hours) as flatline_hours
    from days
    inner join flatlines
        on
            days.feed = flatlines.feed
            and days.sensor_id = flatlines.sensor_id
            and days.day_from < flatlines.flat_to
            and days.day_to > flatlines.flat_from
    group by days.feed, days.sensor_id, days.local_date
),

stepped as (
    select
        feed,
        sensor_id,
        local_date,
        count(*) as steps
    from steps
    group by feed, sensor_id, local_date
),

differing as (
    select
        feed,
        sensor_id,
        local_date,
        {% for relation in ['neighbour', 'smhi'] %}
        {% for quantity, unit in [('snow_depth', 'cm'), ('air_temperature', 'degc')] %}
        max(difference) filter (
            where relation = '{{ relation }}' and quantity = '{{ quantity }}'
        ) as {{ quantity }}_{{ relation }}_difference_{{ unit }},
        {% endfor %}
        bool_or(is_different) filter (where relation = '{{ relation }}') as differs_from_{{ relation }},
        {% endfor %}
        count(*) as comparisons
    from compared
    group by feed, sensor_id, local_date
),

batteries as (
    select
        daily.feed,
        daily.sensor_id,
        daily.local_date,
        max(daily.value_low) filter (where daily.quantity = 'battery_level') as battery_level_pct,
        max(daily.value_low) filter (where daily.quantity = 'battery_voltage') as battery_voltage_v,
        bool_or(daily.value_low < limits.battery_least) as is_battery_low
    from daily
    inner join limits
        on
            daily.feed = limits.feed
            and daily.sensor_id = limits.sensor_id
            and daily.quantity = limits.quantity
    where limits.battery_least is not null
    group by daily.feed, daily.sensor_id, daily.local_date
),

-- Signals go up and down from uplink to uplink: the mean of the day counts.
signals as (
    select
        daily.feed,
        daily.sensor_id,
        daily.local_date,
        max(daily.value_mean) filter (where daily.quantity = 'signal_rssi') as signal_rssi_dbm,
        max(daily.value_mean) filter (where daily.quantity = 'signal_snr') as signal_snr_db,
        bool_or(daily.value_mean < limits.signal_least) as is_signal_weak
    from daily
    left join limits
        on
            daily.feed = limits.feed
            and daily.sensor_id = limits.sensor_id
            and daily.quantity = limits.quantity
    where daily.quantity in ('signal_rssi', 'signal_snr')
    group by daily.feed, daily.sensor_id, daily.local_date
),

assessed as (
    select
        days.*,
        greatest(0, days.readings - days.valid_readings - days.suspect_readings) as impossible_readings,
        coalesce(refused.refused_readings, 0) as refused_readings,
        coalesce(refused.out_of_range_readings, 0) as out_of_range_readings,
        coalesce(silent.gaps, 0) as gaps,
        coalesce(silent.gap_hours, 0) as gap_hours,
        stuck.flatline_quantities,
        stuck.flatline_hours,
        coalesce(stepped.steps, 0) as steps,
        differing.snow_depth_neighbour_difference_cm,
        differing.snow_depth_smhi_difference_cm,
        differing.air_temperature_neighbour_difference_degc,
        differing.air_temperature_smhi_difference_degc,
        coalesce(differing.differs_from_neighbour, false) as differs_from_neighbours,
        coalesce(differing.differs_from_smhi, false) as differs_from_smhi,
        batteries.battery_level_pct,
        batteries.battery_voltage_v,
        coalesce(batteries.is_battery_low, false) as is_battery_low,
        signals.signal_rssi_dbm,
        signals.signal_snr_db,
        coalesce(signals.is_signal_weak, false) as is_signal_weak,
        coalesce(60 * days.hours_since_reading > days.silence_minutes, true) as is_stale
    from days
    {% for other in ['refused', 'silent', 'stuck', 'stepped', 'differing', 'batteries', 'signals'] %}
    left join {{ other }}
        on
            days.feed = {{ other }}.feed
            and days.sensor_id = {{ other }}.sensor_id
            and days.local_date = {{ other }}.local_date
    {% endfor %}
),

final as (
    select
        *,
        list_filter([
            if(is_stale, 'stale', null),
            if(100 * suspect_readings > suspect_most_pct * expected_readings, 'suspect', null),
            if(flatline_quantities is not null, 'flatline', null),
            if(availability_pct < availability_least_pct, 'low_availability', null),
            if(
                100 * (refused_readings + impossible_readings) > refused_most_pct * expected_readings, 'refused', null
            ),
            if(steps > 0, 'step', null),
            if(differs_from_neighbours, 'neighbours', null),
            if(differs_from_smhi, 'smhi', null),
            if(is_battery_low, 'battery', null),
            if(is_signal_weak, 'signal', null)
        ], lambda reason: reason is not null) as reasons
    from assessed
)

-- The columns of the loops above are beyond the linter.
select * from final  -- noqa: AM04
order by feed, local_date, sensor_id
