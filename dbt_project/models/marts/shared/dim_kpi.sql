with definitions as (
    select * from {{ ref('kpi_definitions') }}
),

texts as (
    select * from {{ ref('kpi_texts') }}
),

kpi_values as (
    select * from {{ ref('fct_kpi_value') }}
    where value_status != 'missing'
),

counted as (
    select
        kpi_id,
        count(*) as values_count,
        max(period_end) as last_period_end
    from kpi_values
    group by kpi_id
),

final as (
    select
        definitions.kpi_id,
        definitions.name_sv,
        definitions.name_en,
        texts.explanation_sv,
        texts.explanation_en,
        definitions.definition,
        texts.definition_sv,
        definitions.unit,
        definitions.grain,
        definitions.source,
        definitions.is_from_survey,
        definitions.direction,
        definitions.domain,
        texts.display_order,
        definitions.owner,
        definitions.method_version,
        definitions.refresh_interval,
        definitions.target,
        definitions.target_reason,
        case
            when counted.kpi_id is not null then 'published'
            when definitions.value_status = 'published' then 'no value yet: the source has delivered none'
            else definitions.value_status
        end as value_status,
        case
            when counted.kpi_id is not null then null
            when definitions.value_status = 'published' then 'källan har inte levererat något värde'
            else texts.missing_reason_sv
        end as missing_reason_sv,
        counted.kpi_id is not null as is_published,
        coalesce(counted.values_count, 0) as values_count,
        counted.last_period_end
    from definitions
    left join texts on definitions.kpi_id = texts.kpi_id
    left join counted on definitions.kpi_id = counted.kpi_id
)

select * from final
order by domain, display_order
