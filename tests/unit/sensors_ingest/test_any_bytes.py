"""Whatever the bytes: every feed ends with readings or rejects, never with an exception, and loses no line."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensors_ingest.devices import Device
from sensors_ingest.envelopes import CHIRPSTACK, THE_THINGS_STACK
from sensors_ingest.http import Folder
from sensors_ingest.landing import Landing
from sensors_ingest.metry import Metry
from sensors_ingest.network_server import NetworkServer
from sensors_ingest.ngsi_ld import NgsiLd
from sensors_ingest.sensorthings import Datastream, SensorThings
from sensors_ingest.smhi import Series, Smhi
from sensors_ingest.tabular import Columns, Tabular
from sensors_ingest.trafikverket import Trafikverket
from sensors_ingest.units import Scale
from tests.decoding import decode, decode_one, land

HERE = Folder(Path())
SCALES = (Scale("t", "air_temperature", "degC", (-9999,), -40, 60),)
LONG = Columns("s", ("time",), "v", "q", "u", "c", ("r",))
WIDE = Columns("s", ("time",))
SOURCES: dict[str, Any] = {
    "trafikverket": Trafikverket("feed", HERE),
    "metry_hour": Metry("feed", HERE, ("m",), ("energy", "flow")),
    "metry_month": Metry("feed", HERE, ("m",), ("energy", "flow"), "month"),
    "sensorthings": SensorThings("feed", HERE, (Datastream("12", "roof", "air_temperature"),)),
    "ngsi_ld": NgsiLd("feed", HERE),
    "smhi_latest": Smhi("feed", HERE, (Series(1, 74180),)),
    "smhi_archive": Smhi("feed", HERE, (Series(1, 74180),)),
}
# SMHI's parameter and form are told by the address.
ADDRESSES = {
    "smhi_latest": "parameter/1/station/74180/period/latest-months/data.json",
    "smhi_archive": "parameter/1/station/74180/period/corrected-archive/data.csv",
}
LASER = "24E124713C140003"
DEVICES = (Device(LASER, "milesight_em400_tld"), Device("10A52AAA84FFFFFF", "enviot"))
UPLINKS = {
    "the_things_stack": NetworkServer("feed", THE_THINGS_STACK, DEVICES),
    "chirpstack": NetworkServer("feed", CHIRPSTACK, DEVICES),
}
TABLES = {
    "ndjson": Tabular("feed", HERE, "ndjson", LONG, SCALES, timezone="Europe/Stockholm"),
    "ndjson_wide": Tabular("feed", HERE, "ndjson", WIDE, SCALES),
    "csv": Tabular("feed", HERE, "csv", LONG, SCALES, timezone="Europe/Stockholm", decimal=","),
    "csv_wide": Tabular("feed", HERE, "csv", WIDE, SCALES),
}
# Words that mean something to one of the feeds, so that chance reaches the depths of their answers.
KEYS = [
    *("RESPONSE", "RESULT", "WeatherMeasurepoint", "Observation", "Sample", "Air", "Temperature", "Value", "Wind"),
    *("Speed", "Id", "data", "periods", "energy", "flow", "start_date", "meter_id", "value", "result", "@value"),
    *("phenomenonTime", "@iot.id", "Datastream", "unitOfMeasurement", "symbol", "dataArray", "components", "id"),
    *("temperature", "relativeHumidity", "observedAt", "dateObserved", "unitCode", "values", "s", "time", "v", "q"),
    *("date", "from", "quality", "updated", "station", "key", "end_device_ids", "dev_eui", "received_at"),
    *("uplink_message", "frm_payload", "rx_metadata", "deviceInfo", "devEui", "data", "object", "fCnt", "rxInfo"),
]
TIMES = ["2026-01-05T12:00:00Z", "2026-01-05T12:00:00+01:00/x", "294247-01-10T04:00:54Z", "infinity", "2026-01-05", ""]
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([*TIMES, "12", "-99.9", "°C", "phenomenonTime", "result", "urn:ngsi-ld:null", "t"])
    | st.text(max_size=5)
)
JSON = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), inner, max_size=5)
    ),
    max_leaves=25,
)


def nested(*path: Any) -> Any:
    """Documents that look right down to a depth, and are anything below."""

    def wrap(inner: Any) -> Any:
        for step in reversed(path):
            inner = [inner] if step is list else {step: inner}
        return inner

    return JSON.map(wrap)


DOCUMENTS = (
    JSON
    | nested("RESPONSE", "RESULT", list, "WeatherMeasurepoint")
    | nested("RESPONSE", "RESULT", list, "WeatherMeasurepoint", list, "Observation")
    | nested("data", list, "periods", list)
    | nested("data", list, "periods", list, "energy")
    | nested("value", list)
    | nested("value", list, "dataArray")
    | nested("value", list, "date")
    | st.fixed_dictionaries({"id": st.just("x"), "temperature": JSON, "dateObserved": JSON})
)


@contextmanager
def new_landing() -> Iterator[Landing]:
    with TemporaryDirectory() as folder:
        yield Landing(Path(folder))


@pytest.mark.parametrize("name", SOURCES)
@settings(max_examples=40, deadline=None)
@given(document=DOCUMENTS)
def test_any_json_is_readings_or_rejects(name: str, document: Any) -> None:
    with new_landing() as landing:
        decode_one(SOURCES[name], landing, json.dumps(document).encode(), address=ADDRESSES.get(name, "a.json"))


@pytest.mark.parametrize("name", SOURCES)
@settings(max_examples=25, deadline=None)
@given(content=st.binary(max_size=200))
def test_any_bytes_are_readings_or_rejects(name: str, content: bytes) -> None:
    with new_landing() as landing:
        decode_one(SOURCES[name], landing, content, address=ADDRESSES.get(name, "a.json"))


# Uplinks of a device we know, in which one part is anything.
PAYLOADS = st.binary(max_size=20).map(lambda content: base64.b64encode(content).decode()) | JSON
TIMED = st.sampled_from(TIMES) | JSON
OF_THE_THINGS_STACK = st.fixed_dictionaries(
    {
        "end_device_ids": st.just({"dev_eui": LASER}) | JSON,
        "received_at": TIMED,
        "uplink_message": st.fixed_dictionaries(
            {"frm_payload": PAYLOADS, "received_at": TIMED, "f_cnt": JSON, "session_key_id": JSON, "rx_metadata": JSON}
        )
        | JSON,
    }
)
OF_CHIRPSTACK = st.fixed_dictionaries(
    {
        "deviceInfo": st.just({"devEui": LASER}) | JSON,
        "deduplicationId": JSON,
        "time": TIMED,
        "fCnt": JSON,
        "data": PAYLOADS,
        "object": JSON,
        "rxInfo": JSON,
    }
)


@pytest.mark.parametrize("name", UPLINKS)
@settings(max_examples=40, deadline=None)
@given(messages=st.lists(OF_THE_THINGS_STACK | OF_CHIRPSTACK | JSON, max_size=5))
def test_any_uplink_is_readings_or_a_reject(name: str, messages: list[Any]) -> None:
    with new_landing() as landing:
        rows = decode_one(UPLINKS[name], landing, "\n".join(map(json.dumps, messages)).encode())
    # What ChirpStack says beside uplinks is no row.
    expected = set(range(1, len(messages) + 1))
    assert set(rows["landing_row"]) == expected if name == "the_things_stack" else set(rows["landing_row"]) <= expected


ROWS = st.dictionaries(st.sampled_from(["s", "time", "v", "q", "t", "u", "c", "r"]), JSON)
WHOLE_LINES = (OF_THE_THINGS_STACK | nested("result", "uplink_message") | OF_CHIRPSTACK | ROWS).map(json.dumps)
CUT_LINES = st.builds(lambda line, length: line[:length], WHOLE_LINES, st.integers(1, 40))
PUSHED_LINES = CUT_LINES.map(lambda body: f'{{"pushed_at":"2026-01-05T12:00:00Z","body":{json.dumps(body)}}}')


@pytest.mark.parametrize("name", [*UPLINKS, "ndjson", "ndjson_wide"])
@settings(max_examples=40, deadline=None)
@given(lines=st.lists(WHOLE_LINES | CUT_LINES | PUSHED_LINES, max_size=6))
def test_lines_after_a_broken_one_are_read_as_without_it(name: str, lines: list[str]) -> None:
    source = (UPLINKS | TABLES)[name]
    with new_landing() as landing:
        broken, file = land(landing, b"{", "\n".join([*lines, ""]).encode())
        rows = decode(source, landing, [broken, file])
        assert rows.filter(pl.col("landing_id") == file.landing_id).equals(decode(source, landing, [file]))
        assert len(rows.filter(pl.col("landing_id") == broken.landing_id)) == 1


@pytest.mark.parametrize("name", UPLINKS)
@settings(max_examples=25, deadline=None)
@given(content=st.binary(max_size=200))
def test_any_bytes_of_a_network_server_are_rejects(name: str, content: bytes) -> None:
    with new_landing() as landing:
        rows = decode_one(UPLINKS[name], landing, content)
    assert rows["reject_reason"].null_count() == 0


@pytest.mark.parametrize("name", ["ndjson", "ndjson_wide"])
@settings(max_examples=40, deadline=None)
@given(documents=st.lists(ROWS, max_size=4))
def test_any_ndjson_loses_no_line(name: str, documents: list[Any]) -> None:
    with new_landing() as landing:
        rows = decode_one(TABLES[name], landing, "\n".join(map(json.dumps, documents)).encode())
    if name == "ndjson":
        assert rows["landing_row"].to_list() == list(range(1, len(documents) + 1))


CELLS = st.sampled_from([*TIMES, "t", "1,5", "-9999", '"', '""', "x", "2026-03-29 02:30:00"]) | st.text(max_size=4)


@pytest.mark.parametrize("name", ["csv", "csv_wide"])
@settings(max_examples=40, deadline=None)
@given(lines=st.lists(st.lists(CELLS, max_size=8).map(";".join), max_size=5))
def test_any_csv_loses_no_line(name: str, lines: list[str]) -> None:
    header = "s;time;v;q;u;c;r" if name == "csv" else "s;time;t"
    content = "\n".join([header, *lines]).encode("utf-8", "replace")
    with new_landing() as landing:
        rows = decode_one(TABLES[name], landing, content)
    written = content.decode().split("\n")
    expected = [number for number, line in enumerate(written, 1) if number > 1 and line.strip(" \t\r")]
    if name == "csv":
        assert rows["landing_row"].to_list() == expected


@settings(max_examples=40, deadline=None)
@given(lines=st.lists(st.lists(CELLS, max_size=6).map(";".join), max_size=5))
def test_any_archive_of_smhi_is_readings_or_rejects(lines: list[str]) -> None:
    header = "Stationsnamn;Klimatnummer\nHagshult Mo;74180\n\nDatum;Tid (UTC);Lufttemperatur;Kvalitet"
    content = "\n".join([header, *lines]).encode("utf-8", "replace")
    with new_landing() as landing:
        decode_one(SOURCES["smhi_archive"], landing, content, address=ADDRESSES["smhi_archive"], suffix="csv")


@pytest.mark.parametrize("name", [*SOURCES, *TABLES, *UPLINKS])
@pytest.mark.parametrize(
    "bomb", [b"[" * 200_000, b"[" * 200_000 + b"]" * 200_000, b'{"value":' * 50_000, b"\x00" * 1000]
)
def test_bombs_are_rejects(name: str, bomb: bytes) -> None:
    with new_landing() as landing:
        rows = decode_one((SOURCES | TABLES | UPLINKS)[name], landing, bomb, address=ADDRESSES.get(name, "a.json"))
    assert rows["reject_reason"].null_count() == 0
    assert rows["source_row"].str.len_chars().max() in (None, *range(4001))
