-- Emissions against regional product in fixed prices, from 2015 to each later year, in every vintage of the emissions
-- and by every deflator: that of the county's gross regional product (grp), as Statistics Sweden publishes none for
-- municipalities, and consumer prices (cpi). OECD: 1 - (E/D) / (E/D of 2015). Tapio: the elasticity of emissions, in
-- eight states; without one while the product changed by less than 0.5 %.
{% set base_year = 2015 %}

with emissions as (
    select * from {{ ref('int_emission__published') }}
    where substance = 'GGT' and sector = 'total' and value_status = 'observed' and year >= {{ base_year }}
),

measured as (
    select * from {{ ref('int_indicator__measured') }}
    where is_latest and value_status = 'observed'
),

price_levels as (
    select * from {{ ref('int_price_level__indexed') }}
),

deflators as (
    select distinct deflator from price_levels
),

products as (
    select
        product.area_id,
        product.year,
        price_levels.deflator,
        -- The unit cancels out; what matters is one price level.
        product.value * population.value / price_levels.price_level as real_product
    from measured as product
    inner join measured as population
        on
            product.area_id = population.area_id
            and product.year = population.year
            and population.measure = 'population'
    inner join price_levels
        on
            product.year = price_levels.year
            and (
                price_levels.county_code is null
                or price_levels.county_code
                = if(starts_with(product.area_id, '00'), right(product.area_id, 2), left(product.area_id, 2))
            )
    where product.measure = 'grp_per_inhabitant'
),

yearly as (
    select
        emissions.*,
        deflators.deflator,
        products.real_product
    from emissions
    cross join deflators
    left join products
        on
            emissions.area_id = products.area_id
            and emissions.year = products.year
            and deflators.deflator = products.deflator
),

changes as (
    select
        later.area_type,
        later.area_id,
        later.vintage,
        later.deflator,
        {{ base_year }} as first_year,
        later.year as last_year,
        later.emissions_t,
        later.emissions_t / nullif(base.emissions_t, 0) - 1 as emission_change,
        later.real_product / nullif(base.real_product, 0) - 1 as product_change,
        later.valid_from_date,
        later.valid_to_date,
        later.loaded_at
    from yearly as later
    inner join yearly as base
        on
            later.area_id = base.area_id
            and later.vintage = base.vintage
            and later.deflator = base.deflator
            and base.year = {{ base_year }}
    where later.year > {{ base_year }}
),

judged as (
    select
        *,
        1 - (1 + emission_change) / nullif(1 + product_change, 0) as oecd_factor,
        -- Rounded, or the last bits of a quotient decide on which side of a border it is.
        round(if(abs(product_change) < 0.005, null, emission_change / product_change), 9) as tapio_elasticity
    from changes
),

final as (
    select
        area_type,
        area_id,
        vintage,
        deflator,
        first_year,
        last_year,
        emissions_t,
        emission_change,
        product_change,
        oecd_factor,
        case
            when oecd_factor is null then null
            when oecd_factor <= 0 then 'none'
            when emission_change < 0 then 'absolute'
            else 'relative'
        end as oecd_state,
        tapio_elasticity,
        case
            when tapio_elasticity is null then null
            when product_change > 0 and emission_change < 0 then 'strong_decoupling'
            when product_change > 0 and tapio_elasticity < 0.8 then 'weak_decoupling'
            when product_change > 0 and tapio_elasticity <= 1.2 then 'expansive_coupling'
            when product_change > 0 then 'expansive_negative_decoupling'
            when emission_change > 0 then 'strong_negative_decoupling'
            when tapio_elasticity < 0.8 then 'weak_negative_decoupling'
            when tapio_elasticity <= 1.2 then 'recessive_coupling'
            else 'recessive_decoupling'
        end as tapio_state,
        valid_from_date,
        valid_to_date,
        loaded_at
    from judged
)

select * from final
