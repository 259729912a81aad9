{{ config(materialized='table') }}

-- New snow is counted from the day before. A sensor that comes or goes changes the days of which it is one, and the day
-- after each.
with sensors as (
    select * from {{ ref('int_sensor__started') }}
),

expected_days as (
    select distinct
        feed,
        local_date
    from {{ ref('int_sensor_day__expected') }}
),

daily_days as (
    select
        feed,
        local_date,
        version
    from {{ ref('int_sensor_day__built') }}
    where model = 'int_sensor_reading__daily'
),

changes as (
    select
        feed,
        first_date as changed_date
    from sensors
    union
    select
        feed,
        active_to + 1 as changed_date
    from sensors
    where active_to is not null
),

-- Whose readings a day expects: of the sensors that had begun and were not taken down.
active as (
    select
        changes.feed,
        changes.changed_date,
        md5(string_agg(
            concat_ws(
                '|',
                sensors.sensor_id,
                sensors.municipality_code,
                sensors.main_quantity,
                sensors.expected_interval_minutes
            ),
            ';' order by sensors.sensor_id
        )) as sensors
    from changes
    inner join sensors
        on
            changes.feed = sensors.feed
            and changes.changed_date >= sensors.first_date
            and coalesce(changes.changed_date <= sensors.active_to, true)
    group by changes.feed, changes.changed_date
),

periods as (
    select
        *,
        lead(changed_date, 1, date '9999-12-31') over (partition by feed order by changed_date) as next_changed_date
    from active
),

versions as (
    select
        expected_days.feed,
        expected_days.local_date,
        concat_ws('#', daily_days.version, periods.sensors) as version
    from expected_days
    inner join periods
        on
            expected_days.feed = periods.feed
            and expected_days.local_date >= periods.changed_date
            and expected_days.local_date < periods.next_changed_date
    left join daily_days
        on
            expected_days.feed = daily_days.feed
            and expected_days.local_date = daily_days.local_date
),

compared as (
    select
        *,
        coalesce(lag(version) over (partition by feed order by local_date), '') as version_before
    from versions
),

final as (
    select
        feed,
        local_date,
        md5(concat_ws('#', version, version_before, {{ var('new_snow_least_cm') }})) as version
    from compared
)

select * from final
order by feed, local_date
