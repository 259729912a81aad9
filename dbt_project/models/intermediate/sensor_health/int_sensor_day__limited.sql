with versions as (
    select * from {{ ref('int_sensor_day__version') }}
),

limits as (
    select * from {{ ref('int_sensor_health__limit') }}
),

feed_limits as (
    select
        feed,
        -- Hashed once a feed: a day's version would hash thousands of limits again.
        md5(string_agg(
            concat_ws('|', sensor_id, quantity, is_main_quantity, silence_minutes, step), ';'
            order by sensor_id, quantity
        )) as limits
    from limits
    group by feed
),

final as (
    select
        versions.feed,
        versions.local_date,
        md5(concat_ws('#', versions.version, feed_limits.limits)) as version
    from versions
    left join feed_limits on versions.feed = feed_limits.feed
)

select * from final
