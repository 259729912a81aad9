-- 4 MWh with a quarter hot water in a year of 1104 degree days against 967 normal ones: 3.63 MWh, whether the factor is
-- exact or rounded to 1.14.
with example as (
    select
        {{ normal_year_heat('4.0', '1.0', '(1104 / 967)') }} as exact_mwh,
        {{ normal_year_heat('4.0', '1.0', 'round(1104 / 967, 2)') }} as rounded_mwh
),

final as (
    select * from example
    where
        abs(exact_mwh - 3.627717391304348) > 1e-12
        or abs(rounded_mwh - 3.6315789473684212) > 1e-12
        or round(exact_mwh, 2) != 3.63
        or round(rounded_mwh, 2) != 3.63
)

select * from final
