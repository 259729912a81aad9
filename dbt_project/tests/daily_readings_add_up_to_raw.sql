{{ readings_differ(ref('int_sensor_reading__daily')) }}
