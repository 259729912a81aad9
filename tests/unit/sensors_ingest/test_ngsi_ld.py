"""NGSI-LD: every form of an attribute, units by code or by the model, paging by link or count, partial histories."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from sensors_ingest.http import Folder, HttpOrigin, SourceUnreachable
from sensors_ingest.landing import Landing
from sensors_ingest.ngsi_ld import NgsiLd
from tests import feed_servers
from tests.decoding import decode, decode_one
from tests.servers import Answer, Request, Scripted, serve

DAY = date(2026, 1, 5)
AT = "2026-01-05T12:00:00Z"
DELIVERED = NgsiLd("twin", Folder(Path()))
MISSING = {"@type": "Intangible", "@value": None}


def entity(**attributes: Any) -> dict[str, Any]:
    return {"id": "urn:ngsi-ld:roof", "type": "WeatherObserved"} | attributes


def prop(value: Any, **more: Any) -> dict[str, Any]:
    return {"type": "Property", "value": value, "observedAt": AT} | more


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path / "landing")


@pytest.mark.parametrize(
    ("attribute", "said", "quantity", "value", "unit"),
    [
        ("temperature", prop(22.2, unitCode="CEL"), "air_temperature", 22.2, "degC"),
        ("temperature", prop(50, unitCode="FAH"), "air_temperature", 10.0, "degC"),
        ("temperature", prop("3.5"), "air_temperature", 3.5, "degC"),
        ("temperature", {"value": 3.5, "observedAt": AT}, "air_temperature", 3.5, "degC"),
        ("snowHeight", prop(20), "snow_depth", 20.0, "cm"),
        ("snowHeight", prop(0.2, unitCode="MTR"), "snow_depth", 20.0, "cm"),
        ("relativeHumidity", prop(0.86), "relative_humidity", 86.0, "percent"),
        ("relativeHumidity", prop(1), "relative_humidity", 100.0, "percent"),
        ("relativeHumidity", prop(86, unitCode="P1"), "relative_humidity", 86.0, "percent"),
        ("dewPoint", prop(-3), "dew_point", -3.0, "degC"),
        ("windSpeed", prop(36, unitCode="KMH"), "wind_speed", 10.0, "m/s"),
        ("temperature", prop({"@type": "Number", "@value": 4}), "air_temperature", 4.0, "degC"),
    ],
)
def test_units_are_by_code_or_by_the_model(
    landing: Landing, attribute: str, said: Any, quantity: str, value: float, unit: str
) -> None:
    [row] = decode_one(DELIVERED, landing, entity(**{attribute: said})).rows(named=True)
    assert (row["sensor_id"], row["quantity"], row["value"], row["unit"]) == ("urn:ngsi-ld:roof", quantity, value, unit)
    assert row["observed_at"] == datetime(2026, 1, 5, 12, tzinfo=UTC)
    assert row["source_unit"] is not None


@pytest.mark.parametrize(
    "said",
    [
        None,
        {},
        [],
        MISSING,
        prop(None),
        prop(MISSING),
        {"type": "Property"},
        "urn:ngsi-ld:null",
        prop("urn:ngsi-ld:null"),
    ],
)
def test_missing_is_nothing(landing: Landing, said: Any) -> None:
    content = entity(temperature=said, snowHeight=prop(1), dateObserved=AT)
    assert decode_one(DELIVERED, landing, content)["quantity"].to_list() == ["snow_depth"]


@pytest.mark.parametrize(
    "date_observed",
    [
        AT,
        {"type": "Property", "value": AT},
        {"@type": "DateTime", "@value": AT},
        {"type": "Property", "value": {"@type": "DateTime", "@value": AT}},
        f"{AT}/2026-01-05T13:00:00Z",
    ],
)
def test_key_values_take_the_time_of_the_entity(landing: Landing, date_observed: Any) -> None:
    [row] = decode_one(DELIVERED, landing, entity(temperature=3.3, dateObserved=date_observed)).rows(named=True)
    assert (row["observed_at"], row["value"]) == (datetime(2026, 1, 5, 12, tzinfo=UTC), 3.3)


def test_time_of_the_attribute_goes_before_that_of_the_entity(landing: Landing) -> None:
    [row] = decode_one(DELIVERED, landing, entity(temperature=prop(1), dateObserved="2020-01-01T00:00:00Z")).rows(
        named=True
    )
    assert row["observed_at"].year == 2026


@pytest.mark.parametrize("date_observed", [None, "yesterday", "2026-01-05T12:00:00", 1767614400])
def test_without_a_time_it_is_a_reject_never_now(landing: Landing, date_observed: Any) -> None:
    [row] = decode_one(DELIVERED, landing, entity(temperature=3.3, dateObserved=date_observed)).rows(named=True)
    assert (row["reject_reason"], row["observed_at"]) == ("the time cannot be read", None)


def test_history_in_both_forms(landing: Landing) -> None:
    instances = entity(temperature=[prop(1), prop(2, observedAt="2026-01-05T13:00:00Z"), prop(MISSING)])
    pairs = entity(temperature={"type": "Property", "values": [[1, AT], [2, "2026-01-05T13:00:00Z"], [None, AT]]})
    for content in (instances, pairs):
        rows = decode_one(DELIVERED, landing, [content])
        assert rows.select("observed_at", "value").rows() == [
            (datetime(2026, 1, 5, 12, tzinfo=UTC), 1.0),
            (datetime(2026, 1, 5, 13, tzinfo=UTC), 2.0),
        ]


def test_amount_of_precipitation_without_an_interval_is_not_taken(landing: Landing) -> None:
    assert decode_one(DELIVERED, landing, entity(precipitation=prop(3))).is_empty()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (entity(temperature=prop("cold")), "value cold is not a number"),
        (entity(temperature=prop(1, unitCode="XYZ")), "unit XYZ of temperature unknown"),
        (entity(temperature=prop([1])), "value [1] is not a number"),
        (entity(temperature=prop("")), "no value"),
        ([{"type": "WeatherObserved", "temperature": prop(1)}], "an entity without an id"),
        ([7], "an entity without an id"),
        (
            entity(**{"https://smartdatamodels.org/dataModel.Weather/temperature": prop(1)}),
            "attributes with full names: the broker needs the Link of their context",
        ),
        ({"type": "…/ResourceNotFound", "title": "Not there"}, "no entities but: Not there"),
        ({"title": "Not there", "detail": "No such tenant"}, "no entities but: No such tenant"),
        (7, "no entities but: 7"),
    ],
)
def test_what_is_no_reading_is_one_reject(landing: Landing, content: Any, reason: str) -> None:
    [row] = decode_one(DELIVERED, landing, content).rows(named=True)
    assert row["reject_reason"] == reason
    assert row["source_row"]


@pytest.mark.parametrize("has_link", [True, False])
@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_every_entity_comes_by_link_or_by_count(landing: Landing, count: int, has_link: bool) -> None:
    entities = [entity(temperature=prop(number)) | {"id": f"urn:{number}"} for number in range(count)]
    server = feed_servers.ContextBroker(entities, has_link=has_link)
    with serve(server) as url:
        twin = NgsiLd("twin", HttpOrigin(url), headers={"NGSILD-Tenant": "hogland"})
        [file] = twin.fetch(landing, [DAY])
    assert file.day is None
    assert server.requests[-1].headers["NGSILD-Tenant"] == "hogland"
    assert sorted(decode(DELIVERED, landing, [file])["sensor_id"]) == [f"urn:{number}" for number in range(count)]


@pytest.mark.parametrize("count", [99, 100, 101, 250])
def test_a_full_page_that_says_nothing_of_more_is_asked_on_from(landing: Landing, count: int) -> None:
    entities = [entity(temperature=prop(number)) | {"id": f"urn:{number}"} for number in range(count)]

    def server(request: Request) -> Answer:
        offset = int(request.query["offset"])
        return Answer(200, feed_servers.as_json(entities[offset : offset + int(request.query["limit"])]))

    with serve(server) as url:
        [file] = NgsiLd("twin", HttpOrigin(url)).fetch(landing, [DAY])
    assert len(decode(DELIVERED, landing, [file])) == count


LINK = {"Link": '</ngsi-ld/v1/entities?offset=100>; rel="next"'}


@pytest.mark.parametrize("headers", [{}, {"NGSILD-Results-Count": "250"}, LINK])
def test_a_broker_that_passes_over_the_offset_is_an_error_and_not_asked_for_ever(
    landing: Landing, headers: dict[str, str]
) -> None:
    asked: list[Request] = []

    def server(request: Request) -> Answer:
        """The same entities again, with values that change from one question to the next."""
        asked.append(request)
        page = [entity(temperature=prop(len(asked))) | {"id": f"urn:{number}"} for number in range(100)]
        return Answer(200, feed_servers.as_json(page), headers)

    with serve(server) as url, pytest.raises(SourceUnreachable, match="its pages repeat: 100 entities came"):
        NgsiLd("twin", HttpOrigin(url)).fetch(landing, [DAY])
    assert len(asked) == 2
    assert landing.files("twin") == []


def test_empty_pages_that_lead_on_are_not_followed_for_ever(landing: Landing) -> None:
    answers = Scripted(Answer(body=b"[]", headers=LINK))
    with serve(answers) as url, pytest.raises(SourceUnreachable, match="its pages repeat: 0 entities came"):
        NgsiLd("twin", HttpOrigin(url)).fetch(landing, [DAY])
    assert len(answers.requests) == 2


@pytest.mark.parametrize("headers", [{}, {"NGSILD-Results-Count": "99"}])
def test_a_broker_that_passes_over_the_offset_and_has_one_page_is_read(
    landing: Landing, headers: dict[str, str]
) -> None:
    page = [entity(temperature=prop(1)) | {"id": f"urn:{number}"} for number in range(99)]
    with serve(Scripted(Answer(200, feed_servers.as_json(page), headers))) as url:
        [file] = NgsiLd("twin", HttpOrigin(url)).fetch(landing, [DAY])
    assert len(decode(DELIVERED, landing, [file])) == 99


def test_link_to_another_origin_is_refused(landing: Landing) -> None:
    link = {"Link": '<https://elsewhere.example/entities?offset=1>; rel="next"'}
    answers = Scripted(Answer(body=b"[]", headers=link))
    with serve(answers) as url, pytest.raises(SourceUnreachable, match="its next page is elsewhere"):
        NgsiLd("twin", HttpOrigin(url)).fetch(landing, [DAY])
    assert landing.files("twin") == []


HOURS = [f"2026-01-05T{hour:02d}:00:00Z" for hour in range(23)]
EVENING = ["2026-01-04T22:00:00Z", "2026-01-04T23:00:00Z"]
# From midnight to midnight, one every hour; one that is not cut where the other is; one that begins late.
HISTORY = {
    "temperature": [(time, float(hour)) for hour, time in enumerate([*EVENING, *HOURS])],
    "windSpeed": [(time, 5.0) for time in HOURS[::6]],
    "snowHeight": [(time, 20.0) for time in HOURS[20:]],
    "pm10": [(time, 8.0) for time in HOURS],
}


@pytest.mark.parametrize("page_size", [2, 4, 5, 100])
@pytest.mark.parametrize("kind", [feed_servers.ContextBroker, feed_servers.Stellio, feed_servers.Linked])
def test_every_instance_of_the_local_day_comes_however_the_broker_cuts(
    landing: Landing, kind: type[feed_servers.ContextBroker], page_size: int
) -> None:
    server = kind(history=HISTORY, page_size=page_size)
    with serve(server) as url:
        twin = NgsiLd("twin", HttpOrigin(url), entities=("urn:ngsi-ld:roof",), lookback_days=0)
        [file] = twin.fetch(landing, [DAY])
    assert file.day == DAY
    rows = decode(DELIVERED, landing, [file])
    times = rows["observed_at"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    told = set(zip(rows["quantity"], rows["value"], times, strict=True))
    assert told == {
        (quantity, value, time)
        for name, quantity in (
            ("temperature", "air_temperature"),
            ("windSpeed", "wind_speed"),
            ("snowHeight", "snow_depth"),
        )
        for time, value in HISTORY[name]
        if time >= "2026-01-04T23"
    }
    assert rows["reject_reason"].is_null().all()


def test_the_newest_instances_may_come_first(landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_servers.Linked, "relation", "intervalbefore")
    server = feed_servers.Linked(history=HISTORY, page_size=4)
    with serve(server) as url:
        twin = NgsiLd("twin", HttpOrigin(url), entities=("urn:ngsi-ld:roof",), lookback_days=0)
        [file] = twin.fetch(landing, [DAY])
    assert decode(DELIVERED, landing, [file])["observed_at"].n_unique() == 24


@pytest.mark.parametrize(
    ("link", "reason"), [("?offsetN=1", "its pages do not end"), ("https://elsewhere.example/", "its next page is els")]
)
def test_a_history_that_leads_in_a_circle_or_elsewhere_is_an_error(landing: Landing, link: str, reason: str) -> None:
    told = Answer(200, b'{"id":"urn:x"}', {"Link": f'<{link}>; rel="intervalafter"'})
    with serve(Scripted(told)) as url, pytest.raises(SourceUnreachable, match=reason):
        NgsiLd("twin", HttpOrigin(url), entities=("urn:x",)).fetch(landing, [DAY])
    assert landing.files("twin") == []


def test_a_range_may_be_told_in_dates_of_http(landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_servers.Stellio, "has_http_dates", True)
    server = feed_servers.Stellio(history=HISTORY, page_size=4)
    with serve(server) as url:
        twin = NgsiLd("twin", HttpOrigin(url), entities=("urn:ngsi-ld:roof",), lookback_days=0)
        [file] = twin.fetch(landing, [DAY])
    assert decode(DELIVERED, landing, [file])["observed_at"].n_unique() == 24


def test_values_of_one_attribute_by_several_sensors_are_not_revisions_of_each_other(landing: Landing) -> None:
    instances = [prop(1), prop(2, datasetId="urn:mast"), prop(3, datasetId="@none")]
    pairs = {"type": "Property", "datasetId": "urn:wall", "values": [[4, AT]]}
    rows = decode_one(DELIVERED, landing, [entity(temperature=instances), entity(temperature=[pairs])])
    assert sorted(rows.select("sensor_id", "value").rows()) == [
        ("urn:ngsi-ld:roof", 1.0),
        ("urn:ngsi-ld:roof", 3.0),
        ("urn:ngsi-ld:roof#urn:mast", 2.0),
        ("urn:ngsi-ld:roof#urn:wall", 4.0),
    ]


@pytest.mark.parametrize("content_range", ["", "items 1-2/3", "date-time 2026-01-04T23:00:00Z-2026-01-04T23:00:00Z/*"])
def test_partial_answer_that_leads_nowhere_is_an_error(landing: Landing, content_range: str) -> None:
    sent = Answer(206, b"{}", {"Content-Range": content_range})
    with serve(Scripted(sent)) as url, pytest.raises(SourceUnreachable, match="does not lead on"):
        NgsiLd("twin", HttpOrigin(url), entities=("urn:x",), lookback_days=0).fetch(landing, [DAY])
    assert landing.files("twin") == []


def test_missing_entity_costs_only_itself(landing: Landing) -> None:
    server = feed_servers.ContextBroker(history={"temperature": [(AT, 3.0)]})
    with serve(server) as url:
        [file] = NgsiLd("twin", HttpOrigin(url), entities=("gone", "urn:ngsi-ld:roof")).fetch(landing, [DAY])
    assert decode(DELIVERED, landing, [file])["reject_reason"].to_list() == ["no entities but: No such entity", None]


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (Answer(401, b'{"title":"Unauthorized"}'), "HTTP 401 .*Unauthorized"),
        (Answer(body=b"<html>"), "the answer is not JSON"),
        (Answer(body=b"[" + b" " * 1000 + b"]", is_cut=True), "broke off"),
    ],
)
def test_what_fails_lands_nothing(landing: Landing, sent: Answer, reason: str) -> None:
    with serve(Scripted(sent)) as url, pytest.raises(SourceUnreachable, match=reason):
        NgsiLd("twin", HttpOrigin(url)).fetch(landing, [DAY])
    assert landing.files("twin") == []
