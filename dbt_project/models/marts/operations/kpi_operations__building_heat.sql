with years as (
    select * from {{ ref('int_building_year__heated') }}
),

buildings as (
    select * from {{ ref('buildings') }}
),

corrected as (
    select
        years.*,
        buildings.municipality_code,
        buildings.a_temp_m2,
        buildings.normal_degree_days,
        years.heat_kwh * buildings.hot_water_share as hot_water_kwh,
        years.degree_days / buildings.normal_degree_days as degree_day_factor,
        years.observed_days / years.days_of_year as completeness
    from years
    inner join buildings on years.building_id = buildings.building_id
),

final as (
    select
        building_id,
        municipality_code,
        year,
        heat_kwh::double as heat_kwh,
        hot_water_kwh::double as hot_water_kwh,
        degree_days::double as degree_days,
        normal_degree_days::double as normal_degree_days,
        -- A normal year's degree days belong to a whole year: part of one cannot be corrected with them.
        if(
            completeness >= 0.95, {{ normal_year_heat('heat_kwh', 'hot_water_kwh', 'degree_day_factor') }}, null
        )::double as heat_normalised_kwh,
        (heat_normalised_kwh / a_temp_m2)::double as heat_normalised_kwh_per_m2,
        observed_days::bigint as observed_days,
        completeness::double as completeness,
        loaded_at
    from corrected
)

select * from final
order by building_id, year
