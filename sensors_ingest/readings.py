"""The row every sensor feed becomes, and the words its columns may hold.

A decoder returns Arrow batches of ``READING_SCHEMA``. What it cannot decode it returns as one row with a
``reject_reason``, so that nothing is lost between landing and quarantine.
"""

from typing import Final

import numpy as np
import pyarrow as pa

UTC_TIMESTAMP: Final = pa.timestamp("us", tz="UTC")
# A few words in millions of rows: kept once, and a number in each row.
WORD: Final = pa.dictionary(pa.int32(), pa.string())

READING_SCHEMA: Final = pa.schema(
    [
        ("feed", WORD),
        ("sensor_id", pa.string()),
        ("quantity", WORD),
        ("observed_at", UTC_TIMESTAMP),
        ("value", pa.float64()),
        ("unit", WORD),
        ("source_value", pa.string()),
        ("source_unit", WORD),
        ("quality", WORD),
        ("source_quality", WORD),
        ("received_at", UTC_TIMESTAMP),
        ("precedence", pa.int16()),
        ("uplink_key", pa.string()),
        ("landing_id", WORD),
        ("landing_row", pa.int64()),
        ("reject_reason", pa.string()),
        ("source_row", pa.string()),
    ]
)

QUALITIES: Final = ("good", "suspect", "unverified", "bad")

# Canonical unit of each quantity; sources that use another unit are converted when decoded.
CANONICAL_UNITS: Final = {
    "distance": "mm",
    "snow_depth": "cm",
    "air_temperature": "degC",
    "relative_humidity": "percent",
    "battery_voltage": "V",
    "battery_level": "percent",
    # How the gateway that heard an uplink best received it.
    "signal_rssi": "dBm",
    "signal_snr": "dB",
    # Probes on a wire, which need not hang in the air; a device with several numbers them.
    "probe_temperature": "degC",
    "probe_temperature_2": "degC",
    "probe_temperature_3": "degC",
    # Weather: SMHI, road weather, twins. An hour's and a day's amount are different quantities.
    "air_temperature_daily_mean": "degC",
    "dew_point": "degC",
    "road_surface_temperature": "degC",
    "road_snow_depth": "mm",
    "precipitation_hourly": "mm",
    "precipitation_daily": "mm",
    "wind_speed": "m/s",
    # Meters: what passed in the hour, day or month that begins at the time of observation.
    "energy": "kWh",
    "energy_daily": "kWh",
    "energy_monthly": "kWh",
    "flow": "m3",
    "flow_daily": "m3",
    "flow_monthly": "m3",
    # Rooms
    "carbon_dioxide": "ppm",
    "sound_level": "dB(A)",
}

# What a number of a device can be at all, lowest and highest, in canonical units. A number beyond is a damaged or
# misread payload and is rejected; whether a possible number is plausible here is for the suite to say.
PHYSICAL_LIMITS: Final[dict[str, tuple[float, float]]] = {
    "distance": (0.001, 100_000),  # radars reach some tens of metres; nothing is 0 mm away
    "snow_depth": (0, 1_200),  # 1182 cm at Mount Ibuki in 1927
    "air_temperature": (-90, 90),
    "relative_humidity": (0, 110),  # a wet sensor reads somewhat more than saturated
    "battery_voltage": (0.001, 60),
    "battery_level": (0, 100),
    "signal_rssi": (-160, 20),  # thermal noise in 125 kHz is -123 dBm, and LoRa is heard some 20 dB below it
    "signal_snr": (-40, 40),
    "probe_temperature": (-200, 850),  # Pt100
    "probe_temperature_2": (-200, 850),
    "probe_temperature_3": (-200, 850),
    "carbon_dioxide": (0, 1_000_000),  # ppm: no more than all of the air
    "sound_level": (0, 194),  # above, the air's own pressure ends
}


def repeated(word: str, count: int) -> pa.DictionaryArray:
    """``word`` in each of ``count`` rows, as ``WORD``."""
    return pa.DictionaryArray.from_arrays(np.zeros(count, np.int32), pa.array([word]))
