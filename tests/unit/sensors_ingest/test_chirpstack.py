"""ChirpStack's envelopes, versions 4 and 3: keys, times, events that are no uplinks, and what the listener wrote."""

import base64
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sensors_ingest import http
from sensors_ingest.devices import Device
from sensors_ingest.envelopes import CHIRPSTACK, THE_THINGS_STACK, Envelope
from sensors_ingest.landing import LandedFile, Landing
from sensors_ingest.listener.segments import Message, body_of, line_of
from sensors_ingest.network_server import NetworkServer
from tests.decoding import readings

LASER, RADAR = "24E124713C140003", "10A52AAA84FFFFFF"
DEVICES = (Device(LASER, "milesight_em400_tld"), Device(RADAR, "enviot"))
PAYLOAD = base64.b64encode(bytes.fromhex("0175640367f8ff0482c602050000")).decode()
HEARD, NETWORK = "2026-01-05T11:00:01.385687165Z", "2026-01-05T11:00:01.634338856+00:00"
HEARD_AT = datetime(2026, 1, 5, 11, 0, 1, tzinfo=UTC)
PUSHED_AT = datetime(2026, 1, 5, 11, 0, 2, 500_000, tzinfo=UTC)
TOPIC = f"application/a/device/{LASER.lower()}/event/up"


def v4(**fields: Any) -> dict[str, Any]:
    """An uplink of version 4; a field of None is left out."""
    made = {
        "deduplicationId": "3ac7e3c4-4401-4b8d-9386-a5c902f9202d",
        "time": NETWORK,
        "deviceInfo": {"tenantId": "t", "devEui": LASER.lower()},
        "devAddr": "01f3ab2c",
        "fCnt": 43,
        "fPort": 85,
        "data": PAYLOAD,
        "rxInfo": [{"gatewayId": "one", "gwTime": HEARD, "nsTime": NETWORK}],
    } | fields
    return {name: value for name, value in made.items() if value is not None}


def v3(**fields: Any) -> dict[str, Any]:
    """An uplink of version 3."""
    made = {
        "devEUI": LASER.lower(),
        "rxInfo": [{"gatewayID": "one", "time": HEARD}],
        "fCnt": 43,
        "fPort": 85,
        "data": PAYLOAD,
        "publishedAt": NETWORK,
    } | fields
    return {name: value for name, value in made.items() if value is not None}


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path)


def land(landing: Landing, *messages: object, topic: str | None = TOPIC) -> LandedFile:
    """Messages as the listener writes them, or with ``topic`` None as bare lines."""
    bodies = [body if isinstance(body, bytes) else json.dumps(body).encode() for body in messages]
    lines = [body + b"\n" if topic is None else line_of(Message(topic, body, PUSHED_AT)) for body in bodies]
    return landing.write("chirp", lines, address="mqtt", suffix="ndjson", day=date(2026, 1, 5))


def decode(landing: Landing, *files: LandedFile, envelope: Envelope = CHIRPSTACK) -> pl.DataFrame:
    return readings(NetworkServer("chirp", envelope, DEVICES).decode(landing, files))


def distance(rows: pl.DataFrame) -> dict[str, Any]:
    [row] = rows.filter(pl.col("quantity") == "distance").rows(named=True)
    return row


@pytest.mark.parametrize("topic", [TOPIC, "http/event=up", "http", None])
def test_every_column_of_version_4(landing: Landing, topic: str | None) -> None:
    file = land(landing, v4(), topic=topic)
    row = distance(decode(landing, file))
    received_at = datetime(2026, 1, 5, 11, 0, 1, 634_338, tzinfo=UTC) if topic is None else PUSHED_AT
    assert row == {
        "feed": "chirp",
        "sensor_id": LASER,
        "quantity": "distance",
        "observed_at": HEARD_AT,
        "value": 710,
        "unit": "mm",
        "source_value": "710",
        "source_unit": "mm",
        "quality": "good",
        "source_quality": None,
        "received_at": received_at,
        "precedence": 0,
        "uplink_key": "3ac7e3c4-4401-4b8d-9386-a5c902f9202d",
        "landing_id": file.landing_id,
        "landing_row": 1,
        "reject_reason": None,
        "source_row": None,
    }


@pytest.mark.parametrize("eui", [LASER.lower(), LASER, base64.b64encode(bytes.fromhex(LASER)).decode()])
def test_version_3_in_both_its_marshalers(landing: Landing, eui: str) -> None:
    row = distance(decode(landing, land(landing, v3(devEUI=eui))))
    assert (row["sensor_id"], row["value"], row["observed_at"]) == (LASER, 710, HEARD_AT)
    assert row["uplink_key"] == f"{LASER}/{HEARD}/43"


def test_counters_of_two_sessions_are_two_uplinks(landing: Landing) -> None:
    """Version 3 names no session, and ``fCnt`` starts again at a join."""
    later = v3(fCnt=43, rxInfo=[{"time": "2026-01-06T11:00:01Z"}], publishedAt="2026-01-06T11:00:01Z")
    rows = decode(landing, land(landing, v3(), later, v3()))
    assert rows["uplink_key"].n_unique() == 2
    assert rows["observed_at"].n_unique() == 2


def test_an_empty_deduplication_id_is_none(landing: Landing) -> None:
    later = v4(deduplicationId="", fCnt=44, rxInfo=[{"gwTime": "2026-01-05T11:03:01Z", "nsTime": NETWORK}])
    rows = decode(landing, land(landing, v4(deduplicationId=""), later))
    assert rows["uplink_key"].n_unique() == 2


def test_several_gateways_hear_one_uplink(landing: Landing) -> None:
    gateways = [{"gwTime": "2026-01-05T11:00:04Z", "nsTime": NETWORK}, {"gwTime": HEARD, "nsTime": NETWORK}]
    gateways += [{"gwTime": "1970-01-01T00:00:01Z", "nsTime": NETWORK}]
    assert distance(decode(landing, land(landing, v4(rxInfo=gateways))))["observed_at"] == HEARD_AT


@pytest.mark.parametrize(
    "uplink",
    [
        v4(rxInfo=[{"nsTime": NETWORK}]),
        v4(rxInfo=None),
        v4(time=None, rxInfo=[{"nsTime": NETWORK}]),
        v4(rxInfo=[{"gwTime": "1980-01-06T00:00:00Z", "nsTime": NETWORK}]),
        v3(rxInfo=[{"time": None}]),
        v3(rxInfo=[]),
    ],
)
def test_without_a_gateway_clock_the_networks_time_is_flagged(landing: Landing, uplink: dict[str, Any]) -> None:
    row = distance(decode(landing, land(landing, uplink)))
    assert row["observed_at"] == HEARD_AT
    assert (row["quality"], row["source_quality"]) == ("unverified", "network_time")


@pytest.mark.parametrize("uplink", [v3(rxInfo=[{}], publishedAt=None), v4(time="0001-01-01T00:00:00Z", rxInfo=None)])
def test_without_any_time_it_is_a_reject_never_now(landing: Landing, uplink: dict[str, Any]) -> None:
    [row] = decode(landing, land(landing, uplink)).rows(named=True)
    assert (row["reject_reason"], row["observed_at"]) == ("uplink without a believable time", None)


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ("join", {"deduplicationId": "d", "time": NETWORK, "deviceInfo": {"devEui": LASER}, "devAddr": "01f3ab2c"}),
        ("status", {"deduplicationId": "d", "deviceInfo": {"devEui": LASER}, "margin": 7, "batteryLevel": 99.6}),
        ("ack", {"queueItemId": "q", "deviceInfo": {"devEui": LASER}, "acknowledged": True, "fCntDown": 2}),
        ("txack", {"downlinkId": 1, "gatewayId": "one", "deviceInfo": {"devEui": LASER}}),
        ("location", {"deviceInfo": {"devEui": LASER}, "location": {"latitude": 57.6}}),
        ("log", {"level": "INFO", "code": "UPLINK_CODEC", "description": "slow", "deviceInfo": {"devEui": LASER}}),
        ("join", {"devEUI": LASER, "devAddr": "AQIDBA==", "rxInfo": [{"time": HEARD}], "dr": 5}),
        ("ack", {"devEUI": LASER, "rxInfo": [{"time": HEARD}], "txInfo": {}, "acknowledged": True, "fCnt": 15}),
    ],
)
@pytest.mark.parametrize("has_topic", [True, False])
def test_events_that_are_no_uplinks_are_neither_readings_nor_failures(
    landing: Landing, event: str, message: dict[str, Any], has_topic: bool
) -> None:
    topic = f"application/a/device/{LASER}/event/{event}" if has_topic else None
    assert decode(landing, land(landing, message, topic=topic)).is_empty()


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (
            {"type": "UPLINK_FCNT_RETRANSMISSION", "error": "frame-counter did not increment", "devEUI": LASER},
            "error event instead of an uplink: UPLINK_FCNT_RETRANSMISSION: frame-counter did not increment",
        ),
        (
            {"level": "ERROR", "code": "UPLINK_MIC", "description": "invalid MIC", "deviceInfo": {"devEui": LASER}},
            "error event instead of an uplink: UPLINK_MIC: invalid MIC",
        ),
        ({"hello": "world"}, "no uplink in line"),
        ([1, 2], "no uplink in line"),
        (b"{broken", "line is not valid JSON"),
        (b"\xff\xfe", "line is not valid JSON"),
        (b"[" * 100_000, "line is not valid JSON"),
        (v4(deviceInfo={"devEui": "1111111111111111"}), "unknown device 1111111111111111"),
        (v4(deviceInfo=None), "uplink without device EUI"),
        (v3(devEUI="not an EUI"), "uplink without device EUI"),
        (v4(data=None), "uplink without payload"),
        (v4(data="DgvE*A=="), "payload is not valid base64: DgvE*A=="),
        (v4(data=base64.b64encode(b"\x01").decode()), "truncated payload 0x01"),
        (v4(deviceInfo={"devEui": RADAR}), "uplink without decoded object"),
        (v4(deviceInfo={"devEui": RADAR}, object={}), "no known quantity in decoded object"),
        (v4(deviceInfo={"devEui": RADAR}, object=[None]), "no known quantity in decoded object"),
    ],
)
def test_what_cannot_be_decoded_is_one_reject(landing: Landing, message: object, reason: str) -> None:
    rows = decode(landing, land(landing, v4(fCnt=1), message, v4(fCnt=2), topic="http"))
    assert rows.filter(pl.col("landing_row") == 2)["reject_reason"].to_list() == [reason]
    assert set(rows.filter(pl.col("landing_row") != 2)["reject_reason"]) == {None}


def test_only_the_object_is_known(landing: Landing) -> None:
    said = {"payload": {"snowHeight": 41, "sensorStatus": 0, "signalStrength": 9, "distance": 259, "temperature": -3.5}}
    rows = decode(
        landing,
        land(landing, v4(deviceInfo={"devEui": RADAR}, object=said), v3(devEUI=RADAR, objectJSON=json.dumps(said))),
    )
    found = set(rows.select("quantity", "value", "quality", "source_quality").rows())
    assert found == {("snow_depth", 41, "unverified", "undocumented_unit"), ("air_temperature", -3.5, "good", None)}


def test_bytes_win_over_the_object(landing: Landing) -> None:
    """The codec's object says something else than the bytes; the bytes are what the device sent."""
    assert distance(decode(landing, land(landing, v4(object={"distance": 1}))))["value"] == 710


def test_the_things_stack_pushes_the_same(landing: Landing) -> None:
    uplink = {
        "end_device_ids": {"dev_eui": LASER},
        "received_at": NETWORK,
        "uplink_message": {
            "f_cnt": 1,
            "frm_payload": PAYLOAD,
            "rx_metadata": [{"time": HEARD}],
            "received_at": NETWORK,
        },
    }
    file = land(landing, uplink, topic="v3/a@t/devices/d/up")
    row = distance(decode(landing, file, envelope=THE_THINGS_STACK))
    assert (row["value"], row["observed_at"], row["uplink_key"]) == (710, HEARD_AT, f"{LASER}//1")


def test_a_file_may_hold_pushed_and_bare_messages(landing: Landing) -> None:
    pushed, bare = line_of(Message(TOPIC, json.dumps(v4()).encode(), PUSHED_AT)), json.dumps(v4()).encode() + b"\n"
    file = landing.write("chirp", [bare, pushed, bare, pushed], address="mixed", suffix="ndjson")
    distances = decode(landing, file).filter(pl.col("quantity") == "distance")
    assert distances["value"].to_list() == [710] * 4
    assert [at == PUSHED_AT for at in distances["received_at"]] == [False, True, False, True]


@pytest.mark.parametrize("body", [b'{"a":1,\n "b":"\\u00e5"}', "åäö 😀\u2028".encode(), b"\xff\xfe\x00", b"", b"\r\n"])
def test_the_listeners_envelope_keeps_every_byte(body: bytes) -> None:
    line = line_of(Message("t", body, PUSHED_AT))
    assert line.count(b"\n") == 1
    assert body_of(line) == body


def test_what_was_pushed_has_landed_and_files_are_taken_by_day(landing: Landing, tmp_path: Path) -> None:
    file = land(landing, v4())
    pushed = NetworkServer("chirp", CHIRPSTACK, DEVICES)
    assert [each.landing_id for each in pushed.fetch(landing, [date(2026, 1, 5)])] == [file.landing_id]
    folder = tmp_path / "delivered"
    folder.mkdir()
    (folder / "2026-01-05.ndjson").write_text(json.dumps(v4()), encoding="utf-8")
    (folder / "2026-01-06.ndjson").write_text(json.dumps(v4()), encoding="utf-8")
    delivered = NetworkServer("files", CHIRPSTACK, DEVICES, http.Folder(folder))
    [landed] = delivered.fetch(landing, [date(2026, 1, 5)])
    assert landed.address == "2026-01-05.ndjson"
    (folder / "today.ndjson").touch()
    with pytest.raises(http.SourceUnreachable, match="does not start with the day"):
        delivered.fetch(landing, [date(2026, 1, 5)])


def test_decoding_depends_on_the_devices() -> None:
    versions = {NetworkServer("chirp", CHIRPSTACK, devices).decoder_version for devices in (DEVICES, DEVICES[:1])}
    assert len(versions) == 2
    assert NetworkServer("chirp", CHIRPSTACK, DEVICES[::-1]).decoder_version in versions
    with pytest.raises(ValueError, match="No decoder profile is called starbit"):
        NetworkServer("chirp", CHIRPSTACK, (Device(LASER, "starbit"),))


def test_signals_of_both_versions(landing: Landing) -> None:
    fourth = v4(fCnt=6, rxInfo=[{"gwTime": HEARD, "rssi": -110, "snr": 1.5}, {"gwTime": HEARD, "rssi": -90, "snr": -4}])
    third = v3(fCnt=12, rxInfo=[{"time": HEARD, "rssi": -57, "loRaSNR": 10}])
    rows = decode(landing, land(landing, fourth, third)).filter(pl.col("quantity").str.starts_with("signal"))
    assert sorted(rows.select("landing_row", "quantity", "value").rows()) == [
        (1, "signal_rssi", -110.0),
        (1, "signal_snr", 1.5),
        (2, "signal_rssi", -57.0),
        (2, "signal_snr", 10.0),
    ]
