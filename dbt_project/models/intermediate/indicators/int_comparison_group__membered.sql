-- Whom a municipality is compared with. A county is its municipalities' first two digits, the country all of them;
-- members of the other groups are Kolada's. Höglandet is the five of the registry where Kolada is not read.
with comparison_groups as (
    select * from {{ ref('comparison_groups') }}
),

listed_members as (
    select * from {{ ref('stg_indicators__group_member') }}
),

hoglandet as (
    select * from {{ ref('municipalities') }}
),

municipalities as (
    select distinct area_id as municipality_code
    from {{ ref('int_kpi_value__climate') }}
    where area_type = 'municipality'
    union
    select distinct area_id as municipality_code
    from {{ ref('int_kpi_value__digitalisation') }}
    where area_type = 'municipality'
),

final as (
    select
        comparison_groups.municipality_code,
        comparison_groups.group_kind,
        comparison_groups.group_id,
        comparison_groups.group_name,
        comparison_groups.members_total,
        municipalities.municipality_code as member_code
    from comparison_groups
    inner join municipalities
        on
            comparison_groups.group_kind = 'country'
            or (
                comparison_groups.group_kind = 'county'
                and left(comparison_groups.municipality_code, 2) = left(municipalities.municipality_code, 2)
            )
    union all
    select
        comparison_groups.municipality_code,
        comparison_groups.group_kind,
        comparison_groups.group_id,
        listed_members.group_name,
        listed_members.members_total,
        listed_members.member_code
    from comparison_groups
    inner join listed_members on comparison_groups.group_id = listed_members.group_id
    union all
    select
        comparison_groups.municipality_code,
        comparison_groups.group_kind,
        comparison_groups.group_id,
        comparison_groups.group_name,
        comparison_groups.members_total,
        hoglandet.municipality_code as member_code
    from comparison_groups
    cross join hoglandet
    left join listed_members on comparison_groups.group_id = listed_members.group_id
    where comparison_groups.group_kind = 'hoglandet' and listed_members.group_id is null
)

select * from final
