with days as (
    select * from {{ ref('int_sensor_day__recent') }}
),

daily as (
    select daily.*
    from {{ ref('int_sensor_reading__daily') }} as daily
    inner join days
        on
            daily.feed = days.feed
            and daily.sensor_id = days.sensor_id
            and daily.local_date = days.local_date
),

neighbours as (
    select * from {{ ref('int_sensor__neighbour') }}
),

limits as (
    select * from {{ ref('int_sensor_health__limit') }}
),

own as (
    select
        daily.feed,
        daily.sensor_id,
        daily.quantity,
        daily.local_date,
        daily.value_mean,
        limits.neighbour_difference,
        limits.smhi_difference
    from daily
    inner join limits
        on
            daily.feed = limits.feed
            and daily.sensor_id = limits.sensor_id
            and daily.quantity = limits.quantity
    where
        daily.value_mean is not null
        and (limits.neighbour_difference is not null or limits.smhi_difference is not null)
),

compared as (
    select
        own.feed,
        own.sensor_id,
        own.quantity,
        own.local_date,
        neighbours.relation,
        count(*) as others,
        -- The nearest station that measured the quantity that day stands for SMHI.
        own.value_mean - if(
            neighbours.relation = 'smhi', arg_min(daily.value_mean, neighbours.nearness), median(daily.value_mean)
        ) as difference,
        if(neighbours.relation = 'smhi', own.smhi_difference, own.neighbour_difference) as limit_value
    from own
    inner join neighbours on own.sensor_id = neighbours.sensor_id
    inner join daily
        on
            neighbours.other_id = daily.sensor_id
            and own.quantity = daily.quantity
            and own.local_date = daily.local_date
    where daily.value_mean is not null
    group by
        own.feed,
        own.sensor_id,
        own.quantity,
        own.local_date,
        own.value_mean,
        own.neighbour_difference,
        own.smhi_difference,
        neighbours.relation
),

final as (
    select
        feed,
        sensor_id,
        quantity,
        local_date,
        relation,
        others,
        difference,
        abs(difference) > limit_value as is_different
    from compared
    -- Of two sensors that differ, one neighbour alone cannot tell which is wrong.
    where limit_value is not null and (relation = 'smhi' or others >= 2)
)

select * from final
