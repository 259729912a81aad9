-- What a sensor's value is worked out of, where that is not the main quantity of its sensor.
with quantity_inputs (kpi_id, quantity) as (
    values
    ('snow_cover_days', 'snow_depth'),
    ('plough_trigger_events', 'snow_depth'),
    ('zero_crossings', 'air_temperature'),
    ('frost_risk_hours', 'road_surface_temperature'),
    ('frost_risk_hours', 'dew_point'),
    ('frost_risk_hours', 'precipitation_hourly')
),

sensors as (
    select
        registered.feed,
        registered.sensor_id,
        sensor_kinds.main_quantity,
        registered.active_from,
        registered.active_to
    from {{ ref('sensors') }} as registered
    inner join {{ ref('sensor_kinds') }} as sensor_kinds on registered.sensor_kind = sensor_kinds.sensor_kind
),

buildings as (
    select * from {{ ref('buildings') }}
),

sensor_inputs as (
    select
        'sensor_availability' as kpi_id,
        sensors.*,
        sensors.main_quantity as quantity
    from sensors
    union all
    select
        quantity_inputs.kpi_id,
        sensors.*,
        quantity_inputs.quantity
    from sensors
    cross join quantity_inputs
),

-- A peak is compared with the one of a winter before, by the same meter.
building_inputs as (
    select
        kpis.kpi_id,
        buildings.building_id,
        sensors.feed,
        sensors.sensor_id,
        kpis.quantity,
        if(kpis.is_of_reference, left(buildings.peak_reference_winter, 4)::integer, null) as reference_year
    from buildings
    cross join (
        values
        ('heat_use_normalised', 'energy', false),
        ('heat_use_normalised', 'air_temperature', false),
        ('peak_power_reduction', 'energy', false),
        ('peak_power_reduction', 'energy', true)
    ) as kpis (kpi_id, quantity, is_of_reference)
    inner join sensors
        on if(kpis.quantity = 'energy', buildings.meter_id, buildings.temperature_sensor_id) = sensors.sensor_id
),

final as (
    select
        kpi_id,
        sensor_id as area_id,
        feed as source_vintage,
        feed,
        sensor_id,
        -- A laser's snow depth comes from its distance.
        unnest(if(quantity = 'snow_depth', ['snow_depth', 'distance'], [quantity])) as quantity,
        active_from,
        active_to,
        null::integer as reference_year
    from sensor_inputs
    union all
    select
        kpi_id,
        building_id as area_id,
        'meters' as source_vintage,
        feed,
        sensor_id,
        quantity,
        null as active_from,
        null as active_to,
        reference_year
    from building_inputs
)

select * from final
