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


ELSYS: list[tuple[str, Expected]] = [
    (
        "0100e202290400270506060308070d62",
        {"air_temperature": 22.6, "relative_humidity": 41, "carbon_dioxide": 776, "battery_voltage": 3.426},
    ),
    ("01ff9c0cff6a070e10", {"air_temperature": -10, "probe_temperature": -15, "battery_voltage": 3.6}),
    # The second external thermometer is as many as hang on its wire.
    ("0c00d219ffec", {"probe_temperature": 21, "probe_temperature_2": -2}),
    ("19ffec1900190c00d2", {"probe_temperature": 21, "probe_temperature_2": -2, "probe_temperature_3": 2.5}),
    ("19ffec19ffec", {"probe_temperature_2": -2, "probe_temperature_3": -2}),
    ("19ffec190019190100", {"probe_temperature_2": -2, "probe_temperature_3": 2.5}),
]

MILESIGHT: list[tuple[str, str, Expected]] = [
    (
        "em400_tld",
        "01755c03670101048244080500018800 01",
        {"battery_level": 92, "air_temperature": 25.7, "distance": 2116},
    ),
    ("em400_tld", "fffe01 0367f8ff 0482c602", {"air_temperature": -0.8, "distance": 710}),
    ("em300", "ff0bff fffe01 03673401 046865", {"air_temperature": 30.8, "relative_humidity": 50.5}),
    (
        "em320_th",
        "01755c 0367cdff 046865 059c02",
        {"battery_level": 92, "air_temperature": -5.1, "relative_humidity": 50.5},
    ),
    ("em300_di", "0367cdff 046865 05e10a000a000000803f", {"air_temperature": -5.1, "relative_humidity": 50.5}),
    ("em300_di", "85e10a000a000000803f01 0367cdff", {"air_temperature": -5.1}),
    ("em500_pt100", "03671901 ff1b03c800ceff", {"probe_temperature": 28.1}),
    # A film that feels leaks has no thermometer: where others keep climate it keeps zeros.
    ("em300_mld", "01755c 050000 20ce9e74466300000001", {"battery_level": 92}),
    (
        "em500_co2",
        "01756403671901046873057d670406736827",
        {"battery_level": 100, "air_temperature": 28.1, "relative_humidity": 57.5, "carbon_dioxide": 1127},
    ),
    (
        "em500_co2",
        "20ce9e744663670468271901 73",
        {
            "carbon_dioxide at 1665561758": 1127,
            "air_temperature at 1665561758": 28.1,
            "relative_humidity at 1665561758": 57.5,
        },
    ),
    ("em500_smtc", "017564 0367feff 04ca7304 057ff000", {"battery_level": 100, "probe_temperature": -0.2}),
    ("em500_smtc", "0367ffff 04caffff 057fffff", {"probe_temperature": FAILED}),
    ("em500_smtc", "0367fdff 04cafdff 057ffdff", {"probe_temperature": BEYOND}),
    ("em500_smtc", "20ce9e744663ffffffffffff", {"probe_temperature at 1665561758": FAILED}),
    (
        "em500_smtc",
        "03671901 0667e7ff 09670a00 07ca7300 0aca7300 087ff000 0b7ff000",
        {"probe_temperature": 28.1, "probe_temperature_2": -2.5, "probe_temperature_3": 1},
    ),
    ("em500_smtc", "86d7e7ff0a0002 89d70a00f6ff02", {"probe_temperature_2": -2.5, "probe_temperature_3": 1}),
]

DRAGINO: list[tuple[str, str, int, Expected]] = [
    (
        "lht52",
        "f5c6027ef8300163 07e5b6",
        2,
        {"air_temperature": -26.18, "relative_humidity": 63.8, "probe_temperature": -20},
    ),
    ("lht52", "09010001020d1e", 5, {"battery_voltage": 3.358}),
    # A hygrometer that does not answer
    (
        "lsn50",
        "0e47ff9c0000007fffffff",
        2,
        {
            "battery_voltage": 3.655,
            "probe_temperature": -10,
            "air_temperature": MISSING,
            "relative_humidity": "humidity sentinel 0xFFFF (no value)",
        },
    ),
    (
        "lsn50",
        "0e47ff9c000000ffffffff",
        2,
        {
            "battery_voltage": 3.655,
            "probe_temperature": -10,
            "air_temperature": "temperature sentinel 0xFFFF (no value)",
            "relative_humidity": "humidity sentinel 0xFFFF (no value)",
        },
    ),
    # The codec says none of this one too: the firmware sends 0x7FFF for none, and -0.1 °C as 0xFFFF.
    (
        "lsn50",
        "0e47ff9c000000ffff0384",
        2,
        {"battery_voltage": 3.655, "probe_temperature": -10, "air_temperature": -0.1, "relative_humidity": 90},
    ),
    # Three voltages in the place of the probe and of the battery, which is told in tenths of a volt.
    ("lsn50", "03e803e803e808ff9c038424", 2, {"battery_voltage": 3.6, "air_temperature": -10, "relative_humidity": 90}),
    ("lsn50", "03e803e803e80800c8000024", 2, {"battery_voltage": 3.6}),
    ("lsn50", "0e47ff9c0000180000ffff", 2, {"battery_voltage": 3.655, "probe_temperature": -10}),
    ("lsn50", "0e47ff9c03e81c03e803e8", 2, {"battery_voltage": 3.655, "probe_temperature": -10}),
    (
        "lsn50",
        "0e47ff9c00c8207fff0000000100000002",
        2,
        {"battery_voltage": 3.655, "probe_temperature": -10, "probe_temperature_2": 20, "probe_temperature_3": MISSING},
    ),
]

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


def test_a_distance_whose_scale_the_maker_contradicts_is_doubted() -> None:
    def doubts(payload: str) -> tuple[str | None, list[tuple[float, str | None]]]:
        numbers = PROFILES["milesight_em500_udl"].decode_payloads(pa.array([bytes.fromhex(payload)]), np.array([85]))
        said = zip(numbers.value.tolist(), [numbers.fields[field].doubt for field in numbers.field], strict=True)
        return numbers.fault[0].as_py(), list(said)

    # The channel's table says no unit; the codec divides by ten, which it does not with the millimetres of 0x0382.
    assert doubts("83e9d0070a0001") == (None, [(2000, "alarm_scale")])
    assert doubts("0382d007") == (None, [(2000, None)])
    # It is the same quantity: one number where they agree, and a contradiction where they do not.
    assert doubts("0382d007 83e9d0070a0001") == (None, [(2000, None)])
    assert doubts("83e9d0070a0001 0382d107") == ("one quantity twice with different values in payload", [])
