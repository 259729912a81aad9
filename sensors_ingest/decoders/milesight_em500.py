"""Milesight EM500 family, one profile a model: ultrasound, Pt100, air, soil, light, pressure and water level.

``01756403821E00`` is 100 %, 30 mm. Quantities that the warehouse does not hold (light, soil moisture, pressure, water
level) are known and skipped; a soil thermometer or Pt100 is a probe, not the air.
"""

from dataclasses import replace
from typing import Final

from sensors_ingest.decoders.milesight import (
    CARBON_DIOXIDE,
    DISTANCE,
    HUMIDITY,
    PROBE_TEMPERATURE,
    TEMPERATURE,
    milesight,
)
from sensors_ingest.decoders.profile import Profile
from sensors_ingest.decoders.type_length_value import Item

# The maker's codec divides this one by ten; nothing says why or in which unit it then is.
ALARM_DISTANCE: Final = replace(DISTANCE, doubt="alarm_scale")
EM500_UDL: Final[Profile] = milesight(
    {
        0x0382: Item(2, DISTANCE),
        0x83E9: Item(5, ALARM_DISTANCE),  # alarm: distance, its change, alarm byte
        0x20CE: Item(6, kept=((4, DISTANCE),)),
    }
)
EM500_PT100: Final[Profile] = milesight(
    {
        0x0367: Item(2, PROBE_TEMPERATURE),
        0x83D7: Item(5, PROBE_TEMPERATURE),  # alarm: temperature, its change, alarm byte
        0xFF1B: Item(5),  # what the thermometer can measure
        0x20CE: Item(6, kept=((4, PROBE_TEMPERATURE),)),
    }
)
EM500_CO2: Final[Profile] = milesight(
    {
        0x0367: Item(2, TEMPERATURE),
        0x0468: Item(1, HUMIDITY),
        0x057D: Item(2, CARBON_DIOXIDE),
        0x0673: Item(2),  # air pressure
        0x83D7: Item(5, TEMPERATURE),
        0x20CE: Item(11, kept=((4, CARBON_DIOXIDE), (8, TEMPERATURE), (10, HUMIDITY))),
    }
)
# Two sentinels stand for all that the probe measures, also where they could be -0.1 and -0.3 degrees. Of the finer soil
# moisture the maker's codecs differ by a factor of ten.
SOIL_TEMPERATURE: Final = replace(
    PROBE_TEMPERATURE,
    sentinels=(
        *PROBE_TEMPERATURE.sentinels,
        (-1, "temperature sentinel 0xFFFF (collection failed)"),
        (-3, "temperature sentinel 0xFFFD (out of range)"),
    ),
)
SECOND_SOIL_TEMPERATURE: Final = replace(SOIL_TEMPERATURE, quantity="probe_temperature_2")
THIRD_SOIL_TEMPERATURE: Final = replace(SOIL_TEMPERATURE, quantity="probe_temperature_3")
EM500_SMTC: Final[Profile] = milesight(
    {
        0x0367: Item(2, SOIL_TEMPERATURE),
        0x0468: Item(1),  # soil moisture
        0x04CA: Item(2),  # soil moisture, finer
        0x057F: Item(2),  # conductivity
        0x83D7: Item(5, SOIL_TEMPERATURE),
        # The same of a second and a third probe
        0x0667: Item(2, SECOND_SOIL_TEMPERATURE),
        0x07CA: Item(2),
        0x087F: Item(2),
        0x86D7: Item(5, SECOND_SOIL_TEMPERATURE),
        0x0967: Item(2, THIRD_SOIL_TEMPERATURE),
        0x0ACA: Item(2),
        0x0B7F: Item(2),
        0x89D7: Item(5, THIRD_SOIL_TEMPERATURE),
        0x20CE: Item(10, kept=((6, SOIL_TEMPERATURE),)),
    }
)
