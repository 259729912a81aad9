"""Milesight EM400-TLD laser: channel and type byte, little-endian.

Source: Milesight-IoT/SensorDecoders, EM400-TLD. ``0175640367f8ff0482c602050000`` is 100 %, −0.8 °C, 710 mm,
not tilted.
"""

from typing import Final

from sensors_ingest.decoders.type_length_value import Field, Item, TypeLengthValueDecoder

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
DISTANCE: Final = Field(
    "distance",
    2,
    "mm",
    "mm",
    sentinels=((0, "distance sentinel 0 (no echo)"), (0xFFFF, "distance sentinel 0xFFFF (no echo)")),
)

DECODER: Final = TypeLengthValueDecoder(
    {
        0x0175: Item(1, BATTERY),
        0x0367: Item(2, TEMPERATURE),
        0x0482: Item(2, DISTANCE),
        0x0500: Item(1, is_tilt=True),
        0x0688: Item(9),  # position, sent by the NB-IoT model
        0x8367: Item(3, TEMPERATURE),  # temperature that crossed a limit, and an alarm byte
        0x8482: Item(3, DISTANCE),  # distance that crossed a limit, and an alarm byte
        0xFF01: Item(1),  # what follows is said at a join: protocol version
        0xFF09: Item(2),  # hardware version
        0xFF0A: Item(2),  # firmware version
        0xFF0B: Item(1),  # power on
        0xFF0F: Item(1),  # LoRaWAN class
        0xFF16: Item(8),  # serial number
        0xFFFF: Item(2),  # product model version
    },
    type_width=2,
    byte_order="little",
)
