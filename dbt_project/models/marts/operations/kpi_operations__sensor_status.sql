with days as (
    select * from {{ ref('int_sensor_day__assessed') }}
),

sensors as (
    select distinct
        feed,
        sensor_id,
        site,
        municipality_code,
        sensor_kind,
        coalesce(active_to <= (select max(days.last_date) from days), false) as is_taken_down
    from {{ ref('dim_sensor') }}
),

lasting as (
    select * from {{ ref('int_sensor_reason__lasting') }}
    where is_current
),

reasons as (
    select
        *,
        row_number() over (order by severity = 'fault' desc, reason) as priority
    from {{ ref('sensor_health_reasons') }}
),

last_days as (
    select * from days
    where local_date = last_date
),

weeks as (
    select
        feed,
        sensor_id,
        avg(availability_pct) as availability_7_days_pct
    from days
    where local_date > last_date - 7
    group by feed, sensor_id
),

explained as (
    select
        lasting.feed,
        lasting.sensor_id,
        bool_or(reasons.severity = 'fault') as is_faulty,
        string_agg(reasons.reason, ', ' order by reasons.priority) as reasons,
        string_agg(
            concat(reasons.name_sv, ' sedan ', lasting.since_date), '; '
            order by reasons.priority
        ) as reasons_sv,
        min(lasting.since_date) as since_date
    from lasting
    inner join reasons on lasting.reason = reasons.reason
    group by lasting.feed, lasting.sensor_id
),

final as (
    select
        sensors.feed,
        sensors.sensor_id,
        sensors.site,
        sensors.municipality_code,
        sensors.sensor_kind,
        last_days.local_date as status_date,
        case
            when sensors.is_taken_down then 'taken_down'
            when last_days.sensor_id is null then 'never_read'
            when explained.is_faulty then 'fault'
            when explained.sensor_id is not null then 'attention'
            else 'ok'
        end as status,
        explained.reasons,
        explained.reasons_sv,
        explained.since_date,
        last_days.last_observed_at,
        last_days.hours_since_reading::double as hours_since_reading,
        weeks.availability_7_days_pct,
        last_days.battery_level_pct::double as battery_level_pct,
        last_days.battery_voltage_v::double as battery_voltage_v,
        last_days.signal_rssi_dbm::double as signal_rssi_dbm,
        last_days.signal_snr_db::double as signal_snr_db
    from sensors
    left join last_days on sensors.feed = last_days.feed and sensors.sensor_id = last_days.sensor_id
    left join weeks on sensors.feed = weeks.feed and sensors.sensor_id = weeks.sensor_id
    left join explained
        on
            sensors.feed = explained.feed
            and sensors.sensor_id = explained.sensor_id
            and not sensors.is_taken_down
)

select * from final
order by sensor_id
