-- A page that was listed and could not be read is in quarantine: seen, though nothing is known of it. Its address is
-- missing where not even that could be read.
with read_pages as (
    select * from {{ source('raw', 'uttc_solution') }}
),

refused_pages as (
    select * from {{ source('quarantine', 'uttc_solution_refused') }}
),

snapshots as (
    select distinct
        landing_id,
        snapshot_at
    from read_pages
),

final as (
    select
        url,
        snapshot_at,
        stage,
        ingested_at
    from read_pages
    union all
    select distinct
        refused_pages.url,
        snapshots.snapshot_at,
        null as stage,
        refused_pages.quarantined_at as ingested_at
    from refused_pages
    inner join snapshots on refused_pages.landing_id = snapshots.landing_id
)

select * from final
