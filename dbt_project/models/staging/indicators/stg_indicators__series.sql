with series as (
    select * from {{ source('raw', 'indicator_series') }}
),

final as (
    select
        source,
        series_id,
        title,
        unit,
        description,
        is_withdrawn,
        ingested_at
    from series
)

select * from final
