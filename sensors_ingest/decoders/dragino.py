"""Dragino LHT52 (thermometer, hygrometer, one probe) and LSN50 (up to three probes, or an ultrasonic distance).

Source: dragino/dragino-end-node-decoder, the LSN50's firmware (dragino/LoRa_STM32) and the manuals. LHT52
``0b3d01f47fff016307e5b6`` is 28.77 °C, 50.0 %, no probe; LSN50 ``0e47011b00000c00cc0177`` is 3.655 V and probes at
28.3, 20.4 and 37.5 °C.
"""

from dataclasses import replace
from typing import Final

from sensors_ingest.decoders.fields import Field
from sensors_ingest.decoders.fixed_layout import FixedLayoutDecoder, Layout, Place, Where
from sensors_ingest.decoders.profile import Profile

MISSING: Final = ((0x7FFF, "temperature sentinel 0x7FFF (probe missing)"),)
TEMPERATURE: Final = Field("air_temperature", 2, "degC", "0.01 degC", divisor=100, is_signed=True, sentinels=MISSING)
HUMIDITY: Final = Field(
    "relative_humidity",
    2,
    "percent",
    "0.1 percent",
    divisor=10,
    sentinels=((0x7FFF, "humidity sentinel 0x7FFF (probe missing)"), (0xFFFF, "humidity sentinel 0xFFFF (no value)")),
)
PROBE: Final = replace(TEMPERATURE, quantity="probe_temperature")
COARSE_TEMPERATURE: Final = replace(TEMPERATURE, source_unit="0.1 degC", divisor=10)
RED_PROBE: Final = replace(COARSE_TEMPERATURE, quantity="probe_temperature")
WHITE_PROBE: Final = replace(COARSE_TEMPERATURE, quantity="probe_temperature_2")
BLACK_PROBE: Final = replace(COARSE_TEMPERATURE, quantity="probe_temperature_3")
# The maker's codec takes every 0xFFFF for no value. Its firmware says 0x7FFF of a hygrometer that does not answer, and
# 0xFFFF of -0.1 degrees: only beside a humidity without a value it is none.
SILENT_TEMPERATURE: Final = replace(COARSE_TEMPERATURE, sentinels=((-1, "temperature sentinel 0xFFFF (no value)"),))
BATTERY: Final = Field("battery_voltage", 2, "V", "mV", divisor=1000)
COARSE_BATTERY: Final = Field("battery_voltage", 1, "V", "0.1 V", divisor=10)
DISTANCE: Final = Field(
    "distance",
    2,
    "mm",
    "mm",
    sentinels=((0, "distance sentinel 0 (no echo)"), (0xFFFF, "distance sentinel 0xFFFF (no echo)")),
)

LHT52_PLACES: Final = (Place(0, TEMPERATURE), Place(2, HUMIDITY), Place(4, PROBE))
LHT52: Final = Profile(
    FixedLayoutDecoder(
        (
            Layout(11, LHT52_PLACES, port=2),
            Layout(11, LHT52_PLACES, port=3, time_offset=7, repeats=True),  # kept measurements, when asked for
            Layout(7, (Place(5, BATTERY),), port=5),  # about itself, twice a day
        ),
        byte_order="big",
    )
)


def _in_mode(mode: int, *places: Place, where: tuple[Where, ...] = (), length: int = 11) -> Layout:
    """Modes as their number stands in the payload: AT+MOD less one."""
    return Layout(length, places, port=2, where=(Where(6, (mode << 2,), mask=0x7C), *where))


def _with_hygrometer(mode: int, *places: Place, length: int = 11) -> tuple[Layout, ...]:
    """A humidity of 0 means that a light sensor hangs where a hygrometer could."""
    humidity = Place(9, HUMIDITY)
    return (
        _in_mode(mode, *places, where=(Where(9, (0,)), Where(10, (0,))), length=length),
        _in_mode(mode, *places, Place(7, SILENT_TEMPERATURE), humidity, where=SILENT, length=length),
        _in_mode(mode, *places, Place(7, COARSE_TEMPERATURE), humidity, length=length),
    )


SILENT: Final = tuple(Where(offset, (0xFF,)) for offset in (7, 8, 9, 10))
USUAL: Final = (Place(0, BATTERY), Place(2, RED_PROBE))

LSN50: Final = Profile(
    FixedLayoutDecoder(
        (
            *_with_hygrometer(0, *USUAL),
            _in_mode(1, *USUAL, Place(7, DISTANCE)),
            *_with_hygrometer(2, Place(11, COARSE_BATTERY), length=12),  # and three voltages
            _in_mode(3, *USUAL, Place(7, WHITE_PROBE), Place(9, BLACK_PROBE)),
            _in_mode(4, *USUAL),  # weight
            _in_mode(5, *USUAL),  # pulses
            _in_mode(6, *USUAL),  # three contacts
            _in_mode(7, *USUAL),  # three voltages
            _in_mode(8, *USUAL, Place(4, WHITE_PROBE), Place(7, BLACK_PROBE), length=17),  # and pulses of two
        ),
        byte_order="big",
    )
)
