"""Milesight EM300 family: thermometer and hygrometer, some with a door, leak or pulse contact; EM310-UDL ultrasound.

The models differ in the width of their kept measurements, so each has its profile. ``20CE9E74466310015D00`` is a
measurement an EM300-TH kept: 27.2 °C, 46.5 % at 1665561758.
"""

from typing import Final

from sensors_ingest.decoders.milesight import DISTANCE, HUMIDITY, TEMPERATURE, milesight
from sensors_ingest.decoders.profile import Profile
from sensors_ingest.decoders.type_length_value import Item

CLIMATE: Final = {0x0367: Item(2, TEMPERATURE), 0x0468: Item(1, HUMIDITY)}
KEPT: Final = ((4, TEMPERATURE), (6, HUMIDITY))

# TH, and MCS, SLD, ZLD, whose contact or leak rope is one byte more.
EM300: Final[Profile] = milesight({**CLIMATE, 0x0500: Item(1), 0x0600: Item(1), 0x20CE: Item(8, kept=KEPT)})
# A film that feels leaks, without a thermometer: where the others keep climate it keeps zeros.
EM300_MLD: Final[Profile] = milesight({0x0500: Item(1), 0x0600: Item(1), 0x20CE: Item(8)})
EM300_DI: Final[Profile] = milesight(
    {
        **CLIMATE,
        0x0500: Item(1),  # contact
        0x05C8: Item(4),  # pulses
        0x05E1: Item(8),  # water
        0x06E1: Item(8),  # water, on another channel
        0x8500: Item(2),  # contact alarm
        0x85E1: Item(9),  # water alarm
        0x86E1: Item(9),
        0x20CE: Item(13, kept=KEPT),
        0x21CE: Item(18, kept=KEPT),
    }
)
EM320_TH: Final[Profile] = milesight(
    {
        **CLIMATE,
        0x059C: Item(1),  # how full its memory is
        0x20CE: Item(7, kept=KEPT),
    }
)
EM310_UDL: Final[Profile] = milesight({0x0382: Item(2, DISTANCE), 0x0400: Item(1, is_tilt=True)})
