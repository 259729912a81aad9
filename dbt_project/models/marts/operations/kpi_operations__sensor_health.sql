with days as (
    select * from {{ ref('int_sensor_day__assessed') }}
),

final as (
    select
        feed,
        sensor_id,
        municipality_code,
        local_date,
        expected_interval_minutes::integer as expected_interval_minutes,
        expected_readings::bigint as expected_readings,
        readings::bigint as readings,
        valid_readings::bigint as valid_readings,
        suspect_readings::bigint as suspect_readings,
        impossible_readings::bigint as impossible_readings,
        refused_readings::bigint as refused_readings,
        out_of_range_readings::bigint as out_of_range_readings,
        availability_pct,
        last_observed_at,
        is_stale,
        gaps::bigint as gaps,
        gap_hours::double as gap_hours,
        flatline_quantities,
        flatline_hours::bigint as flatline_hours,
        steps::bigint as steps,
        snow_depth_neighbour_difference_cm::double as snow_depth_neighbour_difference_cm,
        snow_depth_smhi_difference_cm::double as snow_depth_smhi_difference_cm,
        air_temperature_neighbour_difference_degc::double as air_temperature_neighbour_difference_degc,
        air_temperature_smhi_difference_degc::double as air_temperature_smhi_difference_degc,
        battery_level_pct::double as battery_level_pct,
        battery_voltage_v::double as battery_voltage_v,
        signal_rssi_dbm::double as signal_rssi_dbm,
        signal_snr_db::double as signal_snr_db,
        array_to_string(reasons, ', ') as reasons
    from days
)

select * from final
order by sensor_id, local_date
