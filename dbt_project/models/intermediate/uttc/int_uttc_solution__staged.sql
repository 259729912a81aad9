-- What each snapshot says of each solution known by then, and from it only the changes. A page that was listed but not
-- read says nothing new; an absent one says "withdrawn", unless the snapshot holds a page of unknown address.
with sightings as (
    select * from {{ ref('stg_uttc__sighting') }}
),

snapshots as (
    select
        snapshot_at,
        bool_and(url is not null) as is_complete,
        max(ingested_at) as loaded_at,
        snapshot_at = min(snapshot_at) over () as is_first
    from sightings
    group by snapshot_at
),

solutions as (
    select
        url,
        min(snapshot_at) as first_seen_at
    from sightings
    where stage is not null
    group by url
),

observed as (
    select
        solutions.url,
        snapshots.snapshot_at,
        snapshots.is_first,
        snapshots.loaded_at,
        if(sightings.url is null and snapshots.is_complete, 'withdrawn', sightings.stage) as observed_state
    from solutions
    inner join snapshots on solutions.first_seen_at <= snapshots.snapshot_at
    left join sightings
        on
            solutions.url = sightings.url
            and snapshots.snapshot_at = sightings.snapshot_at
),

carried as (
    select
        *,
        last_value(observed_state ignore nulls) over (
            partition by url
            order by snapshot_at
            rows between unbounded preceding and current row
        ) as state
    from observed
),

changed as (
    select
        *,
        lag(state) over (partition by url order by snapshot_at) as state_before
    from carried
    qualify state is distinct from state_before
),

final as (
    select
        url,
        row_number() over by_time as event_number,
        case
            when state_before is null then if(is_first, 'first_snapshot', 'appeared')
            when state = 'withdrawn' then 'withdrawn'
            when state_before = 'withdrawn' then 'returned'
            else 'stage_changed'
        end as event,
        nullif(state, 'withdrawn') as stage,
        nullif(state_before, 'withdrawn') as stage_before,
        snapshot_at as valid_from,
        lead(snapshot_at) over by_time as valid_to,
        loaded_at
    from changed
    window by_time as (
        partition by url
        order by snapshot_at
    )
)

select * from final
