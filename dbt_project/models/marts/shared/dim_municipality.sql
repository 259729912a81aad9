with municipalities as (
    select * from {{ ref('municipalities') }}
),

final as (
    select
        municipality_code,
        municipality_name
    from municipalities
)

select * from final
order by municipality_code
