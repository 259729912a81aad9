"""Milesight EM400-TLD laser. ``0175640367f8ff0482c602050000`` is 100 %, −0.8 °C, 710 mm, not tilted."""

from typing import Final

from sensors_ingest.decoders.milesight import DISTANCE, TEMPERATURE, milesight
from sensors_ingest.decoders.profile import Profile
from sensors_ingest.decoders.type_length_value import Item

PROFILE: Final[Profile] = milesight(
    {
        0x0367: Item(2, TEMPERATURE),
        0x0482: Item(2, DISTANCE),
        0x0500: Item(1, is_tilt=True),
        0x0688: Item(9),  # position, sent by the NB-IoT model
        0x8367: Item(3, TEMPERATURE),  # temperature that crossed a limit, and an alarm byte
        0x8482: Item(3, DISTANCE),  # distance that crossed a limit, and an alarm byte
        0x8800: Item(1),  # somebody moves it
    }
)
