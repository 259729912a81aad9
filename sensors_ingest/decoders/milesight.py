"""What Milesight's EM300, EM400 and EM500 families have in common: channel and type byte, little-endian.

Source: Milesight-IoT/SensorDecoders, EM_Series. ``01755C03673401046865`` is 92 %, 30.8 °C, 50.5 %.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from sensors_ingest.decoders.fields import Field
from sensors_ingest.decoders.profile import Profile
from sensors_ingest.decoders.type_length_value import Item, TypeLengthValueDecoder

BATTERY: Final = Field(
    "battery_level", 1, "percent", "percent", sentinels=((0xFF, "battery sentinel 0xFF (not measured)"),)
)
TEMPERATURE: Final = Field(
    "air_temperature",
    2,
    "degC",
    "0.1 degC",
    divisor=10,
    is_signed=True,
    sentinels=((0x7FFF, "temperature sentinel 0x7FFF (probe missing)"),),
)
PROBE_TEMPERATURE: Final = replace(TEMPERATURE, quantity="probe_temperature")
CARBON_DIOXIDE: Final = Field("carbon_dioxide", 2, "ppm", "ppm")
HUMIDITY: Final = Field(
    "relative_humidity",
    1,
    "percent",
    "0.5 percent",
    divisor=2,
    sentinels=((0xFF, "humidity sentinel 0xFF (probe missing)"),),
)
DISTANCE: Final = Field(
    "distance",
    2,
    "mm",
    "mm",
    sentinels=((0, "distance sentinel 0 (no echo)"), (0xFFFF, "distance sentinel 0xFFFF (no echo)")),
)

ABOUT_ITSELF: Final[Mapping[int, Item]] = {
    0xFF01: Item(1),  # protocol version
    0xFF09: Item(2),  # hardware version
    0xFF0A: Item(2),  # firmware version
    0xFF0B: Item(1),  # power on
    0xFF0F: Item(1),  # LoRaWAN class
    0xFF16: Item(8),  # serial number
    0xFFFE: Item(1),  # reset
    0xFFFF: Item(2),  # product model version
}


def milesight(items: Mapping[int, Item]) -> Profile:
    """A profile of these items, of battery, and of what every device says of itself at a join."""
    table = {0x0175: Item(1, BATTERY), **items, **ABOUT_ITSELF}
    return Profile(TypeLengthValueDecoder(table, type_width=2, byte_order="little"))
