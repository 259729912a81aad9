"""Elsys devices (ERS, ELT and their external sensors): one-byte types, big-endian.

Source: the types listed at https://www.elsys.se/en/elsys-payload/. ``0100e20223070e27`` is 22.6 °C, 35 %,
3623 mV. The settings item (0x3E) has no fixed width and is not in the table: a payload with it is refused. Of the
thermometers on the second wire the first two are read.
"""

from dataclasses import replace
from typing import Final

from sensors_ingest.decoders.fields import Field
from sensors_ingest.decoders.profile import Profile
from sensors_ingest.decoders.type_length_value import Item, TypeLengthValueDecoder

TEMPERATURE: Final = Field(
    "air_temperature",
    2,
    "degC",
    "0.1 degC",
    divisor=10,
    is_signed=True,
    sentinels=((0x7FFF, "temperature sentinel 0x7FFF (probe missing)"),),
)
FIRST_PROBE: Final = replace(TEMPERATURE, quantity="probe_temperature")
SECOND_PROBE: Final = replace(TEMPERATURE, quantity="probe_temperature_2")
THIRD_PROBE: Final = replace(TEMPERATURE, quantity="probe_temperature_3")
CARBON_DIOXIDE: Final = Field("carbon_dioxide", 2, "ppm", "ppm")
HUMIDITY: Final = Field(
    "relative_humidity",
    1,
    "percent",
    "percent",
    sentinels=((0xFF, "humidity sentinel 0xFF (probe missing)"),),
)
BATTERY: Final = Field(
    "battery_voltage",
    2,
    "V",
    "mV",
    divisor=1000,
    sentinels=((0xFFFF, "voltage sentinel 0xFFFF (not measured)"),),
)
DISTANCE: Final = Field(
    "distance",
    2,
    "mm",
    "mm",
    sentinels=((0, "distance sentinel 0 (no echo)"), (0xFFFF, "distance sentinel 0xFFFF (no echo)")),
)

PROFILE: Final = Profile(
    TypeLengthValueDecoder(
        {
            0x01: Item(2, TEMPERATURE),
            0x02: Item(1, HUMIDITY),
            0x03: Item(3),  # acceleration
            0x04: Item(2),  # light
            0x05: Item(1),  # motion
            0x06: Item(2, CARBON_DIOXIDE),
            0x07: Item(2, BATTERY),
            0x08: Item(2),  # analogue 1
            0x09: Item(6),  # position
            0x0A: Item(2),  # pulses 1 since the last uplink
            0x0B: Item(4),  # pulses 1
            0x0C: Item(2, FIRST_PROBE),
            0x0D: Item(1),  # external switch 1
            0x0E: Item(2, DISTANCE),
            0x0F: Item(1),  # vibration
            0x10: Item(4),  # infrared temperature
            0x11: Item(1),  # occupancy
            0x12: Item(1),  # water leak
            0x13: Item(65),  # grid eye
            0x14: Item(4),  # pressure
            0x15: Item(2),  # sound
            0x16: Item(2),  # pulses 2 since the last uplink
            0x17: Item(4),  # pulses 2
            0x18: Item(2),  # analogue 2
            0x19: Item(2, SECOND_PROBE, again=(THIRD_PROBE,)),  # once for each thermometer on the wire
            0x1A: Item(1),  # external switch 2
            0x1B: Item(4),  # external analogue, microvolts
            0x1C: Item(2),  # volatile organic compounds
            0x3D: Item(4),  # debug
        },
        type_width=1,
        byte_order="big",
    )
)
