"""The figures that the codecs which the makers publish give, run on the same bytes.

| profile | whose figures |
|---|---|
| ``elsys`` | TheThingsNetwork/lorawan-devices, vendor/elsys/elsys.js, which is Elsys's own |
| ``milesight_…`` | Milesight-IoT/SensorDecoders, em-series |
| ``dragino_…`` | TheThingsNetwork/lorawan-devices, vendor/dragino; what is sent: dragino/LoRa_STM32, main.c, sht20.c |
| ``vegapuls`` | akenza-io/device-type-library, types/vega, and diwise/iot-agent, which agree |
"""

import numpy as np
import pyarrow as pa
import pytest

from sensors_ingest.decoders.fields import NO_TIME
from sensors_ingest.decoders.profiles import PROFILES

FAILED = "temperature sentinel 0xFFFF (collection failed)"
BEYOND = "temperature sentinel 0xFFFD (out of range)"
MISSING = "temperature sentinel 0x7FFF (probe missing)"
Expected = dict[str, float | str]


def said(name: str, payload: str, port: int) -> tuple[str | None, Expected]:
    """The fault, and by quantity (and second, of one that was kept) the value or why there is none."""
    numbers = PROFILES[name].decode_payloads(pa.array([bytes.fromhex(payload)]), np.array([port]))
    values: Expected = {}
    for field, seconds, value, reason in zip(
        numbers.field, numbers.seconds, numbers.value, numbers.reason.to_pylist(), strict=True
    ):
        kept = "" if seconds == NO_TIME else f" at {seconds}"
        values[numbers.fields[field].quantity + kept] = reason or float(value)
    return numbers.fault[0].as_py(), values


ELSYS: list[tuple[str, Expected]] = []

MILESIGHT: list[tuple[str, str, Expected]] = []

DRAGINO: list[tuple[str, str, int, Expected]] = []

VEGAPULS: list[tuple[str, Expected]] = [
    (
        "0c3fefc9712d222f222f42af05af296300d620b2",
        {"distance": 1873.335003853, "battery_level": 99, "air_temperature": 21.4},
    ),
    ("0200400000002d6000d1af", {"distance": 2000, "battery_level": 96, "air_temperature": 20.9}),
    ("02004000000 02d60ff9c05".replace(" ", ""), {"distance": 2000, "battery_level": 96, "air_temperature": -10}),
    ("12400000002d60ff9c2005", {"distance": 2000, "battery_level": 96, "air_temperature": -10}),
    ("1300400000002d6005", {"distance": 2000, "battery_level": 96}),
    ("140000000000ff9c20", {"air_temperature": -10}),
]


@pytest.mark.parametrize(
    ("name", "payload", "port", "expected"),
    [
        *(("elsys", payload, 5, expected) for payload, expected in ELSYS),
        *((f"milesight_{name}", payload, 85, expected) for name, payload, expected in MILESIGHT),
        *((f"dragino_{name}", payload, port, expected) for name, payload, port, expected in DRAGINO),
        *(("vegapuls", payload, 1, expected) for payload, expected in VEGAPULS),
    ],
)
def test_figures_of_the_makers_codecs(name: str, payload: str, port: int, expected: Expected) -> None:
    assert said(name, payload, port) == (None, expected)
