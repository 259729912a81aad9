-- What the programme consists of, and what of it is still awaited: an item without a name, a register without rows.
with items as (
    select * from {{ ref('programme_items') }}
),

registers as (
    select * from {{ ref('programme_registers') }}
),

delivered as (
    {% for register in [
        'change_path_plan', 'change_path_sessions', 'capability_assessments', 'local_adoptions', 'webinars'
    ] %}
    select
        '{{ register }}' as register,
        count(*) as n_rows
    from {{ ref(register) }}
    {% if register == 'change_path_plan' %}where status = 'stated'{% endif %}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

final as (
    select
        list_id,
        item_id,
        position,
        name_sv,
        name_en,
        null::bigint as n_rows,
        if(status = 'stated', 'observed', 'missing') as value_status,
        if(
            status = 'stated', null,
            'its name stands in no source the project was given, nor on a public page (searched 2026-11)'
        ) as missing_reason,
        awaited_from,
        source
    from items
    union all
    select
        'register' as list_id,
        registers.register as item_id,
        row_number() over (order by registers.register)::integer as position,
        registers.name_sv,
        registers.name_en,
        delivered.n_rows,
        if(delivered.n_rows > 0, 'observed', 'missing') as value_status,
        if(delivered.n_rows > 0, null, registers.missing_reason) as missing_reason,
        if(delivered.n_rows > 0, null, registers.awaited_from) as awaited_from,
        'register kept by the programme' as source
    from registers
    inner join delivered on registers.register = delivered.register
)

select * from final
order by list_id, position
