with groups as (
    select * from {{ source('raw', 'area_group') }}
),

final as (
    select
        group_id,
        title as group_name,
        len(members)::integer as members_total,
        unnest(members) as member_code,
        ingested_at
    from groups
)

select * from final
