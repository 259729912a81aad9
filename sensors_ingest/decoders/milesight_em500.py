"""Milesight EM500 family, one profile a model: ultrasound, Pt100, air, soil, light, pressure and water level.

``01756403821E00`` is 100 %, 30 mm. Quantities that the warehouse does not hold (carbon dioxide, light, soil
moisture, pressure, water level) are known and skipped; a soil thermometer or Pt100 is a probe, not the air.
"""

from typing import Final

from sensors_ingest.decoders.milesight import DISTANCE, HUMIDITY, PROBE_TEMPERATURE, TEMPERATURE, milesight
from sensors_ingest.decoders.profile import Profile
from sensors_ingest.decoders.type_length_value import Item

EM500_UDL: Final[Profile] = milesight(
    {
        0x0382: Item(2, DISTANCE),
        0x83E9: Item(5, DISTANCE),  # alarm: distance, its change, alarm byte
        0x20CE: Item(6, kept=((4, DISTANCE),)),
    }
)
EM500_PT100: Final[Profile] = milesight(
    {
        0x0367: Item(2, PROBE_TEMPERATURE),
        0x83D7: Item(5, PROBE_TEMPERATURE),  # alarm: temperature, its change, alarm byte
        0x20CE: Item(6, kept=((4, PROBE_TEMPERATURE),)),
    }
)
EM500_CO2: Final[Profile] = milesight(
    {
        0x0367: Item(2, TEMPERATURE),
        0x0468: Item(1, HUMIDITY),
        0x057D: Item(2),  # carbon dioxide
        0x0673: Item(2),  # air pressure
        0x83D7: Item(5, TEMPERATURE),
        0x20CE: Item(11, kept=((8, TEMPERATURE), (10, HUMIDITY))),
    }
)
EM500_SMTC: Final[Profile] = milesight(
    {
        0x0367: Item(2, PROBE_TEMPERATURE),
        0x0468: Item(1),  # soil moisture
        0x04CA: Item(2),  # soil moisture, finer
        0x057F: Item(2),  # conductivity
        0x83D7: Item(5, PROBE_TEMPERATURE),
        0x20CE: Item(10, kept=((6, PROBE_TEMPERATURE),)),
    }
)
