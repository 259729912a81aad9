with municipalities as (
    select * from {{ ref('municipalities') }}
),

areas as (
    select * from {{ ref('programme_items') }}
    where list_id = 'capability_area'
),

assessments as (
    select * from {{ ref('capability_assessments') }}
    qualify row_number() over (partition by municipality_code, capability_area order by assessed_date desc) = 1
),

final as (
    select
        municipalities.municipality_code,
        municipalities.municipality_name,
        areas.item_id as capability_area,
        areas.name_sv as capability_area_sv,
        areas.name_en as capability_area_en,
        assessments.assessed_date,
        assessments.level,
        assessments.highest_level,
        if(assessments.level is null, 'missing', 'observed') as value_status,
        if(assessments.level is null, 'no assessment has been delivered', null) as missing_reason
    from municipalities
    cross join areas
    left join assessments
        on
            municipalities.municipality_code = assessments.municipality_code
            and areas.item_id = assessments.capability_area
)

select * from final
order by municipality_code, capability_area
