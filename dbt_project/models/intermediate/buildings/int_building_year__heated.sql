with days as (
    select
        *,
        -- A day counts with both its heat and its temperature, so that one never stands without the other. The heat of
        -- a few hours, which have no mean power, is not that of their day.
        mean_power_kw is not null and degree_days is not null as is_counted
    from {{ ref('int_building_day__heated') }}
),

final as (
    select
        building_id,
        year(local_date)::integer as year,
        sum(heat_kwh) filter (where is_counted) as heat_kwh,
        sum(degree_days) filter (where is_counted) as degree_days,
        count_if(is_counted) as observed_days,
        dayofyear(make_date(year(local_date), 12, 31)) as days_of_year,
        max(loaded_at) as loaded_at
    from days
    group by building_id, year(local_date)
)

select * from final
