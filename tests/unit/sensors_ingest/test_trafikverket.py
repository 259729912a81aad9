"""Trafikverket: the cursor that neither loses nor repeats, the key that is nowhere seen, and what is no reading."""

import json
import logging
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import polars as pl
import pytest
from pydantic import SecretStr

from sensors_ingest.http import Folder, HttpOrigin, SourceUnreachable
from sensors_ingest.landing import LandedFile, Landing
from sensors_ingest.trafikverket import Trafikverket
from tests import feed_servers
from tests.decoding import decode, decode_one
from tests.servers import Answer, Request, Scripted, serve

KEY = "0123456789abcdef&<secret>"
SAMPLE = "2024-10-16T22:40:03.001+02:00"


def point(number: int = 1, **observation: Any) -> dict[str, Any]:
    return {
        "Id": str(number),
        "Name": "Nässjö",
        "Geometry": {"WGS84": "POINT (14.7 57.65)"},
        "Observation": {"Sample": SAMPLE, "Air": {"Temperature": {"Value": float(number)}}} | observation,
        "Deleted": False,
        "ModifiedTime": "2024-10-16T20:45:00.5Z",
    }


def answer(*records: Any) -> dict[str, Any]:
    return {"RESPONSE": {"RESULT": [{"WeatherMeasurepoint": records, "INFO": {"LASTCHANGEID": "7"}}]}}


def source(url: str, page_size: int = 1000, **more: Any) -> Trafikverket:
    return Trafikverket("roads", HttpOrigin(url, SecretStr(KEY)), page_size=page_size, **more)


POINTS: dict[str, Any] = {"object_type": "WeatherMeasurepoint"}
DELIVERED = Trafikverket("roads", Folder(Path()))


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path / "landing")


def stations(landing: Landing, files: list[LandedFile]) -> list[int]:
    return sorted(int(each) for each in decode(DELIVERED, landing, files)["sensor_id"])


def test_every_column_of_a_reading(landing: Landing) -> None:
    [row] = decode_one(DELIVERED, landing, answer(point())).rows(named=True)
    assert row == {
        "feed": "roads",
        "sensor_id": "1",
        "quantity": "air_temperature",
        "observed_at": datetime(2024, 10, 16, 20, 40, 3, 1000, tzinfo=UTC),
        "value": 1.0,
        "unit": "degC",
        "source_value": "1.0",
        "source_unit": "degC",
        "quality": "unverified",
        "source_quality": None,
        "received_at": datetime(2024, 10, 16, 20, 45, 0, 500_000, tzinfo=UTC),
        "precedence": 0,
        "uplink_key": None,
        "landing_id": landing.files("feed")[0].landing_id,
        "landing_row": 1,
        "reject_reason": None,
        "source_row": None,
    }


def test_every_quantity(landing: Landing) -> None:
    observation = {
        "Air": {"Temperature": {"Value": -2.5}, "Dewpoint": {"Value": -4}, "RelativeHumidity": {"Value": 91}},
        "Surface": {"Temperature": {"Value": -1.1}, "SnowDepth": {"Solid": {"Value": 12}}},
        "Wind": [{"Height": 6, "Speed": {"Value": 3.2}, "Direction": {"Value": 180}}],
    }
    rows = decode_one(DELIVERED, landing, answer(point(**observation)))
    assert rows.select("quantity", "value", "unit").rows() == [
        ("air_temperature", -2.5, "degC"),
        ("dew_point", -4.0, "degC"),
        ("relative_humidity", 91.0, "percent"),
        ("road_snow_depth", 12.0, "mm"),
        ("road_surface_temperature", -1.1, "degC"),
        ("wind_speed", 3.2, "m/s"),
    ]


def test_snow_on_the_road_is_never_snow_depth(landing: Landing) -> None:
    for said in ({"SnowDepth": {"Solid": {"Value": 30}}}, {"SnowDepth.Solid": {"Value": 30}}):
        rows = decode_one(DELIVERED, landing, answer(point(Air={}, Surface=said)))
        assert rows.select("quantity", "value", "unit").rows() == [("road_snow_depth", 30.0, "mm")]


@pytest.mark.parametrize(
    "missing", [{}, {"Temperature": {}}, {"Temperature": [{}]}, {"Temperature": {"Value": None}}, None, [{}], []]
)
def test_missing_is_nothing(landing: Landing, missing: Any) -> None:
    assert decode_one(DELIVERED, landing, answer(point(Air=missing))).is_empty()


def test_point_without_an_observation_is_nothing(landing: Landing) -> None:
    assert decode_one(
        DELIVERED, landing, answer({"Id": "1", "Name": "new"}, {"Id": "2", "Observation": None})
    ).is_empty()
    assert decode_one(DELIVERED, landing, answer()).is_empty()


@pytest.mark.parametrize("sentinel", [-99.9, -99.8, -100, "-99.90"])
def test_sentinels_of_the_old_system_are_no_temperatures(landing: Landing, sentinel: Any) -> None:
    [row] = decode_one(DELIVERED, landing, answer(point(Air={"Temperature": {"Value": sentinel}}))).rows(named=True)
    assert row["reject_reason"] == f"sentinel {sentinel} (no value)"
    assert (row["sensor_id"], row["quantity"]) == ("1", "air_temperature")


def test_minus_nine_is_a_temperature_but_no_wind_or_humidity(landing: Landing) -> None:
    air = {"Temperature": {"Value": -9}, "RelativeHumidity": {"Value": -9}}
    rows = decode_one(DELIVERED, landing, answer(point(Air=air, Wind=[{"Speed": {"Value": -9}}])))
    assert rows.select("quantity", "value", "reject_reason").rows() == [
        ("air_temperature", -9.0, None),
        ("relative_humidity", None, "sentinel -9 (no value)"),
        ("wind_speed", None, "sentinel -9 (no value)"),
    ]


@pytest.mark.parametrize(
    ("sample", "instant"),
    [
        ("2024-10-27T02:30:00+02:00", datetime(2024, 10, 27, 0, 30, tzinfo=UTC)),
        ("2024-10-27T02:30:00+01:00", datetime(2024, 10, 27, 1, 30, tzinfo=UTC)),
        ("2024-10-27T00:30:00Z", datetime(2024, 10, 27, 0, 30, tzinfo=UTC)),
        ("2024-10-27T02:30:00", None),
        ("2024-10-27", None),
        ("0001-01-01T00:00:00Z", None),
        (None, None),
        (1729989000, None),
    ],
)
def test_a_time_needs_its_offset(landing: Landing, sample: Any, instant: datetime | None) -> None:
    [row] = decode_one(DELIVERED, landing, answer(point(Sample=sample))).rows(named=True)
    assert row["observed_at"] == instant
    assert (row["reject_reason"] is None) == (instant is not None)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (point() | {"Deleted": True}, "the measuring point is deleted"),
        (point() | {"Id": None}, "no sensor"),
        (17, "the record is not an object"),
        (None, "the record is not an object"),
        (point(Air={"Temperature": {"Value": "warm"}}), "value warm is not a number"),
        (point(Air={"Temperature": {"Value": ""}}), "no value"),
        (point(Air={"Temperature": {"Value": 1e999}}), "not a number"),
    ],
)
def test_bad_record_is_one_reject(landing: Landing, record: Any, reason: str) -> None:
    content = json.dumps(answer(point(5), record)).replace("Infinity", "1e999").encode()
    rows = decode_one(DELIVERED, landing, content)
    assert rows["landing_row"].to_list() == [1, 2]
    assert rows["value"].to_list() == [5.0, None]
    assert reason in rows["reject_reason"][1]
    assert rows["source_row"][1]


@pytest.mark.parametrize(
    "content", [b"", b"<html>down", b"[]", b"{}", b'{"RESPONSE":{"RESULT":[{"ERROR":{"MESSAGE":"x"}}]}}', b"[" * 10**5]
)
def test_what_is_no_answer_is_one_reject(landing: Landing, content: bytes) -> None:
    rows = decode_one(DELIVERED, landing, content)
    assert len(rows) == (1 if content else 0)
    assert rows["reject_reason"].str.starts_with("no road weather but: ").all()


def test_observations_of_the_last_days_have_their_points_id(landing: Landing) -> None:
    record = {"Id": "99", "Measurepoint": {"Id": "12"}, "Sample": SAMPLE, "Air": {"Temperature": {"Value": 1}}}
    content = {"RESPONSE": {"RESULT": [{"WeatherObservation": [record]}]}}
    assert decode_one(DELIVERED, landing, content)["sensor_id"].to_list() == ["12"]


@pytest.mark.parametrize(("page_size", "largest_page"), [(1000, 1000), (3, 1000), (1000, 3), (7, 7), (1, 1)])
def test_every_change_comes_once_whatever_the_pages(landing: Landing, page_size: int, largest_page: int) -> None:
    server = feed_servers.Trafikverket(KEY, [point(number) for number in range(7)], largest_page)
    with serve(server) as url:
        files = source(url, page_size).fetch(landing)
        assert stations(landing, files) == list(range(7))
        server.records.append(point(7))
        files = source(url, page_size).fetch(landing)
    assert stations(landing, files) == list(range(8))
    assert server.asked[0] == "0"
    assert [file.is_new for file in files].count(True) == 2


def test_nothing_new_lands_nothing_new(landing: Landing) -> None:
    server = feed_servers.Trafikverket(KEY, [point(1)])
    with serve(server) as url:
        source(url).fetch(landing)
        files = source(url).fetch(landing)
    assert [file.is_new for file in files] == [False, False]


@pytest.mark.parametrize("empty_id", ["0", None])
def test_an_empty_answer_does_not_begin_anew(landing: Landing, empty_id: str | None) -> None:
    server = feed_servers.Trafikverket(KEY, [point(1), point(2)])
    server.empty_id = empty_id
    with serve(server) as url:
        source(url).fetch(landing)
        source(url).fetch(landing)
        server.records.append(point(3))
        files = source(url).fetch(landing)
    assert stations(landing, files) == [1, 2, 3]
    assert server.asked == ["0", "2", "2", "2", "3"]


def test_nothing_at_all_is_no_failure(landing: Landing) -> None:
    server = feed_servers.Trafikverket(KEY, [])
    server.empty_id = None
    with serve(server) as url:
        assert source(url).fetch(landing) == []


def test_the_records_of_an_answer_that_was_too_large_are_readings(landing: Landing) -> None:
    error = {"SOURCE": "datacache", "MESSAGE": "The result is too large and not complete"}
    content = answer(point(4))
    content["RESPONSE"]["RESULT"][0]["ERROR"] = error
    [row] = decode_one(DELIVERED, landing, content).rows(named=True)
    assert (row["sensor_id"], row["reject_reason"]) == ("4", None)


@pytest.mark.parametrize(("page", "last_id"), [([], "7"), ([], None), ([point()], "0")])
def test_a_partial_answer_that_does_not_lead_on_is_an_error(
    landing: Landing, page: list[Any], last_id: str | None
) -> None:
    partial = feed_servers.changes("WeatherObservation", page, last_id, is_whole=False)
    with serve(Scripted(partial)) as url, pytest.raises(SourceUnreachable, match="too large and not complete"):
        source(url).fetch(landing)
    assert landing.files("roads") == []


def test_the_key_in_a_partial_answer_does_not_land(landing: Landing) -> None:
    partial = feed_servers.changes("WeatherObservation", [point()], "1", is_whole=False)
    said = partial.body.replace(b"not complete", b"not complete for " + KEY.encode())
    with serve(Scripted(Answer(206, said), feed_servers.changes("WeatherObservation", [], "1"))) as url:
        [file, _] = source(url).fetch(landing)
    assert KEY.encode() not in landing.read(file)


@pytest.mark.parametrize(
    ("failing", "reason"),
    [(Answer(503), "HTTP 503"), (Answer(body=b'{"RESPONSE":' + b" " * 1000, drip_seconds=0.01), "the answer drips")],
)
def test_crash_between_answers_neither_loses_nor_repeats(
    landing: Landing, monkeypatch: pytest.MonkeyPatch, failing: Answer, reason: str
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setattr("sensors_ingest.http.PACE_SECONDS", 0.2)
    server = feed_servers.Trafikverket(KEY, [point(number) for number in range(10)])
    answers = iter(range(100))

    def crashing(request: Request) -> Answer:
        return server(request) if next(answers) < 2 else failing

    with serve(crashing) as url, pytest.raises(SourceUnreachable, match=reason):
        source(url, page_size=3).fetch(landing)
    assert len(landing.files("roads")) == 2
    with serve(server) as url:
        # Another port is another address: as after a restart, the server is the same one.
        for file in landing.files("roads"):
            sidecar = file.path.with_name(file.landing_id + ".json")
            sidecar.write_text(sidecar.read_text().replace(file.address, f"{url}/v2/data.json#WeatherObservation"))
        files = source(url, page_size=3).fetch(landing)
    assert stations(landing, files) == list(range(10))
    assert server.asked == ["0", "3", "6", "9", "10"]


@pytest.mark.parametrize(
    ("object_type", "samples_of_a_point"), [("WeatherObservation", 3 * 144), ("WeatherMeasurepoint", 3)]
)
def test_a_night_brings_every_sample_since_the_last(
    landing: Landing, object_type: Literal["WeatherObservation", "WeatherMeasurepoint"], samples_of_a_point: int
) -> None:
    """Three nights, one of which came a day late: of measuring points each sees the newest sample and no other."""
    server = feed_servers.RoadWeather(KEY, ["12", "13"], largest_page=100)
    first = datetime(2026, 1, 1, tzinfo=UTC)
    with serve(server) as url:
        for begin, end in ((0, 12), (12, 60), (60, 72)):
            server.measure(first + timedelta(hours=begin), first + timedelta(hours=end))
            files = source(url, object_type=object_type).fetch(landing)
    rows = decode(DELIVERED, landing, files)
    assert rows.group_by("sensor_id").len().sort("sensor_id").rows() == [
        ("12", samples_of_a_point),
        ("13", samples_of_a_point),
    ]
    assert rows.select("sensor_id", "observed_at").is_unique().all()
    assert rows["reject_reason"].is_null().all()


def test_the_other_type_starts_at_its_own_beginning(landing: Landing) -> None:
    server = feed_servers.Trafikverket(KEY, [point(number) for number in range(3)])
    with serve(server) as url:
        source(url, **POINTS).fetch(landing)
        source(url).fetch(landing)
    assert server.asked == ["0", "3", "0", "3"]


def test_observations_are_what_is_asked_for_unless_said_otherwise(landing: Landing) -> None:
    server = feed_servers.Trafikverket(KEY, [])
    with serve(server) as url:
        source(url).fetch(landing)
    asked = b'objecttype="WeatherObservation" namespace="road.weatherinfo" schemaversion="2.1"'
    assert asked in server.requests[0].body


def test_the_key_is_in_the_body_and_nowhere_else(landing: Landing, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server = feed_servers.Trafikverket(KEY, [point()])
    with serve(server) as url:
        [file, _] = source(url).fetch(landing)
        wrong = Trafikverket("roads", HttpOrigin(url, SecretStr("wrong-key-123")))
        with pytest.raises(SourceUnreachable) as caught:
            wrong.fetch(landing)
    request = server.requests[0]
    assert "Authorization" not in request.headers
    assert not request.query
    assert b"&amp;&lt;secret&gt;" in request.body
    sidecar = file.path.with_name(file.landing_id + ".json").read_text()
    for text in (repr(wrong), repr(source(url)), sidecar, file.address, caplog.text, str(caught.value)):
        assert "secret" not in text
        assert "wrong-key-123" not in text
    assert "HTTP 401" in str(caught.value)
    assert "Invalid authentication" in str(caught.value)


def test_the_key_does_not_follow_a_redirect(landing: Landing) -> None:
    script = Scripted(Answer(307, headers={"Location": "/elsewhere"}))
    with serve(script) as url, pytest.raises(SourceUnreachable, match="HTTP 307"):
        source(url).fetch(landing)
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    ("more", "filter_"),
    [
        ({"stations": ("1", "2"), **POINTS}, b'<IN name="Id" value="1,2"/>'),
        (
            {"box": (13.9, 57.0, 15.6, 58.2), **POINTS},
            b'<WITHIN name="Geometry.WGS84" shape="box" value="13.9 57.0, 15.6 58.2"/>',
        ),
        (
            {"stations": ('1"/><X',)},
            b'<IN name="Measurepoint.Id" value=\'1"/&gt;&lt;X\'/>',
        ),
    ],
)
def test_what_is_asked_for(landing: Landing, more: dict[str, Any], filter_: bytes) -> None:
    server = feed_servers.Trafikverket(KEY, [])
    with serve(server) as url:
        source(url, **more).fetch(landing)
    assert filter_ in server.requests[0].body


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (Answer(body=b"<html>"), "the answer is not JSON"),
        (Answer(body=b"{}"), "names no LASTCHANGEID"),
        (Answer(body=json.dumps({"RESPONSE": {"RESULT": [{"ERROR": {"MESSAGE": "Unknown"}}]}}).encode()), "Unknown"),
        (Answer(body=json.dumps(answer(point())).encode(), is_cut=True), "broke off"),
        (Answer(403, b"forbidden"), "HTTP 403"),
        (Answer(404), "HTTP 404"),
    ],
)
def test_answer_that_is_not_whole_lands_nothing(landing: Landing, sent: Answer, reason: str) -> None:
    with serve(Scripted(sent)) as url, pytest.raises(SourceUnreachable, match=reason):
        source(url).fetch(landing)
    assert landing.files("roads") == []


def test_changes_that_never_end_are_given_up(landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sensors_ingest.trafikverket.MOST_ANSWERS", 5)
    numbers = iter(range(1, 100))

    def endless(_: Request) -> Answer:
        result = {"WeatherObservation": [point()], "INFO": {"LASTCHANGEID": str(next(numbers))}}
        return Answer(body=json.dumps({"RESPONSE": {"RESULT": [result]}}).encode())

    with serve(endless) as url, pytest.raises(SourceUnreachable, match="do not end"):
        source(url).fetch(landing)


def test_rate_limit_is_waited_out(landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    server = feed_servers.Trafikverket(KEY, [point()])
    calls = iter(range(10))

    def limited(request: Request) -> Answer:
        return Answer(429, headers={"X-Ratelimit-Reset": "4"}) if next(calls) == 0 else server(request)

    with serve(limited) as url:
        assert stations(landing, source(url).fetch(landing)) == [1]
    assert waits == [4]


def test_folder_holds_answers(tmp_path: Path, landing: Landing) -> None:
    folder = tmp_path / "delivered"
    folder.mkdir()
    (folder / "a.json").write_text(json.dumps(answer(point(3))))
    (folder / "notes.txt").write_text("no answer")
    delivered = Trafikverket("roads", Folder(folder))
    files = delivered.fetch(landing)
    assert stations(landing, files) == [3]
    assert decode(delivered, landing, files)["observed_at"].dtype == pl.Datetime("us", "UTC")
