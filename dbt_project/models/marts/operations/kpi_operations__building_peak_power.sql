with days as (
    select * from {{ ref('int_building_day__heated') }}
    where mean_power_kw is not null and month(local_date) not between 5 and 9
),

buildings as (
    select * from {{ ref('buildings') }}
),

winters as (
    select
        *,
        year(local_date - interval '9 months')::integer as winter_year
    from days
),

peaks as (
    select
        building_id,
        concat(winter_year, '/', winter_year + 1) as winter,
        winter_year,
        list_avg(max(mean_power_kw, 2)) as peak_power_kw,
        count(*) as observed_days,
        max(loaded_at) as loaded_at
    from winters
    group by building_id, winter_year
    -- The mean of the two highest needs two.
    having count(*) >= 2
),

final as (
    select
        peaks.building_id,
        buildings.municipality_code,
        peaks.winter,
        make_date(peaks.winter_year, 10, 1) as winter_start_date,
        make_date(peaks.winter_year + 1, 4, 30) as winter_end_date,
        peaks.peak_power_kw::double as peak_power_kw,
        buildings.peak_reference_winter as reference_winter,
        reference_peaks.peak_power_kw::double as reference_peak_power_kw,
        if(
            peaks.winter > buildings.peak_reference_winter,
            100 * (1 - peaks.peak_power_kw / reference_peaks.peak_power_kw),
            null
        )::double as peak_power_reduction_pct,
        peaks.observed_days::bigint as observed_days,
        peaks.loaded_at
    from peaks
    inner join buildings on peaks.building_id = buildings.building_id
    left join peaks as reference_peaks
        on
            peaks.building_id = reference_peaks.building_id
            and buildings.peak_reference_winter = reference_peaks.winter
)

select * from final
order by building_id, winter
