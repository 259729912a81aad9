{{ config(materialized='table') }}

-- New snow is counted from the day before. A sensor that comes, goes or began earlier changes the days from there on.
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

first_dates as (
    select distinct
        feed,
        first_date
    from sensors
),

-- Whose readings a day expects: of the sensors that had begun.
begun as (
    select
        first_dates.feed,
        first_dates.first_date,
        md5(string_agg(
            concat_ws(
                '|',
                sensors.sensor_id,
                sensors.municipality_code,
                sensors.main_quantity,
                sensors.expected_interval_minutes,
                sensors.first_date
            ),
            ';' order by sensors.sensor_id
        )) as sensors
    from first_dates
    inner join sensors
        on
            first_dates.feed = sensors.feed
            and first_dates.first_date >= sensors.first_date
    group by first_dates.feed, first_dates.first_date
),

periods as (
    select
        *,
        lead(first_date, 1, date '9999-12-31') over (partition by feed order by first_date) as next_first_date
    from begun
),

versions as (
    select
        expected_days.feed,
        expected_days.local_date,
        coalesce(daily_days.version, '') as version
    from expected_days
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
        compared.feed,
        compared.local_date,
        md5(concat_ws(
            '#', compared.version, compared.version_before, periods.sensors, {{ var('new_snow_least_cm') }}
        )) as version
    from compared
    inner join periods
        on
            compared.feed = periods.feed
            and compared.local_date >= periods.first_date
            and compared.local_date < periods.next_first_date
)

select * from final
order by feed, local_date
