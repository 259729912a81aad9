with days as (
    select * from {{ ref('int_building_day__heated') }}
),

final as (
    select
        building_id,
        year(local_date)::integer as year,
        -- A day counts with both its heat and its temperature, so that one never stands without the other.
        sum(heat_kwh) filter (where degree_days is not null) as heat_kwh,
        sum(degree_days) as degree_days,
        count(degree_days) as observed_days,
        dayofyear(make_date(year(local_date), 12, 31)) as days_of_year,
        max(loaded_at) as loaded_at
    from days
    group by building_id, year(local_date)
)

select * from final
