with indicator_values as (
    select * from {{ source('raw', 'indicator_value') }}
),

final as (
    select
        source,
        series_id,
        area_id,
        case
            when area_id = '0000' then 'country'
            when starts_with(area_id, '00') then 'region'
            when regexp_full_match(area_id, '[0-9]{4}') then 'municipality'
            else 'group'
        end as area_type,
        period::integer as year,
        breakdown,
        value,
        value_status,
        unit,
        vintage,
        -- A vintage may be a month without a day of release.
        coalesce(
            {{ local_day('released_at::timestamptz') }},
            try_strptime(vintage, ['%Y-%m-%d', '%Y-%m'])::date,
            {{ local_day('received_at::timestamptz') }}
        ) as released_date,
        ingested_at,
        load_id,
        landing_id
    from indicator_values
)

select * from final
