-- An indicator with persons' answers behind a value of it, through whatever models, is marked in the register: its rows
-- have no timeline (docs/suppression.md).
with lineage as (
    select distinct
        kpi_id,
        dbt_models
    from {{ ref('kpi_lineage') }}
),

kpis as (
    select * from {{ ref('dim_kpi') }}
),

final as (
    select distinct lineage.kpi_id
    from lineage
    left join kpis on lineage.kpi_id = kpis.kpi_id
    where
        kpis.is_from_survey is not true
        and (
            false
            {% for source in graph.sources.values() if source.config.meta.is_personal %}
            or contains(lineage.dbt_models, 'warehouse.{{ source.schema }}.{{ source.identifier }}')
            {% endfor %}
        )
)

select * from final
