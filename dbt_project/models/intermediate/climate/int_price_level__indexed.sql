-- Prices by year and deflator, on any level: what matters is their change. grp is the implicit price index of a
-- county's gross regional product, current prices over the chained change in volume; cpi is consumer prices.
with measured as (
    select * from {{ ref('int_indicator__measured') }}
    where is_latest and value_status = 'observed'
),

consumer_prices as (
    select * from {{ ref('price_index') }}
),

county_products as (
    select
        amounts.area_id,
        amounts.year,
        amounts.value as current_prices,
        volumes.value as volume_change_pct
    from measured as amounts
    inner join measured as volumes
        on
            amounts.area_id = volumes.area_id
            and amounts.year = volumes.year
            and volumes.measure = 'county_product_volume_change_pct'
    where amounts.measure = 'county_product_current_prices'
),

chained as (
    select
        *,
        product(1 + volume_change_pct / 100) over by_year as volume,
        year - first_value(year) over by_year + 1 = row_number() over by_year as is_unbroken
    from county_products
    window by_year as (partition by area_id order by year)
),

final as (
    select
        'grp' as deflator,
        right(area_id, 2) as county_code,
        year,
        current_prices / volume as price_level
    from chained
    -- A change in volume that is missing cannot be chained over.
    where is_unbroken
    union all
    select
        'cpi' as deflator,
        null as county_code,
        year,
        price_index as price_level
    from consumer_prices
)

select * from final
