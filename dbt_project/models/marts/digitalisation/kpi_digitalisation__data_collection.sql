with items as (
    select * from {{ ref('programme_data_collection') }}
),

parts as (
    select
        part_of as item_id,
        sum(quantity) as parts_total
    from items
    where part_of is not null
    group by part_of
),

final as (
    select
        items.item_id,
        items.name_sv,
        items.name_en,
        items.quantity,
        items.qualifier,
        items.part_of,
        parts.parts_total::bigint as parts_total,
        (items.quantity - parts.parts_total)::bigint as not_in_parts,
        items.source
    from items
    left join parts on items.item_id = parts.item_id
)

select * from final
order by item_id
