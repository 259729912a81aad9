"""NIAB fill-level sensors: four bytes, big-endian. ``cc0f03c5`` is 80 % battery and 965 mm; ``ffff`` a read error.

Source: diwise/iot-agent, decoder/niab, and its test. The second byte is a temperature of which that source makes
−15 °C from 0xF0, where two's complement makes −16: as long as its maker has not said which, it is not read.
"""

from typing import Final

from sensors_ingest.decoders.fields import Field
from sensors_ingest.decoders.fixed_layout import FixedLayoutDecoder, Layout, Place
from sensors_ingest.decoders.profile import Profile

BATTERY: Final = Field("battery_level", 1, "percent", "1/255", multiplier=100, divisor=255)
DISTANCE: Final = Field(
    "distance",
    2,
    "mm",
    "mm",
    is_signed=True,
    sentinels=((-1, "distance sentinel -1 (read error)"), (0, "distance sentinel 0 (no echo)")),
)

PROFILE: Final = Profile(FixedLayoutDecoder((Layout(4, (Place(0, BATTERY), Place(2, DISTANCE))),), byte_order="big"))
