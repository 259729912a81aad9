"""Profiles declared in TOML: the three forms, and a sentence for every mistake."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensors_ingest.decoders.declared import ProfileError, load_declared
from sensors_ingest.decoders.fields import Numbers
from sensors_ingest.decoders.profiles import PROFILES, load_profiles
from sensors_ingest.readings import PHYSICAL_LIMITS
from tests.decoding import numbers_of_objects

EXAMPLE = Path(__file__).parents[4] / "samples" / "decoders" / "starbit_example.toml"
BYTES = """
reads = "bytes"
endianness = "little"
source = "test"
[[layout]]
length = 4
[[layout.field]]
offset = 0
type = "float32"
quantity = "distance"
unit = "ft"
sentinels = [{ value = 0x7FFFFFFF, reason = "no value" }]
"""
TABLE = """
reads = "type_length_value"
endianness = "big"
source = "test"
type_width = 1
[[item]]
type = 1
width = 2
field = { type = "int16", quantity = "air_temperature", unit = "degF", scale = 0.1 }
[[item]]
type = 2
width = 3
field = { type = "uint24", quantity = "distance", unit = "mm" }
[[item]]
type = 3
width = 1
tilt = true
[[item]]
type = 4
width = 5
"""
OBJECT = """
reads = "object"
source = "test"
[[field]]
key = "measured.depth"
quantity = "snow_depth"
unit = "mm"
sentinels = [{ value = -1, reason = "no echo" }]
[[field]]
key = "rh"
quantity = "relative_humidity"
unit = "fraction"
[[refusal]]
quantities = ["snow_depth"]
reason = "the lens is dirty"
when = [{ key = "measured.dirt", value = 1 }]
"""


def declare(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def said(numbers: Numbers) -> dict[str, float | str]:
    reasons = numbers.reason.to_pylist()
    found = {
        numbers.fields[field].quantity: reason or float(value)
        for field, value, reason in zip(numbers.field, numbers.value, reasons, strict=True)
    }
    return found or {"fault": numbers.fault[0].as_py()}


def of_bytes(path: Path, payload: str, port: int = 3) -> dict[str, float | str]:
    content = pa.array([bytes.fromhex(payload)], pa.binary())
    return said(load_declared(path).decode_payloads(content, np.array([port])))


@pytest.mark.parametrize(
    ("payload", "port", "expected"),
    [
        (
            "010bb8ff72c80e27",
            3,
            {"distance": 3000, "air_temperature": -14.2, "relative_humidity": 100, "battery_voltage": 3.623},
        ),
        (
            "0100007fff640e27",
            3,
            {
                "distance": "no echo",
                "air_temperature": "probe missing",
                "relative_humidity": 50,
                "battery_voltage": 3.623,
            },
        ),
        ("020bb8ff72c80e27", 3, {"fault": "payload of no known layout"}),
        ("010bb8ff72c80e27", 4, {"fault": "payload of no known layout"}),
        ("010bb8ff72c80e", 3, {"fault": "payload of no known layout"}),
    ],
)
def test_the_example(payload: str, port: int, expected: dict[str, float | str]) -> None:
    assert of_bytes(EXAMPLE, payload, port) == expected


def test_bytes_and_tables(tmp_path: Path) -> None:
    assert of_bytes(declare(tmp_path, BYTES), "00002041") == {"distance": 3048}
    assert of_bytes(declare(tmp_path, BYTES), "ffffff7f") == {"distance": "no value"}
    table = declare(tmp_path, TABLE)
    assert of_bytes(table, "0102a8 02000bb8 040102030405") == {"air_temperature": 20, "distance": 3000}
    assert of_bytes(table, "0102a8 09") == {"fault": "unknown type in payload"}


def test_objects(tmp_path: Path) -> None:
    profile = load_declared(declare(tmp_path, OBJECT))
    texts = [
        '{"measured":{"depth":415,"dirt":0},"rh":0.86}',
        '{"measured":{"depth":415,"dirt":1}}',
        '{"measured":{"depth":-1}}',
    ]
    found = [said(numbers_of_objects(profile, text)) for text in texts]
    assert found == [
        {"snow_depth": 41.5, "relative_humidity": 86},
        {"snow_depth": "the lens is dirty"},
        {"snow_depth": "no echo"},
    ]


@pytest.mark.parametrize(
    ("text", "old", "new", "sentence"),
    [
        (BYTES, 'reads = "bytes"\n', "", "reads must be 'bytes', 'type_length_value' or 'object'"),
        (BYTES, '"bytes"', '"tea leaves"', "reads must be 'bytes', 'type_length_value' or 'object'"),
        (BYTES, 'source = "test"\n', "", "source is missing"),
        (BYTES, '"little"', '"middle"', "endianness: input should be 'big' or 'little'"),
        (BYTES, "length = 4\n", "", "layout 1.length is missing"),
        (BYTES, "length = 4", "lenght = 4\nlength = 4", "layout 1.lenght is not a known key"),
        (BYTES, "length = 4", "length = 300", "layout 1.length: input should be less than or equal to 242"),
        (BYTES, "length = 4", "length = 3", "layout 1: distance at 0 with 4 bytes ends beyond the 3 bytes"),
        (
            BYTES,
            "length = 4",
            "length = 4\nwhere = [{ offset = 4, values = [1] }]",
            "layout 1: where looks at byte 4, beyond the 4 bytes",
        ),
        (
            BYTES,
            "length = 4",
            "length = 4\nwhere = [{ offset = 0, values = [256] }]",
            "layout 1.where 1.values 1: input should be less than or equal to 255",
        ),
        (BYTES, "offset = 0", 'offset = "0"', "layout 1.field 1.offset: input should be a valid integer"),
        (BYTES, '"distance"', '"depth"', "layout 1.field 1: quantity 'depth' is none of distance"),
        (BYTES, '"ft"', '"yard"', "layout 1.field 1: unit 'yard' of distance is none of mm, cm, m, in, ft"),
        (
            BYTES,
            '"ft"',
            '"ft"\nscale = 1e-320',
            "layout 1.field 1: scale must be a number other than 0, and plus a number",
        ),
        (BYTES, '"distance"', '"carbon_dioxide"', "layout 1.field 1: unit 'ft' of carbon_dioxide is none of ppm"),
        (BYTES, '"distance"', '"signal_rssi"', "layout 1.field 1: quantity 'signal_rssi' is none of distance"),
        (BYTES, "source", "deep = " + "[" * 10_000 + "\nsource", "is not valid TOML"),
        (BYTES, '"ft"', '"ft"\nscale = 0', "layout 1.field 1: scale must be a number other than 0, and plus a number"),
        (BYTES, '"ft"', '"ft"\nplus = inf', "layout 1.field 1: scale must be a number other than 0, and plus a number"),
        (
            BYTES,
            "0x7FFFFFFF",
            "-1",
            "layout 1.field 1: sentinel -1 is no float32: it must be the four bytes as a whole number",
        ),
        (BYTES, '"float32"', '"uint64"', "layout 1.field 1.type: input should be 'uint8'"),
        (TABLE, "type = 2", "type = 1", "type 0x1 is declared twice"),
        (TABLE, "type = 2", "type = 256", "type 0x100 does not fit into 1 byte"),
        (TABLE, "width = 3", "width = 2", "item 2: uint24 needs 3 bytes and the item has 2"),
        (
            TABLE,
            '"distance", unit = "mm"',
            '"air_temperature", unit = "K"',
            "quantity air_temperature is declared twice",
        ),
        (OBJECT, '"rh"', '""', "field 2.key: string should match pattern"),
        (OBJECT, '["snow_depth"]', '["distance"]', "a refusal names distance, which no field reads"),
        (OBJECT, "value = 1", 'value = "yes"', "refusal 1.when 1.value: input should be a valid number"),
        (OBJECT, "reads", "reads =", "is not valid TOML"),
    ],
)
def test_every_mistake_has_a_sentence(tmp_path: Path, text: str, old: str, new: str, sentence: str) -> None:
    assert old in text
    with pytest.raises(ProfileError) as caught:
        load_declared(declare(tmp_path, text.replace(old, new, 1)))
    [mistake] = caught.value.mistakes
    assert mistake.startswith("mine.toml: ")
    assert sentence in mistake
    assert mistake.endswith(".")
    assert "\n" not in mistake


@pytest.mark.parametrize(("quantity", "unit"), [("carbon_dioxide", "ppm"), ("sound_level", "dB(A)")])
def test_a_quantity_that_comes_in_its_own_unit_only(tmp_path: Path, quantity: str, unit: str) -> None:
    profile = load_declared(declare(tmp_path, TABLE.replace("air_temperature", quantity).replace("degF", unit)))
    numbers = profile.decode_payloads(pa.array([bytes.fromhex("0101a4")]), np.array([1]))
    assert (numbers.value.tolist(), numbers.fields[0].unit) == ([42.0], unit)


def test_several_mistakes_have_a_sentence_each(tmp_path: Path) -> None:
    with pytest.raises(ProfileError) as caught:
        load_declared(declare(tmp_path, BYTES.replace("offset = 0\n", "").replace('source = "test"', "colour = 1")))
    assert len(caught.value.mistakes) == 3


def test_profiles_of_a_folder(tmp_path: Path) -> None:
    declare(tmp_path, TABLE)
    profiles = load_profiles(tmp_path)
    assert set(profiles) == {*PROFILES, "mine"}
    before = profiles["mine"].fingerprint
    declare(tmp_path, TABLE.replace("0.1", "0.2"))
    assert load_profiles(tmp_path)["mine"].fingerprint != before
    assert load_profiles(None) == PROFILES
    (tmp_path / "elsys.toml").write_text(TABLE, encoding="utf-8")
    with pytest.raises(ProfileError, match="the name elsys is that of another profile"):
        load_profiles(tmp_path)
    with pytest.raises(ProfileError, match=r"the folder .*none does not exist"):
        load_profiles(tmp_path / "none")


@pytest.mark.parametrize("text", [BYTES, TABLE], ids=["bytes", "table"])
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(contents=st.lists(st.binary(max_size=20) | st.binary(min_size=4, max_size=4), min_size=1, max_size=10))
def test_any_bytes(tmp_path: Path, text: str, contents: list[bytes]) -> None:
    profile = load_declared(declare(tmp_path, text))
    numbers = profile.decode_payloads(pa.array(contents, pa.binary()), np.zeros(len(contents), np.int64))
    for field, value, reason in zip(numbers.field, numbers.value, numbers.reason.to_pylist(), strict=True):
        low, high = PHYSICAL_LIMITS[numbers.fields[field].quantity]
        assert reason or low <= value <= high
