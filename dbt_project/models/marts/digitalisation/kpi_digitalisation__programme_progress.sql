-- Plan and follow-up are counted apart: a week whose plan is still awaited has no number of planned activities, and a
-- programme of which nothing was reported has no number of sessions.
with plan as (
    select * from {{ ref('change_path_plan') }}
),

sessions as (
    select * from {{ ref('change_path_sessions') }}
),

planned as (
    select
        week,
        nullif(count(activity), 0) as planned_activities,
        bool_and(status = 'stated') as is_plan_stated
    from plan
    group by week
),

delivered as (
    select
        week,
        sum(sessions) as delivered_sessions,
        sum(participants) as participants,
        count(distinct activity) as delivered_activities
    from sessions
    group by week
),

reported as (
    select count(*) > 0 as is_anything_reported from sessions
),

followed as (
    select
        planned.*,
        reported.is_anything_reported,
        if(reported.is_anything_reported, coalesce(delivered.delivered_activities, 0), null) as delivered_activities,
        if(reported.is_anything_reported, coalesce(delivered.delivered_sessions, 0), null) as delivered_sessions,
        if(reported.is_anything_reported, coalesce(delivered.participants, 0), null) as participants
    from planned
    left join delivered on planned.week = delivered.week
    cross join reported
),

final as (
    select
        week,
        planned_activities,
        delivered_activities,
        delivered_sessions::bigint as delivered_sessions,
        participants::bigint as participants,
        delivered_activities / planned_activities as progress_share,
        if(is_plan_stated and is_anything_reported, 'observed', 'missing') as value_status,
        case
            when not is_plan_stated then 'the plan of the week has not been delivered'
            when not is_anything_reported then 'no session has been reported'
        end as missing_reason
    from followed
)

select * from final
order by week
