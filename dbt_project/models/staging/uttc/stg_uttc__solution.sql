with solutions as (
    select * from {{ source('raw', 'uttc_solution') }}
    qualify row_number() over (partition by url order by snapshot_at desc) = 1
),

final as (
    select
        url,
        slug,
        title,
        short_title,
        stage,
        published_date,
        summary,
        transition_area,
        transition_sector,
        transition_kind,
        owner,
        coalesce(len(effects), 0)::integer as effects_count,
        baseline_period,
        object_count,
        object_count_qualifier,
        snapshot_at,
        ingested_at
    from solutions
)

select * from final
