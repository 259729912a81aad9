{{ readings_differ('int_sensor_reading__daily') }}
