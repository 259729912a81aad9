"""Metry-style energy: arrays without times, meters that know no summer time, restatements and changed meters."""

import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from sensors_ingest.days import spans
from sensors_ingest.http import Folder, HttpOrigin, SourceUnreachable
from sensors_ingest.landing import Landing
from sensors_ingest.metry import Granularity, Metry
from tests import feed_servers
from tests.decoding import decode, decode_one
from tests.servers import Answer, Request, Scripted, serve

TOKEN = "metry-secret"
DAY = date(2026, 1, 5)


def meter(start: str, *energy: Any, meter_id: str = "m1", **more: Any) -> dict[str, Any]:
    return {"meter_id": meter_id, "periods": [{"start_date": start, "energy": list(energy)} | more]}


def answer(*data: Any) -> dict[str, Any]:
    return {"code": 200, "data": list(data)}


def delivered(granularity: Granularity = "hour", metrics: tuple[str, ...] = ("energy",)) -> Metry:
    return Metry("energy", Folder(Path()), ("m1",), metrics, granularity)


def source(url: str, *meters: str, lookback_days: int = 0) -> Metry:
    origin = HttpOrigin(f"{url}/api/v2", SecretStr(TOKEN))
    return Metry("energy", origin, meters or ("m1",), lookback_days=lookback_days)


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path / "landing")


def test_a_place_is_an_hour_and_null_is_missing(landing: Landing) -> None:
    rows = decode_one(delivered(), landing, answer(meter("2017-05-31T23:00:00+0000", None, 57.037, None, 68.031)))
    assert rows.select("sensor_id", "quantity", "observed_at", "value", "unit").rows() == [
        ("m1", "energy", datetime(2017, 6, 1, 0, tzinfo=UTC), 57.037, "kWh"),
        ("m1", "energy", datetime(2017, 6, 1, 2, tzinfo=UTC), 68.031, "kWh"),
    ]


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25), date(2026, 7, 1)])
def test_every_day_has_24_hours_of_normal_time(landing: Landing, day: date) -> None:
    """Also those on which the clocks of Stockholm change: hour 0 begins at 23:00 UTC, in summer as in winter."""
    start = datetime.combine(day, datetime.min.time(), UTC) - timedelta(hours=1)
    rows = decode_one(delivered(), landing, answer(meter(start.isoformat(), *range(24))))
    assert rows["observed_at"].to_list() == [start + timedelta(hours=hour) for hour in range(24)]
    assert rows["value"].to_list() == [float(hour) for hour in range(24)]


def test_days_and_months_are_other_quantities_and_follow_the_meters_calendar(landing: Landing) -> None:
    content = answer(meter("2025-12-31T23:00:00Z", 1, 2, 3, flow=[4]))
    rows = decode_one(delivered("day"), landing, content)
    assert rows.select("quantity", "observed_at").rows() == [
        ("energy_daily", datetime(2025, 12, 31, 23, tzinfo=UTC) + timedelta(days=day)) for day in range(3)
    ]
    rows = decode_one(delivered("month", ("energy", "flow")), landing, content)
    assert rows.select("quantity", "observed_at", "unit").rows() == [
        ("energy_monthly", datetime(2025, 12, 31, 23, tzinfo=UTC), "kWh"),
        ("energy_monthly", datetime(2026, 1, 31, 23, tzinfo=UTC), "kWh"),
        ("energy_monthly", datetime(2026, 2, 28, 23, tzinfo=UTC), "kWh"),
        ("flow_monthly", datetime(2025, 12, 31, 23, tzinfo=UTC), "m3"),
    ]


def test_changed_meter_gives_two_periods_and_no_negative_hour(landing: Landing) -> None:
    changed = {
        "meter_id": "m1",
        "periods": [
            {"start_date": "2026-01-04T23:00:00Z", "energy": [5, 6, None, None]},
            {"start_date": "2026-01-04T23:00:00Z", "energy": [None, None, -81234.5, 7]},
        ],
    }
    rows = decode_one(delivered(), landing, answer(changed))
    assert rows.select("observed_at", "value").rows() == [
        (datetime(2026, 1, 4, 23, tzinfo=UTC), 5.0),
        (datetime(2026, 1, 5, 0, tzinfo=UTC), 6.0),
        (datetime(2026, 1, 5, 1, tzinfo=UTC), None),
        (datetime(2026, 1, 5, 2, tzinfo=UTC), 7.0),
    ]
    assert rows["reject_reason"][2].startswith("negative consumption (the counter began again")
    assert rows["source_row"][2] == "2026-01-04T23:00:00Z, place 2 of energy"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (meter("2026-01-05T00:00:00", 1), "the time cannot be read"),
        (meter("2026-01-05", 1), "the time cannot be read"),
        ({"meter_id": "m1", "periods": [{"energy": [1]}]}, "the time cannot be read"),
        (meter("2026-01-05T00:00:00Z", "x"), "value x is not a number"),
        (meter("2026-01-05T00:00:00Z", {}), "value {} is not a number"),
        (meter("2026-01-05T00:00:00Z", True), "value true is not a number"),
        (meter("2026-01-05T00:00:00Z") | {"meter_id": None, "periods": [{"energy": [1]}]}, "no sensor"),
        (
            {"meter_id": "m1", "periods": [{"start_date": "2026-01-05T00:00:00Z", "energy": 5}]},
            "energy is not a list of numbers",
        ),
        ({"meter_id": "m1"}, "a meter without a list of periods"),
        (17, "a meter without a list of periods"),
    ],
)
def test_what_is_no_consumption_is_one_reject(landing: Landing, data: Any, reason: str) -> None:
    rows = decode_one(delivered(), landing, answer(data, meter("2026-01-05T00:00:00Z", 2.5)))
    assert rows["reject_reason"].to_list() == [reason, None]
    assert rows["source_row"][0]


@pytest.mark.parametrize(
    "content", [b'{"code":404,"message":"Meter not found"}', b"<html>", b'{"data":{}}', b"[]", b"7"]
)
def test_what_is_no_answer_is_one_reject(landing: Landing, content: bytes) -> None:
    [row] = decode_one(delivered(), landing, content).rows(named=True)
    assert row["reject_reason"].startswith("no consumption but: ")
    assert row["source_row"] == content.decode()


def test_unknown_metric_is_refused() -> None:
    with pytest.raises(ValueError, match="metric heat is none of energy, flow"):
        Metry("energy", Folder(Path()), ("m1",), ("heat",))


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ([5], [(2, 5)]),
        ([5, 6, 7], [(2, 5), (6, 6), (7, 7)]),
        ([9, 5], [(2, 5), (6, 9)]),
        ([5, 5], [(2, 5)]),
        ([], []),
    ],
)
def test_each_day_is_asked_for_once_and_runs_look_back(days: list[int], expected: list[tuple[int, int]]) -> None:
    asked = spans([date(2026, 1, day) for day in days], 3)
    assert list(asked) == [(date(2026, 1, first), date(2026, 1, last)) for first, last in expected]


def test_all_pages_of_all_meters_come_and_no_token_is_kept(landing: Landing) -> None:
    data = {"m/1": [meter("2026-01-04T23:00:00Z", n) for n in range(120)], "m2": [meter("2026-01-04T23:00:00Z", 7)]}
    server = feed_servers.Metry(TOKEN, {"m%2F1": data["m/1"], "m2": data["m2"]})
    with serve(server) as url:
        [file] = source(url, "m/1", "m2", lookback_days=31).fetch(landing, [DAY])
    assert [request.query["skip"] for request in server.requests] == ["0", "50", "100", "0"]
    assert server.requests[0].path.endswith("/consumptions/m%2F1/hour/20251205-20260105")
    assert file.day == DAY
    assert TOKEN not in file.path.with_name(file.landing_id + ".json").read_text()
    assert sorted(decode(delivered(), landing, [file])["value"]) == sorted([*map(float, range(120)), 7.0])


def test_server_that_knows_no_skip_is_not_asked_for_ever(landing: Landing) -> None:
    page = feed_servers.as_json(answer(*[meter("2026-01-04T23:00:00Z", n) for n in range(50)]))
    script = Scripted(Answer(body=page))
    with serve(script) as url:
        [file] = source(url).fetch(landing, [DAY])
    assert len(script.requests) == 2
    assert len(decode(delivered(), landing, [file])) == 50


def test_missing_meter_costs_only_itself(landing: Landing) -> None:
    server = feed_servers.Metry(TOKEN, {"m1": [meter("2026-01-04T23:00:00Z", 5)]})
    with serve(server) as url:
        [file] = source(url, "gone", "m1").fetch(landing, [DAY])
    rows = decode(delivered(), landing, [file])
    assert rows.select("landing_row", "value", "reject_reason").rows() == [
        (1, None, "no consumption but: Meter not found"),
        (2, 5.0, None),
    ]


def test_missing_meter_is_a_reject_also_when_the_server_says_no_more(landing: Landing) -> None:
    with serve(Scripted(Answer(404))) as url:
        [file] = source(url, "gone", "lost").fetch(landing, [DAY])
    rows = decode(delivered(), landing, [file])
    assert rows.select("landing_row", "reject_reason").rows() == [(n, "no consumption but: nothing") for n in (1, 2)]


def test_restated_value_is_another_sending_of_the_same_key(landing: Landing) -> None:
    files = []
    for value in (5, 6, 6):
        with serve(feed_servers.Metry(TOKEN, {"m1": [meter("2026-01-04T23:00:00Z", value)]})) as url:
            files += source(url).fetch(landing, [DAY])
    assert [file.is_new for file in files] == [True, True, False]
    rows = decode(delivered(), landing, files[:2]).sort("received_at")
    assert rows["value"].to_list() == [5.0, 6.0]
    assert rows.select("sensor_id", "quantity", "observed_at").is_duplicated().all()


def test_too_many_requests_are_waited_out(landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    server = feed_servers.Metry(TOKEN, {"m1": [meter("2026-01-04T23:00:00Z", 5)]})
    calls = iter(range(10))

    def limited(request: Request) -> Answer:
        return Answer(429, b'{"code":429,"message":"slow down"}') if next(calls) < 2 else server(request)

    with serve(limited) as url:
        assert len(source(url).fetch(landing, [DAY])) == 1
    assert len(waits) >= 1


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (Answer(401, b'{"code":401,"message":"Unauthorized"}'), "HTTP 401 .*Unauthorized"),
        (Answer(403, b'{"code":403,"message":"Not yours"}'), "HTTP 403 .*Not yours"),
        (Answer(body=b"<html>"), "the answer is not JSON"),
        (Answer(body=b'{"code":500,"message":"oops"}'), "no consumption but: oops"),
        (Answer(body=feed_servers.as_json(answer(meter("x", 1))), is_cut=True), "broke off"),
    ],
)
def test_what_fails_lands_nothing(landing: Landing, sent: Answer, reason: str) -> None:
    with serve(Scripted(sent)) as url, pytest.raises(SourceUnreachable, match=reason) as caught:
        source(url).fetch(landing, [DAY])
    assert landing.files("energy") == []
    assert TOKEN not in str(caught.value)


def test_another_configuration_is_another_decoder() -> None:
    versions = {delivered().decoder_version, delivered("day").decoder_version}
    assert len(versions) == 2
