"""The row every sensor feed becomes, and the words its columns may hold.

A decoder returns Arrow batches of ``READING_SCHEMA``. What it cannot decode it returns as one row with ``reject_reason``
set, so that nothing is lost between landing and quarantine.
"""

from typing import Final

import pyarrow as pa

UTC_TIMESTAMP: Final = pa.timestamp("us", tz="UTC")

READING_SCHEMA: Final = pa.schema(
    [
        ("feed", pa.string()),
        ("sensor_id", pa.string()),
        ("quantity", pa.string()),
        ("observed_at", UTC_TIMESTAMP),
        ("value", pa.float64()),
        ("unit", pa.string()),
        ("source_value", pa.string()),
        ("source_unit", pa.string()),
        ("quality", pa.string()),
        ("source_quality", pa.string()),
        ("received_at", UTC_TIMESTAMP),
        ("precedence", pa.int16()),
        ("uplink_key", pa.string()),
        ("landing_id", pa.string()),
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
}
