"""A mended device list lets what it had refused come in, and nothing else changes."""

import base64
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from hogland_pipeline.gate import load_files
from hogland_pipeline.jobs import replay_job
from hogland_pipeline.loads import record_failure
from hogland_pipeline.replay import Recovery, Refusal, Replay, _recoveries, held_back, refusals, replay_source
from hogland_pipeline.resources import BoundSource
from hogland_pipeline.settings import PROJECT_ROOT, Settings, load_settings
from hogland_pipeline.sources.emission_database import EmissionDatabase
from hogland_pipeline.sources.indicators import MalformedAnswer
from hogland_pipeline.warehouse import INDICATOR_VALUE, SENSOR_READING, Warehouse
from sensors_ingest.decoders.profiles import load_profiles
from sensors_ingest.devices import Device
from sensors_ingest.http import Folder
from sensors_ingest.landing import LandedFile, Landing
from sensors_ingest.the_things_stack import TheThingsStack

DAY = date(2026, 1, 10)
KNOWN, NEW = "A81758FFFE04A001", "A81758FFFE04A00F"
ELSYS_22_6_DEGC_35_PERCENT = base64.b64encode(bytes.fromhex("0100e20223070e27")).decode()
ELSYS_PROBE_MISSING = base64.b64encode(bytes.fromhex("017fff0223070e27")).decode()


def uplink(dev_eui: str, frame: int, payload: str = ELSYS_22_6_DEGC_35_PERCENT) -> str:
    received_at = (datetime(2026, 1, 10, 12, tzinfo=UTC) + timedelta(minutes=10 * frame)).isoformat()
    message = {
        "session_key_id": "AXPoziFRvbcEguvZQoCCZw==",
        "f_port": 5,
        "f_cnt": frame,
        "frm_payload": payload,
        "rx_metadata": [{"time": received_at}],
        "received_at": received_at,
    }
    return json.dumps(
        {"result": {"end_device_ids": {"dev_eui": dev_eui}, "received_at": received_at, "uplink_message": message}}
    )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path / "data")


@pytest.fixture
def landing(settings: Settings) -> Landing:
    return Landing(settings.landing_dir)


@pytest.fixture
def warehouse(settings: Settings) -> Warehouse:
    return Warehouse(settings.warehouse_path)


def bound(folder: Path, devices: Sequence[str]) -> BoundSource:
    source = TheThingsStack("uplinks", Folder(folder), tuple(Device(eui, "elsys") for eui in devices))
    return BoundSource(source, SENSOR_READING, "lorawan", "", "team:test", is_daily=True, is_remote=False)


def declaring(folder: Path, of_temperature: str) -> BoundSource:
    """The known device by a profile declared beside the folder, which reads Elsys's temperature as its owner says."""
    declared = folder.with_name("decoders")
    declared.mkdir(exist_ok=True)
    (declared / "ours.toml").write_text(
        'reads = "bytes"\nendianness = "big"\nsource = "made up"\n[[layout]]\nlength = 8\n[[layout.field]]\n'
        f'offset = 1\ntype = "uint16"\nquantity = "air_temperature"\nunit = "degC"\n{of_temperature}\n',
        encoding="utf-8",
    )
    source = TheThingsStack("uplinks", Folder(folder), (Device(KNOWN, "ours"),), profiles=load_profiles(declared))
    return BoundSource(source, SENSOR_READING, "lorawan", "", "team:test", is_daily=True, is_remote=False)


def load(settings: Settings, warehouse: Warehouse, landing: Landing, source: BoundSource) -> None:
    files = source.source.fetch(landing, [DAY])
    assert load_files(warehouse, source, landing, files, "run-1", settings).status == "passed"


def deliver(folder: Path, lines: Sequence[str]) -> None:
    folder.mkdir()
    (folder / f"{DAY}.ndjson").write_text("\n".join(lines), encoding="utf-8")


def counts(recovery: Recovery) -> tuple[int, int, int, int]:
    return recovery.before, recovery.recovered, recovery.reason_changed, recovery.after


def readings(warehouse: Warehouse) -> dict[str, int]:
    with warehouse.read() as connection:
        rows = connection.execute("SELECT sensor_id, count(*) FROM raw.sensor_reading GROUP BY ALL").fetchall()
    return dict(rows)


def test_a_device_added_to_the_list_recovers_its_uplinks(
    tmp_path: Path, settings: Settings, warehouse: Warehouse, landing: Landing
) -> None:
    folder = tmp_path / "drop"
    deliver(folder, [uplink(KNOWN, frame) for frame in range(20)] + [uplink(NEW, 1), uplink(NEW, 2), "{broken"])
    load(settings, warehouse, landing, bound(folder, [KNOWN]))
    before = readings(warehouse)

    replay = replay_source(settings, warehouse, landing, bound(folder, [KNOWN, NEW]), "run-2")

    assert readings(warehouse) == before | {NEW: before[KNOWN] // 10}
    assert (replay.files, replay.message) == (1, "")
    assert replay.rows_loaded == before[KNOWN] // 10
    recoveries = {recovery.reason: counts(recovery) for recovery in replay.recoveries}
    assert recoveries.pop(f"unknown device {NEW}") == (2, 2, 0, 0)
    assert list(recoveries.values()) == [(1, 0, 0, 1)], "the broken line stays refused"


def test_what_is_refused_for_another_reason_now_is_not_recovered(
    tmp_path: Path, settings: Settings, warehouse: Warehouse, landing: Landing
) -> None:
    folder = tmp_path / "drop"
    probe_missing = uplink(NEW, 2, ELSYS_PROBE_MISSING)
    deliver(folder, [*(uplink(KNOWN, frame) for frame in range(30)), uplink(NEW, 1), probe_missing])
    load(settings, warehouse, landing, bound(folder, [KNOWN]))

    replay = replay_source(settings, warehouse, landing, bound(folder, [KNOWN, NEW]), "run-2")

    assert {recovery.reason: counts(recovery) for recovery in replay.recoveries} == {
        f"unknown device {NEW}": (2, 1, 1, 0),
        "temperature sentinel 0x7FFF (probe missing)": (0, 0, 0, 1),
    }


def test_a_line_with_many_rows_changes_no_more_reasons_than_came() -> None:
    def refused(*rows: tuple[str, int]) -> pa.Table:
        lines = [{"landing_id": "x", "landing_row": 1, "check_name": "c", "reason": r, "refused": n} for r, n in rows]
        return pa.Table.from_pylist(lines)

    recoveries = _recoveries("kolada", refused(("a", 2), ("b", 3), ("c", 1)), refused(("c", 1), ("d", 3)))

    assert {recovery.reason: counts(recovery) for recovery in recoveries} == {
        "a": (2, 0, 2, 0),
        "b": (3, 2, 1, 0),
        "c": (1, 0, 0, 1),
        "d": (0, 0, 0, 3),
    }


def test_what_a_closed_gate_held_back_is_told_until_it_comes_in(
    tmp_path: Path, settings: Settings, warehouse: Warehouse, landing: Landing
) -> None:
    folder = tmp_path / "drop"
    deliver(folder, [uplink(NEW, frame) for frame in range(30)])
    source = bound(folder, [KNOWN])
    files = source.source.fetch(landing, [DAY])
    assert load_files(warehouse, source, landing, files, "run-1", settings).status == "closed"

    assert refusals(warehouse, [source]) == []
    assert held_back(warehouse, [source]) == [Refusal("uplinks", "payload_is_decoded", f"unknown device {NEW}", 30)]

    listed = bound(folder, [KNOWN, NEW])
    assert load_files(warehouse, listed, landing, files, "run-2", settings).status == "passed"
    assert held_back(warehouse, [listed]) == []


def test_replaying_what_is_still_broken_changes_nothing(
    tmp_path: Path, settings: Settings, warehouse: Warehouse, landing: Landing
) -> None:
    folder = tmp_path / "drop"
    deliver(folder, [uplink(KNOWN, frame) for frame in range(20)] + [uplink(NEW, 1)])
    source = bound(folder, [KNOWN])
    load(settings, warehouse, landing, source)
    before = readings(warehouse)

    replay = replay_source(settings, warehouse, landing, source, "run-2")

    refused = Refusal("uplinks", "payload_is_decoded", f"unknown device {NEW}", 1)
    assert refusals(warehouse, [source]) == [refused]
    assert (readings(warehouse), replay.rows_loaded) == (before, 0)
    assert [recovery.recovered for recovery in replay.recoveries] == [0]


def test_an_empty_quarantine_has_nothing_to_replay(
    tmp_path: Path, settings: Settings, warehouse: Warehouse, landing: Landing
) -> None:
    folder = tmp_path / "drop"
    deliver(folder, [uplink(KNOWN, 1)])
    source = bound(folder, [KNOWN])
    load(settings, warehouse, landing, source)
    assert replay_source(settings, warehouse, landing, source, "run-2") == Replay("uplinks", 0, 0, 0, "", ())


def test_a_decoder_that_read_wrong_values_is_mended_by_a_whole_replay(
    tmp_path: Path, settings: Settings, warehouse: Warehouse, landing: Landing
) -> None:
    folder = tmp_path / "drop"
    deliver(folder, [uplink(KNOWN, frame) for frame in range(3)])

    def temperatures() -> list[tuple[float, int]]:
        with warehouse.read() as connection:
            return connection.execute(
                "SELECT value, revision FROM raw.sensor_reading WHERE quantity = 'air_temperature'"
            ).fetchall()

    load(settings, warehouse, landing, declaring(folder, "scale = 0.01"))
    assert temperatures() == [(2.26, 1)] * 3
    mended = declaring(folder, "scale = 0.1")
    assert replay_source(settings, warehouse, landing, mended, "run-2").files == 0, "nothing was refused"

    replay = replay_source(settings, warehouse, landing, mended, "run-3", whole=True)

    assert (replay.files, replay.rows_loaded) == (1, 3)
    assert temperatures() == [(22.6, 2)] * 3, "the earlier value stays in the history"


def test_a_number_that_was_a_sentinel_is_taken_back_by_a_whole_replay(
    tmp_path: Path, settings: Settings, warehouse: Warehouse, landing: Landing
) -> None:
    folder = tmp_path / "drop"
    deliver(folder, [uplink(KNOWN, frame) for frame in range(39)] + [uplink(KNOWN, 39, ELSYS_PROBE_MISSING)])

    def stored() -> list[tuple[int, float]]:
        with warehouse.read() as connection:
            return connection.execute(
                "SELECT count(*), max(value) FROM raw.sensor_reading WHERE quantity = 'air_temperature'"
            ).fetchall()

    load(settings, warehouse, landing, declaring(folder, "scale = 0.001"))
    assert stored() == [(40, 32.767)]

    knowing = declaring(folder, 'scale = 0.001\nsentinels = [{ value = 32767, reason = "no probe" }]')
    replay = replay_source(settings, warehouse, landing, knowing, "run-2", whole=True)

    assert stored() == [(39, 0.226)]
    assert (replay.rows_loaded, replay.rows_taken_back) == (0, 1)
    with warehouse.read() as connection:
        refused = connection.execute("SELECT source_value FROM quarantine.sensor_reading").fetchall()
        touched = connection.execute("SELECT local_date FROM ops.touched_day WHERE load_id = 2").fetchall()
    assert (refused, touched) == ([("32767",)], [(DAY,)])
    again = replay_source(settings, warehouse, landing, declaring(folder, "scale = 0.001"), "run-3", whole=True)
    assert (again.rows_loaded, again.rows_taken_back, stored()) == (1, 0, [(40, 32.767)])


def test_a_file_that_could_not_be_read_does_not_stop_a_whole_replay(
    tmp_path: Path, settings: Settings, warehouse: Warehouse, landing: Landing
) -> None:
    """While it is still sent, that is what the replay of its source says; once it was taken away, it is left out."""
    folder = tmp_path / "ned"
    folder.mkdir()
    (folder / "ghg_2026-06.csv").write_bytes((PROJECT_ROOT / "samples/ned/ghg_2026-06.csv").read_bytes())
    (folder / "draft_2026-07.csv").write_text("a,b\n", encoding="utf-8")
    emissions = EmissionDatabase(Folder(folder), ("GGT",))
    ned = BoundSource(
        emissions,
        INDICATOR_VALUE,
        "csv",
        "",
        "team:test",
        is_daily=False,
        is_remote=False,
        malformed=(MalformedAnswer,),
    )

    def fetch() -> list[LandedFile]:
        landing.note_sent("ned", [], files := emissions.fetch(landing, []))
        return files

    record_failure(warehouse, INDICATOR_VALUE, "ned", "run-1", "cannot be read", fetch())

    told = replay_source(settings, warehouse, landing, ned, "run-2", whole=True)
    (folder / "draft_2026-07.csv").unlink()
    fetch()
    replay = replay_source(settings, warehouse, landing, ned, "run-3", whole=True)

    assert told.message.startswith("draft_2026-07.csv: its header needs municipality")
    assert (replay.files, replay.rows_loaded > 100, replay.message) == (1, True, "")


@pytest.mark.parametrize(("config", "files"), [({}, 0), ({"every_file": True}, 1)])
def test_the_job_replays_every_file_when_it_is_told_to(
    tmp_path: Path, settings: Settings, warehouse: Warehouse, landing: Landing, config: dict[str, bool], files: int
) -> None:
    folder = tmp_path / "drop"
    deliver(folder, [uplink(KNOWN, 1)])
    source = bound(folder, [KNOWN])
    load(settings, warehouse, landing, source)

    ended = replay_job(settings, [source]).execute_in_process(
        resources={"landing": landing, "warehouse": warehouse},
        run_config={"ops": {"replay_quarantine": {"config": config}}},
    )

    [output] = [event.step_output_data for event in ended.all_events if event.is_successful_output]
    assert output.metadata["files"].value == files


def test_the_job_says_what_every_file_is_for(settings: Settings) -> None:
    op = replay_job(settings, []).nodes[0].definition
    field = op.config_schema.as_field().config_type.fields["every_file"]
    assert field.default_value is False
    assert "Every landed file" in field.description
