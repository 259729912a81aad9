"""From uplink messages to readings: each of The Things Stack's habits; nothing lost, nothing made up."""

import base64
import json
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest

from sensors_ingest import uplinks
from sensors_ingest.devices import Device
from sensors_ingest.landing import LandedFile, Landing
from sensors_ingest.listener.segments import Message, line_of
from tests.decoding import readings

ELSYS, MILESIGHT = "A81758FFFE04A001", "24E124713C140003"
DEVICES = (Device(ELSYS, "elsys"), Device(MILESIGHT, "milesight_em400_tld"))
RECORDED = Path(__file__).parents[4] / "shared/data/feeds/tts"
RECEIVED = "2026-01-05T11:00:02.868680817Z"
NETWORK = "2026-01-05T11:00:01.634338856Z"
HEARD = "2026-01-05T11:00:01.385687165Z"
HEARD_AT = datetime(2026, 1, 5, 11, 0, 1, tzinfo=UTC)
NETWORK_AT = HEARD_AT


def b64(payload: str) -> str:
    return base64.b64encode(bytes.fromhex(payload)).decode()


def uplink(payload: str = "0e0bb8", eui: str = ELSYS, **message: Any) -> dict[str, Any]:
    """One uplink; a ``message`` field of None is left out, as the server leaves out what is empty."""
    fields: dict[str, Any] = {
        "session_key_id": "AXPo",
        "f_port": 5,
        "f_cnt": 43,
        "frm_payload": b64(payload),
        "rx_metadata": [{"gateway_ids": {"gateway_id": "one"}, "time": HEARD}],
        "received_at": NETWORK,
    } | message
    return {
        "end_device_ids": {"device_id": "laser", "dev_eui": eui},
        "received_at": RECEIVED,
        "uplink_message": {name: value for name, value in fields.items() if value is not None},
    }


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path)


def land(landing: Landing, *lines: object) -> LandedFile:
    """Land the lines; a dict goes in the Storage Integration's envelope, a string as it is."""
    texts = [line if isinstance(line, str) else json.dumps({"result": line}) for line in lines]
    content = "".join(text + "\n" for text in texts).encode("utf-8", "surrogateescape")
    return landing.write("tts", [content], address="a.ndjson", suffix="ndjson", day=date(2026, 1, 5))


def decode(landing: Landing, *files: LandedFile) -> pl.DataFrame:
    return readings(uplinks.decode("tts", DEVICES, landing, files))


def only(landing: Landing, *lines: object) -> dict[str, Any]:
    rows = decode(landing, land(landing, *lines))
    assert len(rows) == 1
    return rows.row(0, named=True)


def test_every_column_of_a_reading(landing: Landing) -> None:
    row = only(landing, "", uplink("01ff72"))
    file = landing.files("tts")[0]
    assert row == {
        "feed": "tts",
        "sensor_id": ELSYS,
        "quantity": "air_temperature",
        "observed_at": HEARD_AT,
        "value": -14.2,
        "unit": "degC",
        "source_value": "-142",
        "source_unit": "0.1 degC",
        "quality": "good",
        "source_quality": None,
        "received_at": datetime(2026, 1, 5, 11, 0, 2, 868680, tzinfo=UTC),
        "precedence": 0,
        "uplink_key": f"{ELSYS}/AXPo/43",
        "landing_id": file.landing_id,
        "landing_row": 2,
        "reject_reason": None,
        "source_row": None,
    }


NO_UPLINKS: dict[str, dict[str, Any]] = {
    "join_accept": {"session_key_id": "AXPo", "received_at": NETWORK},
    "downlink_ack": {"session_key_id": "AXPo", "f_port": 15, "f_cnt": 11},
    "downlink_nack": {"session_key_id": "AXPo", "f_port": 15, "f_cnt": 11},
    "downlink_sent": {"session_key_id": "AXPo", "f_port": 15, "f_cnt": 11},
    "downlink_failed": {"downlink": {"f_port": 15}, "error": {"message_format": "no downlink path"}},
    "downlink_queued": {"f_port": 15, "frm_payload": b64("01")},
    "downlink_queue_invalidated": {"downlinks": [], "last_f_cnt_down": 3},
    "location_solved": {"service": "geo", "location": {"latitude": 57.6}},
    "service_data": {"service": "lora-cloud", "data": {}},
    "uplink_normalized": {"f_port": 5, "normalized_payload": {"air": {"temperature": 1.5}}},
}


@pytest.mark.parametrize("is_pushed", [False, True])
@pytest.mark.parametrize("kind", sorted(NO_UPLINKS))
def test_messages_that_are_no_uplinks_are_neither_readings_nor_failures(
    landing: Landing, kind: str, is_pushed: bool
) -> None:
    """A webhook or a subscription to all topics brings them."""
    message = {"end_device_ids": {"dev_eui": ELSYS}, "received_at": RECEIVED, kind: NO_UPLINKS[kind]}
    pushed = Message("http", json.dumps(message, indent=1).encode(), NETWORK_AT)
    line = line_of(pushed).decode().rstrip() if is_pushed else json.dumps(message)
    assert decode(landing, land(landing, uplink(f_cnt=1), line, uplink(f_cnt=2)))["landing_row"].to_list() == [1, 3]


def test_both_device_families_in_one_file(landing: Landing) -> None:
    rows = decode(
        landing,
        land(landing, uplink("0100e20223070e27"), uplink("0175640367f8ff0482c602050000", eui=MILESIGHT.lower())),
    )
    assert set(rows.select("sensor_id", "quantity", "value", "unit").rows()) == {
        (ELSYS, "air_temperature", 22.6, "degC"),
        (ELSYS, "relative_humidity", 35.0, "percent"),
        (ELSYS, "battery_voltage", 3.623, "V"),
        (MILESIGHT, "battery_level", 100.0, "percent"),
        (MILESIGHT, "air_temperature", -0.8, "degC"),
        (MILESIGHT, "distance", 710.0, "mm"),
    }
    assert rows["landing_row"].to_list() == [1, 1, 1, 2, 2, 2]


def heard(*signals: tuple[float, float | None]) -> list[dict[str, Any]]:
    """Gateways with their rssi and snr; the server leaves out an snr of 0."""
    return [{"time": HEARD, "rssi": rssi} | ({"snr": snr} if snr is not None else {}) for rssi, snr in signals]


def signals(rows: pl.DataFrame) -> list[tuple[Any, ...]]:
    """Of the uplinks with a signal: place in the file, quantity, value and unit."""
    is_signal = pl.col("quantity").str.starts_with("signal")
    return sorted(rows.filter(is_signal).select("landing_row", "quantity", "value", "unit").rows())


def test_every_sixth_uplink_tells_how_its_best_gateway_heard_it(landing: Landing) -> None:
    gateways = heard((-90, -7.5), (-113, 2.25), (-120, 2.25), (-80, -20))
    file = land(landing, *(uplink(f_cnt=counter or None, rx_metadata=gateways) for counter in range(13)))
    assert signals(decode(landing, file)) == [
        (row, quantity, value, unit)
        for row in (1, 7, 13)
        for quantity, value, unit in (("signal_rssi", -113.0, "dBm"), ("signal_snr", 2.25, "dB"))
    ]


def test_a_signal_of_0_db_is_left_out_and_an_impossible_one_is_none(landing: Landing) -> None:
    at_noise = uplink(f_cnt=6, rx_metadata=heard((-117, None), (-120, -3)))
    impossible = uplink(
        f_cnt=12, rx_metadata=[*heard((-117, 128), (255, 3)), {"time": HEARD, "rssi": "loud", "snr": 9}]
    )
    rows = decode(landing, land(landing, at_noise, impossible, uplink(f_cnt=18)))
    assert signals(rows) == [(1, "signal_rssi", -117.0, "dBm"), (1, "signal_snr", 0.0, "dB")]
    assert rows.filter(pl.col("quantity") == "distance").height == 3


def test_a_signal_is_told_whatever_the_payload_holds_but_not_of_unknown_devices(landing: Landing) -> None:
    broken = uplink(payload="0e", f_cnt=6, rx_metadata=heard((-100, 5)))
    unknown = uplink(eui="00000000000000FF", f_cnt=6, rx_metadata=heard((-100, 5)))
    rows = decode(landing, land(landing, broken, unknown))
    assert [row[:3] for row in signals(rows)] == [(1, "signal_rssi", -100.0), (1, "signal_snr", 5.0)]
    assert rows["reject_reason"].is_not_null().sum() == 2


def test_webhook_form_reads_alike(landing: Landing) -> None:
    stored, delivered = decode(landing, land(landing, uplink(), json.dumps(uplink()))).drop("landing_row").rows()
    assert stored == delivered


def test_an_omitted_counter_is_zero_and_an_omitted_session_empty(landing: Landing) -> None:
    assert only(landing, uplink(f_cnt=None))["uplink_key"].endswith("/0")
    assert only(landing, uplink(f_cnt=7, session_key_id=None))["uplink_key"] == f"{ELSYS}//7"


def test_without_counter_and_session_every_time_is_an_uplink_of_its_own(landing: Landing) -> None:
    nameless = {"f_cnt": None, "session_key_id": None}
    first = uplink(**nameless)
    later = uplink(**nameless, received_at="2026-01-04T08:20:00Z", rx_metadata=[])
    rows = decode(landing, land(landing, first, later, first))
    assert (rows["uplink_key"].n_unique(), rows["observed_at"].n_unique()) == (2, 2)


def test_counter_restart_is_another_uplink(landing: Landing) -> None:
    rows = decode(landing, land(landing, uplink(f_cnt=7), uplink(f_cnt=7, session_key_id="new")))
    assert rows["uplink_key"].n_unique() == 2


@pytest.mark.parametrize("decoded", [{}, {"Distance": None}, None])
def test_decoded_payload_is_not_needed(landing: Landing, decoded: object) -> None:
    assert only(landing, uplink(decoded_payload=decoded))["value"] == 3000


@pytest.mark.parametrize(
    ("gateways", "observed_at"),
    [
        ([{"time": "2026-01-05T11:00:01.9Z"}, {"time": "2026-01-05T10:59:58.7Z"}], "10:59:58"),
        ([{"time": "2026-01-05T11:00:01.9Z", "gps_time": "2026-01-05T10:59:57.7Z"}], "10:59:57"),
        ([{"time": "2026-01-05T12:00:01.9+01:00"}], "11:00:01"),
        ([{}, {"time": "2026-01-05T10:00:00Z"}], "10:00:00"),
        ([{"time": "1970-01-01T00:00:12Z"}, {"time": "2026-01-05T10:00:00Z"}], "10:00:00"),
        ([{"time": "2026-01-05T11:04:59Z"}], "11:04:59"),
    ],
)
def test_earliest_believable_gateway_time_holds(landing: Landing, gateways: object, observed_at: str) -> None:
    row = only(landing, uplink(rx_metadata=gateways))
    assert row["observed_at"].isoformat() == f"2026-01-05T{observed_at}+00:00"
    assert (row["quality"], row["source_quality"]) == ("good", None)


def test_late_uplink_keeps_the_time_it_was_heard(landing: Landing) -> None:
    row = only(landing, uplink(rx_metadata=[{"time": "2026-01-03T12:00:00Z"}]))
    assert row["observed_at"] == datetime(2026, 1, 3, 12, tzinfo=UTC)
    assert row["received_at"].day == 5


@pytest.mark.parametrize(
    "gateways",
    [
        None,
        [],
        [{"gateway_ids": {}}],
        [{"time": "1970-01-01T00:00:12Z"}],
        [{"time": "2025-12-29T10:59:00Z"}],
        [{"time": "2026-01-05T11:06:00Z"}],
        [{"time": "soon"}],
        [None],
        "none",
    ],
)
def test_without_a_believable_gateway_clock_the_networks_time_is_flagged(landing: Landing, gateways: object) -> None:
    row = only(landing, uplink(rx_metadata=gateways))
    assert row["observed_at"] == NETWORK_AT
    assert (row["quality"], row["source_quality"]) == ("unverified", "network_time")


def test_year_one_is_no_time_of_receipt(landing: Landing) -> None:
    row = only(landing, uplink() | {"received_at": "0001-01-01T00:00:00Z"})
    assert row["received_at"] == datetime(2026, 1, 5, 11, 0, 1, 634338, tzinfo=UTC)


def test_received_in_the_future_is_received_when_it_was_fetched(landing: Landing) -> None:
    row = only(landing, uplink() | {"received_at": "2099-01-01T00:00:00Z"})
    assert row["received_at"] == landing.files("tts")[0].fetched_at


@pytest.mark.parametrize("moment", ["infinity", "-infinity", "9999-12-31T23:59:59Z", "294247-01-10T04:00:54Z", 17, ""])
def test_impossible_times_are_no_times(landing: Landing, moment: object) -> None:
    row = only(landing, uplink(received_at=moment, rx_metadata=[{"time": moment}]) | {"received_at": moment})
    assert row["reject_reason"] == "uplink without a believable time"


def test_no_time_at_all_is_a_reject_never_now(landing: Landing) -> None:
    row = only(landing, uplink(received_at="0001-01-01T00:00:00Z", rx_metadata=None) | {"received_at": None})
    assert row["reject_reason"] == "uplink without a believable time"
    assert row["observed_at"] is None


def test_repeat_with_other_gateways_keeps_its_key_and_says_its_own_time(landing: Landing) -> None:
    """What was decoded before must not matter: which of the two holds is the warehouse's to say."""
    other = [{"time": "2026-01-05T11:00:00.1Z"}]
    rows = decode(landing, land(landing, uplink(), uplink()), land(landing, uplink(rx_metadata=other)))
    assert rows["observed_at"].to_list() == [HEARD_AT, HEARD_AT, HEARD_AT.replace(second=0)]
    assert rows["uplink_key"].n_unique() == 1


def test_counter_that_began_again_without_a_session_is_another_measurement(landing: Landing) -> None:
    first = uplink(session_key_id=None, f_cnt=7)
    later = uplink(session_key_id=None, f_cnt=7, rx_metadata=[{"time": "2026-01-04T11:00:00Z"}])
    rows = decode(landing, land(landing, first, later))
    assert rows["observed_at"].to_list() == [HEARD_AT, datetime(2026, 1, 4, 11, tzinfo=UTC)]


def test_tilted_laser_is_suspect_but_its_thermometer_is_not(landing: Landing) -> None:
    rows = decode(landing, land(landing, uplink("0367f8ff0482c602050001", eui=MILESIGHT)))
    said = {row["quantity"]: (row["quality"], row["source_quality"]) for row in rows.rows(named=True)}
    assert said == {"air_temperature": ("good", None), "distance": ("suspect", "tilt")}


@pytest.mark.parametrize(
    ("payload", "eui", "quantity", "reason"),
    [
        ("017fff0223", ELSYS, "air_temperature", "temperature sentinel 0x7FFF (probe missing)"),
        ("0e00000223", ELSYS, "distance", "distance sentinel 0 (no echo)"),
        ("0effff0223", ELSYS, "distance", "distance sentinel 0xFFFF (no echo)"),
        ("02ff0e0bb8", ELSYS, "relative_humidity", "humidity sentinel 0xFF (probe missing)"),
        ("07ffff0223", ELSYS, "battery_voltage", "voltage sentinel 0xFFFF (not measured)"),
        ("0367ff7f017564", MILESIGHT, "air_temperature", "temperature sentinel 0x7FFF (probe missing)"),
        ("04820000017564", MILESIGHT, "distance", "distance sentinel 0 (no echo)"),
        ("0482ffff017564", MILESIGHT, "distance", "distance sentinel 0xFFFF (no echo)"),
        ("0175ff0367f8ff", MILESIGHT, "battery_level", "battery sentinel 0xFF (not measured)"),
    ],
)
def test_sentinel_costs_its_quantity_only(landing: Landing, payload: str, eui: str, quantity: str, reason: str) -> None:
    rows = decode(landing, land(landing, uplink(payload, eui)))
    [reject] = rows.filter(pl.col("reject_reason").is_not_null()).rows(named=True)
    [good] = rows.filter(pl.col("reject_reason").is_null()).rows(named=True)
    assert (reject["quantity"], reject["reject_reason"], reject["value"]) == (quantity, reason, None)
    assert reject["observed_at"] == good["observed_at"] == HEARD_AT
    assert json.loads(reject["source_row"])["result"]["uplink_message"]["frm_payload"] == b64(payload)
    assert good["value"] is not None


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"result":{"end_device', "line is not valid JSON"),
        (
            '{"error":{"code":8,"message":"rate limit exceeded"}}',
            "server error instead of an uplink: rate limit exceeded",
        ),
        ('{"code":7,"message":"no rights","details":[]}', "server error instead of an uplink: no rights"),
        ('{"result":{"join_accept":{}}}', "no uplink_message in line"),
        ("[]", "no uplink_message in line"),
        ("17", "no uplink_message in line"),
        (uplink() | {"end_device_ids": {}}, "uplink without device EUI"),
        (uplink(eui="1111111111111111"), "unknown device 1111111111111111"),
        (uplink() | {"simulated": True}, "simulated uplink"),
        (uplink(frm_payload=None), "uplink without payload"),
        (uplink(frm_payload=""), "uplink without payload"),
        (uplink(frm_payload="DgvE*A=="), "payload is not valid base64: DgvE*A=="),
        (uplink("00" * 300), "payload of 300 bytes"),
        (uplink("0e0bb80e"), "truncated payload 0x0e0bb80e"),
        (uplink("0e0bb8ff"), "unknown type in payload 0x0e0bb8ff"),
    ],
)
def test_what_cannot_be_decoded_is_one_reject_with_its_line(landing: Landing, line: object, reason: str) -> None:
    rows = decode(landing, land(landing, uplink(f_cnt=1), line, uplink(f_cnt=2)))
    assert rows["landing_row"].to_list() == [1, 2, 3]
    assert rows["reject_reason"].to_list() == [None, reason, None]
    reject = rows.row(1, named=True)
    assert reject["value"] is None
    assert reject["received_at"] is not None
    assert reject["source_row"] == (line if isinstance(line, str) else json.dumps({"result": line}))


@pytest.mark.parametrize(
    "line",
    [
        json.dumps(uplink()),
        json.dumps({"result": {"join_accept": {}}} | uplink()),
        json.dumps(uplink() | {"result": {"join_accept": {}}}),
        json.dumps({"id": 1, "result": uplink()}),
        json.dumps({"result": uplink()}, indent=1).replace("\n", " "),
        json.dumps({"result": {"received_at": RECEIVED} | uplink()}),
    ],
)
def test_an_uplink_is_found_in_its_envelope_or_bare(landing: Landing, line: str) -> None:
    rows = decode(landing, land(landing, line))
    assert rows["reject_reason"].to_list() == [None]
    told = ("sensor_id", "quantity", "observed_at", "value", "received_at", "uplink_key")
    assert rows.select(told).equals(decode(landing, land(landing, uplink())).select(told))


def test_line_that_is_not_utf8_costs_only_itself(landing: Landing) -> None:
    rows = decode(landing, land(landing, "\udcff\udcfe", uplink()))
    assert rows["reject_reason"].to_list() == ["line is not valid JSON", None]


def test_empty_and_blank_files_hold_nothing(landing: Landing) -> None:
    assert decode(landing, land(landing)).is_empty()
    assert decode(landing, land(landing, "", "  ")).is_empty()


def test_rows_are_numbered_through_the_batches(landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    file = land(landing, *[uplink(f_cnt=number) for number in range(1, 101)])
    whole = decode(landing, file)
    small = list(uplinks.line_batches(landing.chunks(file, 500), 2000))
    assert len(small) > 10
    monkeypatch.setattr(uplinks, "line_batches", lambda _: iter(small))
    assert decode(landing, file).equals(whole)
    assert whole["landing_row"].to_list() == list(range(1, 101))
    assert whole["uplink_key"].to_list()[99] == f"{ELSYS}/AXPo/100"


def test_uplinks_of_several_profiles_and_forms_read_together_as_each_alone(landing: Landing) -> None:
    by_object, by_object_too = "24E124713C140004", "24E124713C140005"
    devices = (*DEVICES, Device(by_object, "codec_object"), Device(by_object_too, "enviot"))
    signal = [{"time": HEARD, "rssi": -97, "snr": 8.5}]
    lines: list[object] = [
        uplink(f_cnt=6, rx_metadata=signal),
        uplink(eui=by_object, f_cnt=7, frm_payload=None, decoded_payload={"distance": 710, "battery": 255}),
        "{broken",
        uplink("0e0bb80e", f_cnt=12, rx_metadata=signal),
        uplink(eui=by_object_too, f_cnt=12, frm_payload=None, decoded_payload={"payload": {"temperature": -3.5}}),
        uplink("0175640367fa000482c6020500010110", MILESIGHT, f_cnt=8, rx_metadata=[]),
        uplink(eui="1111111111111111"),
        uplink(eui=by_object, f_cnt=18, rx_metadata=signal, frm_payload=None, decoded_payload={"unknown": 1}),
        uplink(f_cnt=9),
    ]

    def decoded(*some: object) -> pl.DataFrame:
        rows = readings(uplinks.decode("tts", devices, landing, [land(landing, *some)]))
        # What is no JSON was received when its file was.
        is_uplink = pl.col("sensor_id").is_not_null()
        return rows.drop("landing_id").with_columns(pl.when(is_uplink).then("received_at").alias("received_at"))

    together = decoded(*lines)
    alone = [decoded(line).with_columns(pl.lit(row).alias("landing_row")) for row, line in enumerate(lines, 1)]
    assert together.equals(pl.concat(alone))
    assert together["landing_row"].n_unique() == len(lines)
    assert together["reject_reason"].null_count() >= 8


@pytest.mark.skipif(not RECORDED.is_dir(), reason="recorded payloads are not here")
def test_recorded_uplinks(landing: Landing) -> None:
    files = [
        landing.write("tts", [path.read_bytes()], address=path.name, suffix="ndjson")
        for path in sorted(RECORDED.iterdir())
        if path.name.startswith(("ttn", "storage"))
    ]
    rows = decode(landing, *files)
    assert rows["reject_reason"].to_list() == [
        "unknown device 1111111111111111",
        "unknown device 1111111111111111",
        "unknown device A8404188A184579F",
        "unknown device A84041291183FF1B",
    ]
    assert rows["uplink_key"][0] == "1111111111111111/AXPoziFRvbcEguvZQoCCZw==/43"
    assert rows["observed_at"][2] == datetime(2022, 8, 25, 21, 12, 53, tzinfo=UTC)


def test_damage_anywhere_loses_no_line_and_stops_nothing(landing: Landing) -> None:
    """Two thousand uplinks, each with some bytes overwritten or cut out: every line is still a reading or a reject."""
    noise = Random(5)
    lines = []
    for number in range(2000):
        line = bytearray(json.dumps({"result": uplink("0100e20223070e270e0bb8", f_cnt=number)}).encode())
        for _ in range(1 + number % 4):
            at = noise.randrange(len(line))
            line[at : at + noise.randrange(3)] = bytes(noise.choices(b'0"{}[],:\\aZ-\xff', k=noise.randrange(3)))
        lines.append(bytes(line) + b"\n")
    file = landing.write("tts", lines, address="damaged.ndjson", suffix="ndjson")
    rows = decode(landing, file)
    assert set(rows["landing_row"]) == set(range(1, 2001))
    rejects = rows.filter(pl.col("reject_reason").is_not_null())
    assert 500 < len(rejects) < 2000
    assert rejects["value"].null_count() == rejects["source_row"].drop_nulls().len() == len(rejects)
    readings = rows.filter(pl.col("reject_reason").is_null())
    needed = ["sensor_id", "quantity", "observed_at", "value", "unit", "quality", "received_at", "uplink_key"]
    assert readings.select(needed).null_count().sum_horizontal()[0] == 0
