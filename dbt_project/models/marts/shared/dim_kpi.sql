with definitions as (
    select * from {{ ref('kpi_definitions') }}
),

final as (
    select
        kpi_id,
        name_sv,
        name_en,
        definition,
        unit,
        grain,
        source,
        direction,
        domain,
        owner,
        method_version,
        refresh_interval,
        target,
        target_reason,
        value_status,
        value_status = 'published' as is_published
    from definitions
)

select * from final
order by domain, kpi_id
