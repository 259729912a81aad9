-- What changed between publications, by how much and why. Two comparisons: the same period and method in two vintages
-- (data only), and the headline, which is the last period of a vintage by the method in force when it was released. The
-- part of a headline's change that is due to the method is what the new method gives on the old vintage.
with kpi_values as (
    select * from {{ ref('fct_kpi_value') }}
    where area_type = 'municipality' and value_status in ('observed', 'undefined')
),

kpis as (
    select * from {{ ref('kpi_definitions') }}
    where domain in ('climate', 'twin')
),

figures as (
    select
        kpi_values.*,
        -- A method is in force from the month in its name; one without a month always was.
        coalesce(
            replace(nullif(regexp_extract(kpi_values.method_version, '[0-9]{4}_[0-9]{2}$'), ''), '_', '-'), ''
        ) as method_month
    from kpi_values
    inner join kpis on kpi_values.kpi_id = kpis.kpi_id
),

headlines as (
    select *
    from figures
    where method_month <= source_vintage
    qualify
        row_number() over (
            partition by kpi_id, area_id, source_vintage
            order by method_month desc, period_end desc, method_version asc
        ) = 1
),

{% set comparisons = {
    'same_period': ['figures', 'kpi_id, area_id, period, method_version'],
    'headline': ['headlines', 'kpi_id, area_id'],
} %}
{% for comparison, (published, series) in comparisons.items() %}
{{ comparison }} as (
    select
        '{{ comparison }}' as comparison,
        kpi_id,
        area_id,
        lag(period) over later as period_before,
        period,
        lag(source_vintage) over later as vintage_before,
        source_vintage as vintage,
        lag(method_version) over later as method_version_before,
        method_version,
        lag(value) over later as value_before,
        value,
        valid_from_date as restated_date,
        loaded_at
    from {{ published }}
    window later as (partition by {{ series }} order by valid_from_date, source_vintage)
    qualify vintage_before is not null and value_before is distinct from value
),
{% endfor %}

-- Published once, and left out of the vintage that followed.
dropped as (
    select
        'same_period' as comparison,
        kpi_id,
        area_id,
        period as period_before,
        period,
        source_vintage as vintage_before,
        null::varchar as vintage,
        method_version as method_version_before,
        method_version,
        value as value_before,
        null::double as value,
        valid_to_date as restated_date,
        loaded_at
    from figures
    -- A dated method that ends was given up; that is not a year left out.
    where method_month = ''
    qualify
        valid_to_date is not null
        and row_number() over (
            partition by kpi_id, area_id, period, method_version
            order by valid_from_date desc, source_vintage desc
        ) = 1
),

pairs as (
    select * from same_period
    union all
    select * from headline
    union all
    select * from dropped
),

explained as (
    select
        pairs.*,
        pairs.method_version != pairs.method_version_before as is_other_method,
        new_method_on_old_vintage.value as value_by_new_method_before
    from pairs
    left join figures as new_method_on_old_vintage
        on
            pairs.method_version != pairs.method_version_before
            and pairs.kpi_id = new_method_on_old_vintage.kpi_id
            and pairs.area_id = new_method_on_old_vintage.area_id
            and pairs.period_before = new_method_on_old_vintage.period
            and pairs.vintage_before = new_method_on_old_vintage.source_vintage
            and pairs.method_version = new_method_on_old_vintage.method_version
),

final as (
    select
        comparison,
        kpi_id,
        area_id as municipality_code,
        period_before,
        period,
        vintage_before,
        vintage,
        method_version_before,
        method_version,
        value_before,
        value,
        value - value_before as change,
        100 * (value - value_before) / nullif(abs(value_before), 0) as change_pct,
        if(is_other_method, value - value_by_new_method_before, value - value_before) as change_due_to_data,
        if(is_other_method, value_by_new_method_before - value_before, 0) as change_due_to_method,
        case
            when vintage is null then 'no longer published'
            when is_other_method then 'data and method'
            else 'data'
        end as reason,
        case
            when vintage is null then concat(period, ' is left out of the vintage after ', vintage_before)
            else
                concat(
                    'vintage ', vintage,
                    if(period = period_before, ' restates ', ' ends in '), period,
                    if(period = period_before, '', concat(' instead of ', period_before)),
                    if(is_other_method, concat(', and ', method_version, ' replaced ', method_version_before), '')
                )
        end as explanation,
        restated_date,
        loaded_at
    from explained
)

select * from final
order by kpi_id, municipality_code, comparison, restated_date, period, method_version, vintage_before
