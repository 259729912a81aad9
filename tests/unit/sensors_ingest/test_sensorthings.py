"""SensorThings: links that stay at home, both forms of answers, intervals, strings, and units from the data stream."""

from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from sensors_ingest.documents import as_record
from sensors_ingest.http import Folder, HttpOrigin, SourceUnreachable
from sensors_ingest.landing import Landing
from sensors_ingest.sensorthings import Datastream, SensorThings
from tests import feed_servers
from tests.decoding import decode, decode_one
from tests.servers import Answer, Request, Scripted, serve

DAY = date(2026, 1, 5)
ROOF = Datastream("12", "roof", "air_temperature", (9999,))
DELIVERED = SensorThings("things", Folder(Path()), (ROOF,))
TOKEN = "things-secret"


def stream(symbol: str | None = "°C", name: str = "degree Celsius", **more: Any) -> dict[str, Any]:
    return {"@iot.id": 12, "unitOfMeasurement": {"symbol": symbol, "name": name}} | more


def observation(result: Any = 1.5, time: Any = "2026-01-05T12:00:00.000Z", **more: Any) -> dict[str, Any]:
    return {"phenomenonTime": time, "result": result, "resultTime": None} | more


def sequence(*answers: Any) -> bytes:
    return b"".join(b"".join(as_record([feed_servers.as_json(answer)])) for answer in answers)


def source(url: str, **more: Any) -> SensorThings:
    return SensorThings("things", HttpOrigin(f"{url}/v1.1", SecretStr(TOKEN)), (ROOF,), lookback_days=0, **more)


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path / "landing")


@pytest.mark.parametrize(
    ("symbol", "name", "result", "value"),
    [
        ("°C", "", 1.5, 1.5),
        ("", "degree Celsius", 1.5, 1.5),
        (None, "degC", "1.5", 1.5),
        ("°F", "", 32, 0.0),
        ("K", "", 273.15, 0.0),
    ],
)
def test_unit_is_that_of_the_data_stream(landing: Landing, symbol: Any, name: str, result: Any, value: float) -> None:
    content = sequence(stream(symbol, name), {"value": [observation(result)]})
    [row] = decode_one(DELIVERED, landing, content, suffix="json-seq").rows(named=True)
    assert (row["sensor_id"], row["quantity"], row["value"], row["unit"]) == ("roof", "air_temperature", value, "degC")
    assert (row["source_value"], row["source_unit"]) == (str(result), symbol or name)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ((stream("furlong"), {"value": [observation()]}), "unit furlong of 12 unknown"),
        ((stream(None, ""), {"value": [observation()]}), "data stream 12 tells no unit"),
        (({"value": [observation()]},), "the observation names no data stream"),
        (({"value": [observation(Datastream={"@iot.id": 99})]},), "data stream 99 is not configured"),
        (({"value": [observation(Datastream={"@iot.id": 12})]},), "data stream 12 tells no unit"),
        ((stream(), {"value": [observation(None)]}), "no value"),
        ((stream(), {"value": [observation("")]}), "no value"),
        ((stream(), {"value": [observation("cold")]}), "value cold is not a number"),
        ((stream(), {"value": [observation(True)]}), "value true is not a number"),
        ((stream(), {"value": [observation([1, 2])]}), "value [1,2] is not a number"),
        ((stream(), {"value": [observation(9999)]}), "sentinel 9999 (no value)"),
        ((stream(), {"value": [observation(time=None)]}), "the time cannot be read"),
        ((stream(), {"value": [observation(time="2026-01-05T12:00:00")]}), "the time cannot be read"),
        ((stream(), {"value": [17]}), "the time cannot be read"),
        ((stream(), {"code": 404, "message": "Nothing found"}), "no observations but: Nothing found"),
    ],
)
def test_what_is_no_observation_is_one_reject(landing: Landing, content: tuple[Any, ...], reason: str) -> None:
    [row] = decode_one(DELIVERED, landing, sequence(*content), suffix="json-seq").rows(named=True)
    assert row["reject_reason"] == reason
    assert row["source_row"]


def test_interval_counts_from_its_start(landing: Landing) -> None:
    content = sequence(stream(), {"value": [observation(time="2026-01-05T12:00:00+01:00/2026-01-05T13:00:00+01:00")]})
    [row] = decode_one(DELIVERED, landing, content, suffix="json-seq").rows(named=True)
    assert row["observed_at"] == datetime(2026, 1, 5, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "quality", "source_quality"),
    [
        ({"status": "9", "quality": "Good"}, "good", "Good"),
        ({"quality": "doubtful"}, "suspect", "doubtful"),
        ("bad", "bad", "bad"),
        ({"quality": "verified by the cat"}, "unverified", "verified by the cat"),
        (None, "unverified", None),
    ],
)
def test_quality_keeps_the_raw_code(landing: Landing, said: Any, quality: str, source_quality: str | None) -> None:
    content = sequence(stream(), {"value": [observation(resultQuality=said)]})
    [row] = decode_one(DELIVERED, landing, content, suffix="json-seq").rows(named=True)
    assert (row["quality"], row["source_quality"]) == (quality, source_quality)


def test_data_array_reads_like_the_plain_form(landing: Landing) -> None:
    components = ["result", "phenomenonTime", "resultQuality"]
    cells = [[1.5, "2026-01-05T12:00:00Z", "good"], ["2", "2026-01-05T13:00:00Z/x", None], [3], 7]
    link = "https://example.org/v1.1/Datastreams(12)"
    array = {"Datastream@iot.navigationLink": link, "components": components, "dataArray": cells}
    other = {"components": components, "dataArray": [[4, "2026-01-05T14:00:00Z", None]]}
    content = sequence(stream(), {"value": [array, other]})
    rows = decode_one(DELIVERED, landing, content, suffix="json-seq")
    assert rows.select("landing_row", "value", "quality", "reject_reason").rows() == [
        (1, 1.5, "good", None),
        (2, 2.0, "unverified", None),
        (3, None, "unverified", "the time cannot be read"),
        (4, None, "unverified", "the time cannot be read"),
        (5, 4.0, "unverified", None),
    ]


def test_a_separator_that_is_doubled_says_nothing(landing: Landing) -> None:
    content = sequence(stream(), {"value": [observation(1.5)]}).replace(b"\x1e", b"\x1e\x1e") + b"\x1e"
    rows = decode_one(DELIVERED, landing, content, suffix="json-seq")
    assert rows.select("landing_row", "value", "reject_reason").rows() == [(1, 1.5, None)]


def test_observation_may_bring_its_own_data_stream(landing: Landing) -> None:
    own = observation(32, Datastream=stream("°F"))
    linked = observation(2, **{"Datastream@iot.navigationLink": "https://x/v1.1/Datastreams('12')"})
    rows = decode_one(DELIVERED, landing, sequence(stream(), [own, linked]), suffix="json-seq")
    assert rows["value"].to_list() == [0.0, 2.0]


@pytest.mark.parametrize(
    ("link", "stream_id"),
    [
        ("Datastreams(12)", "12"),
        ("Datastreams('12')/Observations", "12"),
        ("Datastreams('urn%3Ax')", "urn:x"),
        ("Datastreams(%27urn:x%27)", "urn:x"),
        ("Datastreams('a''b')", "a'b"),
        ("Datastreams('s(1)')/Observations", "s(1)"),
    ],
)
def test_a_link_names_a_stream_with_any_id(landing: Landing, link: str, stream_id: str) -> None:
    literal = stream_id if stream_id.isdigit() else "'" + stream_id.replace("'", "''") + "'"
    source = SensorThings("things", Folder(Path()), (Datastream(literal, "roof", "air_temperature"),))
    linked = observation(2, **{"Datastream@iot.navigationLink": f"https://x/v1.1/{link}"})
    content = sequence(stream(**{"@iot.id": stream_id}), [linked])
    assert decode_one(source, landing, content, suffix="json-seq")["value"].to_list() == [2.0]


def test_two_streams_in_one_file_keep_their_units(landing: Landing) -> None:
    cellar = Datastream("'c'", "cellar", "air_temperature")
    both = SensorThings("things", Folder(Path()), (ROOF, Datastream("c", cellar.sensor_id, cellar.quantity)))
    content = sequence(
        stream(), {"value": [observation(1)]}, stream("°F", **{"@iot.id": "c"}), {"value": [observation(50)]}
    )
    rows = decode_one(both, landing, content, suffix="json-seq")
    assert rows.select("sensor_id", "value", "landing_row").rows() == [("roof", 1.0, 1), ("cellar", 10.0, 2)]


@pytest.mark.parametrize(
    "description",
    [
        {"code": 500, "message": "later"},
        {"@iot.id": "c", "unitOfMeasurement": None},
        {"unitOfMeasurement": {"symbol": "°C"}},
    ],
)
def test_observations_after_a_description_that_cannot_be_read_are_not_those_of_the_stream_before(
    landing: Landing, description: dict[str, Any]
) -> None:
    both = SensorThings("things", Folder(Path()), (ROOF, Datastream("c", "cellar", "air_temperature")))
    content = sequence(stream(), {"value": [observation(1)]}, description, {"value": [observation(50)]})
    rows = decode_one(both, landing, content, suffix="json-seq").select("sensor_id", "value", "reject_reason").rows()
    assert rows[0] == ("roof", 1.0, None)
    assert rows[-1] == (None, None, "the observation names no data stream")


def test_unknown_quantity_is_refused() -> None:
    with pytest.raises(ValueError, match="quantity 'heat' is none of"):
        SensorThings("things", Folder(Path()), (Datastream("1", "x", "heat"),))


OBSERVATIONS = [(f"2026-01-05T{hour:02d}:00:00.000Z", hour) for hour in range(7)]


@pytest.mark.parametrize("is_data_array", [False, True])
@pytest.mark.parametrize("page_size", [1, 2, 3, 7, 100])
def test_every_observation_of_the_local_day_comes(landing: Landing, page_size: int, is_data_array: bool) -> None:
    others = [("2026-01-04T22:59:00.000Z", -1), ("2026-01-06T23:00:00.000Z", 99)]
    server = feed_servers.SensorThings(sorted(OBSERVATIONS + others), page_size)
    with serve(server) as url:
        [file] = source(url, is_data_array=is_data_array).fetch(landing, [DAY])
    assert file.day == DAY
    assert decode(DELIVERED, landing, [file])["value"].to_list() == [float(hour) for hour in range(7)]


def test_an_interval_over_midnight_belongs_to_the_day_in_which_it_begins(landing: Landing) -> None:
    """Also when days are asked for one by one, as a backfill does: a sum of a day from six to six is in one of them."""
    begins = [f"2026-01-0{day}T06:00:00.000Z" for day in range(3, 8)]
    sums = [(f"{start}/{end}", number) for number, (start, end) in enumerate(pairwise(begins))]
    with serve(feed_servers.SensorThings(sums)) as url:
        files = source(url).fetch(landing, [date(2026, 1, 4), DAY])
    assert sorted(set(decode(DELIVERED, landing, files)["value"])) == [1.0, 2.0]


@pytest.mark.parametrize(
    ("configured", "in_address", "told"),
    [
        ("12", "12", 12),
        ("-3", "-3", -3),
        ("'12'", "'12'", "12"),
        ("8d1c-ab", "'8d1c-ab'", "8d1c-ab"),
        ("'8d1c-ab'", "'8d1c-ab'", "8d1c-ab"),
        ("o'r/b", "'o''r%2Fb'", "o'r/b"),
    ],
)
def test_an_id_that_is_no_number_stands_in_quotation_marks(
    landing: Landing, configured: str, in_address: str, told: Any
) -> None:
    answers = {
        f"/v1.1/Datastreams({in_address})": stream(**{"@iot.id": told}),
        f"/v1.1/Datastreams({in_address})/Observations": {"value": [observation(1.5)]},
    }

    def server(request: Request) -> Answer:
        said = answers.get(request.path)
        return Answer(200, feed_servers.as_json(said)) if said else Answer(400, b"no such id")

    with serve(server) as url:
        origin = HttpOrigin(f"{url}/v1.1")
        things = SensorThings("things", origin, (Datastream(configured, "roof", "air_temperature"),), lookback_days=0)
        [file] = things.fetch(landing, [DAY])
    assert decode(things, landing, [file]).select("sensor_id", "value").rows() == [("roof", 1.5)]


def test_days_before_are_asked_for_again(landing: Landing) -> None:
    server = feed_servers.SensorThings([])
    with serve(server) as url:
        origin = HttpOrigin(f"{url}/v1.1")
        SensorThings("things", origin, (ROOF,), lookback_days=2).fetch(landing, [DAY])
    assert server.requests[1].query["$filter"] == (
        "phenomenonTime ge 2026-01-02T23:00:00Z and phenomenonTime lt 2026-01-06T23:00:00Z"
    )


def test_link_to_another_origin_is_refused(landing: Landing) -> None:
    elsewhere = Scripted(Answer(body=b"{}"))
    with (
        serve(elsewhere) as other,
        serve(feed_servers.SensorThings(OBSERVATIONS, elsewhere=other)) as url,
        pytest.raises(SourceUnreachable, match="its next page is elsewhere"),
    ):
        source(url).fetch(landing, [DAY])
    assert elsewhere.requests == []
    assert landing.files("things") == []


def test_link_back_is_not_followed_for_ever(landing: Landing) -> None:
    answers = Scripted(Answer(body=feed_servers.as_json(stream())), Answer(body=b'{"value":[],"@iot.nextLink":"?a=1"}'))
    with serve(answers) as url, pytest.raises(SourceUnreachable, match="do not end"):
        source(url).fetch(landing, [DAY])


def test_missing_stream_costs_only_itself(landing: Landing) -> None:
    gone = Datastream("13", "gone", "air_temperature")
    with serve(feed_servers.SensorThings(OBSERVATIONS[:1])) as url:
        both = SensorThings("things", HttpOrigin(f"{url}/v1.1"), (gone, ROOF), lookback_days=0)
        [file] = both.fetch(landing, [DAY])
    assert decode(both, landing, [file])["reject_reason"].to_list() == ["no observations but: Nothing found", None]


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (Answer(401, b'{"message":"Unauthorized"}'), "HTTP 401 .*Unauthorized"),
        (Answer(body=b"<html>"), "the answer is not JSON"),
        (Answer(body=b'{"value":[]}' * 100, is_cut=True), "broke off"),
    ],
)
def test_what_fails_lands_nothing(landing: Landing, sent: Answer, reason: str) -> None:
    with serve(Scripted(sent)) as url, pytest.raises(SourceUnreachable, match=reason):
        source(url).fetch(landing, [DAY])
    assert landing.files("things") == []
