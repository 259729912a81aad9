-- Where nothing was delivered the count is missing, not zero.
with municipalities as (
    select * from {{ ref('municipalities') }}
),

adoptions as (
    select * from {{ ref('local_adoptions') }}
),

statuses as (
    select unnest(['idea', 'pilot', 'in_use', 'ended']) as status
),

current_adoptions as (
    select * from adoptions
    qualify row_number() over (partition by municipality_code, solution_slug order by from_date desc) = 1
),

deliveries as (
    select
        municipality_code,
        max(from_date) as last_change_date
    from adoptions
    group by municipality_code
),

counted as (
    select
        municipality_code,
        status,
        count(*) as n_solutions
    from current_adoptions
    group by municipality_code, status
),

final as (
    select
        municipalities.municipality_code,
        municipalities.municipality_name,
        statuses.status,
        if(deliveries.municipality_code is null, null, coalesce(counted.n_solutions, 0)) as n_solutions,
        if(deliveries.municipality_code is null, 'missing', 'observed') as value_status,
        if(
            deliveries.municipality_code is null,
            'the municipality has not delivered its register of solutions in use',
            null
        ) as missing_reason,
        deliveries.last_change_date
    from municipalities
    cross join statuses
    left join deliveries on municipalities.municipality_code = deliveries.municipality_code
    left join counted
        on
            municipalities.municipality_code = counted.municipality_code
            and statuses.status = counted.status
)

select * from final
order by municipality_code, status
