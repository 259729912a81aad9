"""Every profile on any bytes and any object: readings a device can give, or a reason, and never an exception."""

import base64
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensors_ingest.decoders.fields import NO_TIME, Numbers
from sensors_ingest.decoders.fixed_layout import FixedLayoutDecoder
from sensors_ingest.decoders.profiles import PROFILES
from sensors_ingest.decoders.type_length_value import TypeLengthValueDecoder
from sensors_ingest.readings import CANONICAL_UNITS, PHYSICAL_LIMITS
from tests.decoding import numbers_of_objects, objects_read

OF_BYTES = [name for name, profile in PROFILES.items() if profile.payload]
OF_OBJECTS = [name for name, profile in PROFILES.items() if profile.codec_object]
NO_ECHO = "no echo (sensorStatus, signalStrength and distance are 0)"
ENVIOT = {"battery": 86, "distance": 0, "humidity": 85, "sensorStatus": 0, "signalStrength": 0, "snowHeight": 0}
LSN50 = base64.b64decode("DkcBGwAADADMAXc=").hex()
LHT52 = base64.b64decode("Cz0B9H//AWMH5bY=").hex()

Reading = tuple[str, float | str]


def payloads(name: str, *contents: bytes, port: int = 2) -> Numbers:
    return PROFILES[name].decode_payloads(pa.array(contents, pa.binary()), np.full(len(contents), port))


def objects(name: str, *contents: Any) -> Numbers:
    texts = [content if isinstance(content, str | None) else json.dumps(content) for content in contents]
    return numbers_of_objects(PROFILES[name], *texts)


def said(numbers: Numbers) -> dict[str, float | str]:
    """Of one uplink, by quantity: its value, or why it has none."""
    reasons, fields = numbers.reason.to_pylist(), [numbers.fields[index].quantity for index in numbers.field]
    values = {
        quantity: reason or float(value) for quantity, value, reason in zip(fields, numbers.value, reasons, strict=True)
    }
    return values or {"fault": numbers.fault[0].as_py()}


@pytest.mark.parametrize(
    ("name", "payload", "expected"),
    [
        ("niab", "cc0f03c5", {"battery_level": 80, "distance": 965}),
        ("niab", "cc0fffff", {"battery_level": 80, "distance": "distance sentinel -1 (read error)"}),
        ("niab", "cc0f", {"fault": "payload of no known layout"}),
        ("niab", "cc0fffffffff", {"fault": "payload of no known layout"}),
        ("niab", "cc0ffffe", {"battery_level": 80, "distance": "distance beyond what it can be (0.001 to 100000 mm)"}),
        (
            "vegapuls",
            "02003FA31F152D2400FA09",
            {"battery_level": 36, "distance": 1274.386048317, "air_temperature": 25},
        ),
        (
            "vegapuls",
            "083FA31F152D2401042009",
            {"battery_level": 36, "distance": 1274.386048317, "air_temperature": 26},
        ),
        (
            "vegapuls",
            "083FA31F152D2402002109",
            {"battery_level": 36, "distance": 1274.386048317, "air_temperature": 10.666666667},
        ),
        (
            "vegapuls",
            "02007FFFFFFF2D2400FA09",
            {"battery_level": 36, "distance": "distance sentinel 0x7FFFFFFF (no value)", "air_temperature": 25},
        ),
        (
            "vegapuls",
            "02007FC000002D2400FA09",
            {"battery_level": 36, "distance": "distance is not a number", "air_temperature": 25},
        ),
        (
            "vegapuls",
            "0200412000002F2400FA09",
            {"battery_level": 36, "distance": 3048, "air_temperature": 25},
        ),
        ("vegapuls", "02003FA31F15302400FA09", {"fault": "payload of no known layout"}),
        ("vegapuls", "02003FA31F152D2400FA", {"fault": "payload of no known layout"}),
        (
            "dragino_lht52",
            LHT52,
            {
                "air_temperature": 28.77,
                "relative_humidity": 50,
                "probe_temperature": "temperature sentinel 0x7FFF (probe missing)",
            },
        ),
        (
            "dragino_lsn50",
            LSN50,
            {
                "battery_voltage": 3.655,
                "probe_temperature": 28.3,
                "probe_temperature_2": 20.4,
                "probe_temperature_3": 37.5,
            },
        ),
        (
            "dragino_lsn50",
            "0e47011b00000005dcffff",
            {
                "battery_voltage": 3.655,
                "probe_temperature": 28.3,
                "air_temperature": "air_temperature beyond what it can be (-90 to 90 degC)",
                "relative_humidity": "humidity sentinel 0xFFFF (no value)",
            },
        ),
        (
            "dragino_lsn50",
            "0e47011b00000000fa01f4",
            {"battery_voltage": 3.655, "probe_temperature": 28.3, "air_temperature": 25, "relative_humidity": 50},
        ),
        ("dragino_lsn50", "0e47011b00000000fa0000", {"battery_voltage": 3.655, "probe_temperature": 28.3}),
        (
            "dragino_lsn50",
            "0e477fff00000405dc0000",
            {
                "battery_voltage": 3.655,
                "distance": 1500,
                "probe_temperature": "temperature sentinel 0x7FFF (probe missing)",
            },
        ),
        ("dragino_lsn50", "0e47011b00007c05dc0000", {"fault": "payload of no known layout"}),
    ],
)
def test_payloads_of_the_makers(name: str, payload: str, expected: dict[str, float | str]) -> None:
    assert said(payloads(name, bytes.fromhex(payload))) == expected


def test_a_unit_on_which_sources_differ_is_doubted() -> None:
    numbers = payloads("vegapuls", bytes.fromhex("0200412000002F2400FA09"))
    doubts = {numbers.fields[index].quantity: numbers.fields[index].doubt for index in numbers.field}
    assert doubts == {"battery_level": None, "distance": "unit_0x2F", "air_temperature": None}


def test_kept_measurements_have_their_own_times() -> None:
    kept = bytes.fromhex("0b3d01f47fff016307e5b60a3d01f47fff016307e7b6")
    numbers = payloads("dragino_lht52", kept, port=3)
    temperatures = [numbers.fields[index].quantity == "air_temperature" for index in numbers.field]
    assert numbers.value[temperatures].tolist() == [28.77, 26.21]
    assert numbers.seconds[temperatures].tolist() == [0x6307E5B6, 0x6307E7B6]
    assert (payloads("dragino_lht52", bytes.fromhex(LHT52)).seconds == NO_TIME).all()


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (
            "enviot",
            {"payload": {**ENVIOT, "temperature": 11.5}},
            {"snow_depth": NO_ECHO, "air_temperature": 11.5, "relative_humidity": 85, "battery_level": 86},
        ),
        (
            "enviot",
            {"payload": {**ENVIOT, "signalStrength": 40, "distance": 250}},
            {"snow_depth": 0, "relative_humidity": 85, "battery_level": 86},
        ),
        ("enviot", {"payload": {"snowHeight": 41, "sensorStatus": 3}}, {"snow_depth": "the radar reports a fault"}),
        ("enviot", {"payload": {"snowHeight": 41, "sensorStatus": 0}}, {"snow_depth": 41}),
        (
            "enviot",
            {"payload": {"snowHeight": -4100}},
            {"snow_depth": "snow_depth beyond what it can be (0 to 1200 cm)"},
        ),
        ("enviot", {"snowHeight": 41}, {"fault": "no known quantity in decoded object"}),
        ("enviot", {"payload": None}, {"fault": "no known quantity in decoded object"}),
        ("enviot", {"payload": [41]}, {"fault": "no known quantity in decoded object"}),
        (
            "codec_object",
            {"temperature": 327.67, "humidity": "45.5"},
            {"air_temperature": "temperature sentinel 327.67 (probe missing)", "relative_humidity": 45.5},
        ),
        # As the codecs of Milesight's EM500-CO2 and of Elsys's ERS CO2 call it
        ("codec_object", {"co2": 1127, "temperature": -4.5}, {"carbon_dioxide": 1127, "air_temperature": -4.5}),
        ("codec_object", {"distance": "far", "battery": None}, {"distance": "distance is not a number"}),
        ("codec_object", {"distance": {"mm": 5}}, {"distance": "distance is not a number"}),
        ("codec_object", {"temperature": "NaN"}, {"air_temperature": "air_temperature is not a number"}),
        ("codec_object", {"temperature": "inf"}, {"air_temperature": "air_temperature is not a number"}),
        ("codec_object", None, {"fault": "no known quantity in decoded object"}),
        ("codec_object", "not JSON", {"fault": "no known quantity in decoded object"}),
        ("codec_object", "[" * 100_000, {"fault": "no known quantity in decoded object"}),
        (
            "codec_object",
            '{"temperature":' * 50_000 + "1" + "}" * 50_000,
            {"air_temperature": "air_temperature is not a number"},
        ),
    ],
)
def test_objects(name: str, content: object, expected: dict[str, float | str]) -> None:
    assert said(objects(name, content)) == expected


def check(numbers: Numbers, count: int) -> None:
    """Each uplink has numbers or a fault, each number is possible or has a reason."""
    assert len(numbers.fault) == count
    has_number = np.zeros(count, np.bool_)
    has_number[numbers.uplink] = True
    assert (has_number != numbers.fault.is_valid().to_numpy(zero_copy_only=False)).all()
    for field, value, reason in zip(numbers.field, numbers.value, numbers.reason.to_pylist(), strict=True):
        low, high = PHYSICAL_LIMITS[numbers.fields[field].quantity]
        assert reason or low <= value <= high
    assert len(numbers.source_value) == len(numbers.value)


def like(name: str) -> st.SearchStrategy[bytes]:
    """Anything, or bytes of a length and with the marks of the profile's payloads."""
    decoder = PROFILES[name].payload
    if isinstance(decoder, TypeLengthValueDecoder):
        items = [
            st.binary(min_size=item.width, max_size=item.width).map(
                lambda content, code=code: code.to_bytes(decoder.type_width, "big") + content
            )
            for code, item in decoder.items.items()
        ]
        return st.one_of(st.binary(max_size=242), st.lists(st.one_of(items), max_size=6).map(b"".join))
    assert isinstance(decoder, FixedLayoutDecoder)
    made = [st.binary(max_size=242)]
    for layout in decoder.layouts:
        marks = [st.sampled_from([(where.offset, value) for value in where.values]) for where in layout.where]
        made.append(st.tuples(st.binary(min_size=layout.length, max_size=layout.length), *marks).map(_marked))
    return st.one_of(made)


def _marked(drawn: tuple[Any, ...]) -> bytes:
    content = bytearray(drawn[0])
    for offset, value in drawn[1:]:
        content[offset] = value
    return bytes(content)


@pytest.mark.parametrize("name", OF_BYTES)
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_any_bytes(name: str, data: Any) -> None:
    contents = data.draw(st.lists(like(name), min_size=1, max_size=8))
    ports = data.draw(st.lists(st.integers(0, 6), min_size=len(contents), max_size=len(contents)))
    numbers = PROFILES[name].decode_payloads(pa.array(contents, pa.binary()), np.array(ports))
    check(numbers, len(contents))
    # Many at once read as each by itself.
    for row, (content, port) in enumerate(zip(contents, ports, strict=True)):
        alone, mine = payloads(name, content, port=port), numbers.uplink == row
        assert alone.fault[0] == numbers.fault[row]
        assert numbers.field[mine].tolist() == alone.field.tolist()
        assert numbers.source_value.filter(pa.array(mine)) == alone.source_value
        assert numbers.seconds[mine].tolist() == alone.seconds.tolist()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def objects_like(name: str) -> st.SearchStrategy[Any]:
    """Any JSON, or objects with the profile's keys and anything at them."""
    decoder = PROFILES[name].codec_object
    assert decoder
    asked = [condition.path for refusal in decoder.refusals for condition in refusal.conditions]
    paths = [*(entry.path for entry in decoder.entries), *asked]
    values = st.one_of(json_values, st.integers(-5, 400), st.floats(-100, 2000), st.just(0))
    return json_values | st.dictionaries(st.sampled_from(paths), values, max_size=8).map(_nested)


def _nested(flat: dict[tuple[str, ...], Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for path, value in flat.items():
        inner = made
        for key in path[:-1]:
            inner = inner.setdefault(key, {})
        inner[path[-1]] = value
    return made


@pytest.mark.parametrize("name", OF_OBJECTS)
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_any_object(name: str, data: Any) -> None:
    contents = data.draw(st.lists(objects_like(name) | st.text().map(str), min_size=1, max_size=10))
    check(objects(name, *contents), len(contents))


def test_every_quantity_of_a_profile_has_its_canonical_unit_and_its_limits() -> None:
    for profile in PROFILES.values():
        for field in profile.fields:
            assert field.unit == CANONICAL_UNITS[field.quantity]
            assert field.quantity in PHYSICAL_LIMITS


def test_a_profile_says_what_it_cannot_read() -> None:
    with pytest.raises(ValueError, match="payload bytes"):
        PROFILES["enviot"].decode_payloads(pa.array([b"\0"]), np.zeros(1, np.int64))
    with pytest.raises(ValueError, match="decoded objects"):
        PROFILES["elsys"].decode_objects(objects_read([("distance",)], "{}"))
