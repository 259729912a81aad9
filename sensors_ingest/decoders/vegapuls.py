"""VEGAPULS Air radars: a packet number, then big-endian numbers at places that depend on it.

``02003fa31f152d2400fa09`` is packet 2: state 0, 1.274386 m, unit 0x2D (m), 36 % battery, 25.0 °C, tilted by 9°.
Source: diwise/iot-agent, decoder/vegapuls, with its tests; akenza-io/device-type-library, types/vega. Distance units
are those of the HART tables, where 0x2F is the inch; feeds.md of this project's owner says foot. A distance in 0x2F is
read as feet and marked unverified.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from sensors_ingest.decoders.fields import Field
from sensors_ingest.decoders.fixed_layout import FixedLayoutDecoder, Layout, Place, Where
from sensors_ingest.decoders.profile import Profile

METRES: Final = Field(
    "distance",
    4,
    "mm",
    "m",
    multiplier=1000,
    is_float=True,
    sentinels=((0x7FFFFFFF, "distance sentinel 0x7FFFFFFF (no value)"),),
)
FEET: Final = replace(METRES, source_unit="ft", multiplier=304.8)
DOUBTFUL_FEET: Final = replace(FEET, doubt="unit_0x2F")
MILLIMETRES: Final = replace(METRES, source_unit="mm", multiplier=1)
DISTANCES: Final = {0x2D: METRES, 0x2C: FEET, 0x2F: DOUBTFUL_FEET, 0x31: MILLIMETRES}
BATTERY: Final = Field("battery_level", 1, "percent", "percent")
CELSIUS: Final = Field(
    "air_temperature",
    2,
    "degC",
    "0.1 degC",
    divisor=10,
    is_signed=True,
    sentinels=(
        (-0x8000, "temperature sentinel 0x8000 (no value)"),
        (0x7FFF, "temperature sentinel 0x7FFF (probe missing)"),
    ),
)
FAHRENHEIT: Final = replace(CELSIUS, source_unit="0.1 degF", divisor=18, added=-160 / 9)
TEMPERATURES: Final = {0x20: CELSIUS, 0x21: FAHRENHEIT}


def _layout(packet: int, *, state: bool, scaled: bool = False, gps: bool = False, detail: bool = False) -> Layout:
    """Packets 2 to 5 end with temperature (always °C), what only some have, angle; later ones have it before and with
    a unit.
    """
    distance = 2 if state else 1
    battery = distance + 5 + (9 if scaled else 0)  # level in percent twice, scaled level and its unit
    between = (8 if gps else 0) + (4 if detail else 0)
    is_early = packet <= 5
    temperature = battery + 1 + (0 if is_early else between)
    unit = temperature + 2
    where = [Where(0, (packet,)), Where(distance + 4, tuple(DISTANCES))]
    places = [Place(battery, BATTERY), *_in_units(distance, distance + 4, DISTANCES)]
    if is_early:
        places.append(Place(temperature, CELSIUS))
    else:
        where.append(Where(unit, tuple(TEMPERATURES)))
        places += _in_units(temperature, unit, TEMPERATURES)
    length = temperature + 2 + (between if is_early else 1) + 1
    return Layout(length, tuple(places), where=tuple(where))


def _in_units(offset: int, unit: int, fields: Mapping[int, Field]) -> Iterator[Place]:
    """The number at ``offset`` as the field of its unit, whose code is at ``unit``."""
    return (Place(offset, field, (Where(unit, (code,)),)) for code, field in fields.items())


# Packet 19 has no temperature, and 20 nothing else but a detailed state.
DISTANCE_ALONE: Final = Layout(
    9, (Place(7, BATTERY), *_in_units(2, 6, DISTANCES)), where=(Where(0, (19,)), Where(6, tuple(DISTANCES)))
)
TEMPERATURE_ALONE: Final = Layout(
    9, tuple(_in_units(6, 8, TEMPERATURES)), where=(Where(0, (20,)), Where(8, tuple(TEMPERATURES)))
)

PROFILE: Final = Profile(
    FixedLayoutDecoder(
        (
            _layout(2, state=True),
            _layout(3, state=True, gps=True),
            _layout(4, state=True, detail=True),
            _layout(5, state=True, gps=True, detail=True),
            _layout(8, state=False),
            _layout(9, state=False, gps=True),
            _layout(10, state=True, detail=True),
            _layout(11, state=True, gps=True, detail=True),
            _layout(12, state=False, scaled=True),
            _layout(13, state=False, scaled=True, gps=True),
            _layout(14, state=True, scaled=True, detail=True),
            _layout(15, state=True, scaled=True, gps=True, detail=True),
            _layout(18, state=False),
            DISTANCE_ALONE,
            TEMPERATURE_ALONE,
        ),
        byte_order="big",
    )
)
