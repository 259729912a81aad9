"""A backfill is loaded a window at a time, and ends as if it had been loaded at once."""

import base64
import json
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pytest

from hogland_pipeline.gate import load_files
from hogland_pipeline.loads import Load, combined, days_of, files_to_load
from hogland_pipeline.resources import BoundSource
from hogland_pipeline.settings import Settings, load_settings
from hogland_pipeline.spool import FileNotTaken, spooled_windows
from hogland_pipeline.warehouse import SENSOR_READING, Warehouse
from sensors_ingest.devices import Device
from sensors_ingest.http import Folder
from sensors_ingest.landing import LandedFile, Landing
from sensors_ingest.the_things_stack import TheThingsStack

DAYS = [date(2026, 1, 8) + timedelta(days=number) for number in range(4)]
SENSOR = "A81758FFFE04A001"


def landed(name: str, day: date | None) -> LandedFile:
    return LandedFile(name, "feed", Path(name), name, datetime(2026, 1, 1, tzinfo=UTC), None, day, 1)


def test_files_of_a_day_stay_together_and_snapshots_stand_alone() -> None:
    files = [
        *(landed(name, DAYS[1]) for name in "ec"),
        landed("b", None),
        landed("d", DAYS[0]),
        landed("a", None),
    ]
    assert [[file.landing_id for file in day] for day in days_of(files)] == [["a"], ["b"], ["d"], ["c", "e"]]


def test_one_closed_window_closes_the_whole() -> None:
    whole = combined(
        [Load("feed", "passed", inserted=3), Load("feed", "closed", message="why"), Load("feed", "passed")]
    )
    assert (whole.status, whole.inserted, whole.message) == ("closed", 3, "why")


def uplink(day: date, frame: int, payload: str = "0100e20223070e27") -> str:
    received_at = (datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=2, minutes=10 * frame)).isoformat()
    message = {
        "session_key_id": str(day),
        "f_port": 5,
        "f_cnt": frame,
        "frm_payload": base64.b64encode(bytes.fromhex(payload)).decode(),
        "rx_metadata": [{"time": received_at}],
        "received_at": received_at,
    }
    envelope = {"end_device_ids": {"dev_eui": SENSOR}, "received_at": received_at, "uplink_message": message}
    return json.dumps({"result": envelope})


@dataclass(frozen=True)
class Delivered:
    """Four days of uplinks in landing."""

    settings: Settings
    bound: BoundSource
    landing: Landing
    files: list[LandedFile]


def delivered(tmp_path: Path, name: str, window_rows: int, broken: date | None = None) -> Delivered:
    settings = load_settings(data_dir=tmp_path / name).model_copy(update={"window_rows": window_rows})
    folder = tmp_path / f"{name}-drop"
    folder.mkdir()
    for day in DAYS:
        lines = ["{broken" if day == broken else uplink(day, frame) for frame in range(20)]
        (folder / f"{day}.ndjson").write_text("\n".join(lines), encoding="utf-8")
    source = TheThingsStack("uplinks", Folder(folder), (Device(SENSOR, "elsys"),))
    bound = BoundSource(source, SENSOR_READING, "lorawan", "", "team:test", is_daily=True, is_remote=False)
    landing = Landing(settings.landing_dir)
    return Delivered(settings, bound, landing, source.fetch(landing, DAYS))


def load(
    tmp_path: Path, name: str, window_rows: int, broken: date | None = None
) -> tuple[Load, list[tuple[object, ...]]]:
    given = delivered(tmp_path, name, window_rows, broken)
    warehouse = Warehouse(given.settings.warehouse_path)
    outcome = load_files(warehouse, given.bound, given.landing, given.files, "run", given.settings)
    with warehouse.read() as connection:
        rows = connection.execute(
            "SELECT feed, sensor_id, quantity, observed_at, value, revision FROM raw.sensor_reading ORDER BY ALL"
        ).fetchall()
        status = connection.execute("SELECT status FROM ops.source_status").fetchone()
    assert status == (outcome.status,)
    return outcome, rows


def test_windows_end_as_one_load(tmp_path: Path) -> None:
    at_once, rows_at_once = load(tmp_path, "at_once", 10**9)
    in_windows, rows_in_windows = load(tmp_path, "in_windows", 1)
    assert rows_in_windows == rows_at_once
    assert (in_windows.status, in_windows.staged, in_windows.inserted) == ("passed", at_once.staged, at_once.inserted)
    assert dict(in_windows.rows_by_day) == dict(at_once.rows_by_day)
    counted = [{check.name: check.evaluated_rows for check in load.checks} for load in (at_once, in_windows)]
    assert counted[0] == counted[1]


def test_a_window_ends_with_the_day_that_fills_it(tmp_path: Path) -> None:
    at_once, _ = load(tmp_path, "at_once", 10**9)
    day = at_once.staged // len(DAYS)
    windows = {}
    for rows in (1, day, day + 1, 4 * day):
        load(tmp_path, f"windows of {rows}", rows)
        with Warehouse(load_settings(data_dir=tmp_path / f"windows of {rows}").warehouse_path).read() as connection:
            windows[rows] = [staged for (staged,) in connection.execute("SELECT rows_staged FROM ops.load").fetchall()]
    assert windows == {1: [day] * 4, day: [day] * 4, day + 1: [2 * day] * 2, 4 * day: [4 * day]}


def test_a_decoder_starts_once_a_window_however_many_days_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []
    decode = TheThingsStack.decode

    def counted(source: TheThingsStack, landing: Landing, files: Iterable[LandedFile]) -> Iterator[pa.RecordBatch]:
        started.append(source.name)
        return decode(source, landing, files)

    monkeypatch.setattr(TheThingsStack, "decode", counted)
    at_once, _ = load(tmp_path, "at_once", 10**9)
    assert len(started) == 1
    load(tmp_path, "in two windows", at_once.staged // 2)
    assert len(started) == 3


def test_the_next_window_is_spooled_while_one_passes(tmp_path: Path) -> None:
    given = delivered(tmp_path, "ahead", 1)
    windows = spooled_windows(given.bound, given.landing, given.files, "run", given.settings)
    _, first = next(windows)
    deadline = time.monotonic() + 30
    while len(list(given.settings.candidate_dir.iterdir())) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert first.exists()
    next(windows)
    assert not first.exists()
    windows.close()
    assert list(given.settings.candidate_dir.iterdir()) == []


def test_a_decoder_that_breaks_costs_its_own_window_and_leaves_no_candidate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = delivered(tmp_path, "breaks", 1)
    decode = TheThingsStack.decode

    def broken(source: TheThingsStack, landing: Landing, files: Iterable[LandedFile]) -> Iterator[pa.RecordBatch]:
        for file in files:
            if file.day == DAYS[2]:
                raise RuntimeError("broken")
            yield from decode(source, landing, [file])

    monkeypatch.setattr(TheThingsStack, "decode", broken)
    warehouse = Warehouse(given.settings.warehouse_path)
    with pytest.raises(RuntimeError, match="broken"):
        load_files(warehouse, given.bound, given.landing, given.files, "run", given.settings)
    assert list(given.settings.candidate_dir.iterdir()) == []
    with warehouse.read() as connection:
        days = connection.execute("SELECT DISTINCT observed_at::DATE FROM raw.sensor_reading ORDER BY ALL").fetchall()
    assert days == [(DAYS[0],), (DAYS[1],)]


@pytest.mark.parametrize("taken", [0, 1, 3])
def test_a_decoder_that_ends_before_it_took_all_files_is_told_with_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: int
) -> None:
    given = delivered(tmp_path, "ends", 10**9)
    decode = TheThingsStack.decode

    def ended(source: TheThingsStack, landing: Landing, files: Iterable[LandedFile]) -> Iterator[pa.RecordBatch]:
        return decode(source, landing, islice(files, taken))

    monkeypatch.setattr(TheThingsStack, "decode", ended)
    warehouse = Warehouse(given.settings.warehouse_path)
    reason = f"The decoder of 'uplinks' ended before it had taken {DAYS[taken]}.ndjson"
    with pytest.raises(FileNotTaken, match=re.escape(reason)):
        load_files(warehouse, given.bound, given.landing, given.files, "run", given.settings)
    assert list(given.settings.candidate_dir.iterdir()) == []
    version = given.bound.source.decoder_version
    assert len(files_to_load(warehouse, given.landing, "uplinks", version)) == len(DAYS)


def test_a_decoder_may_take_all_files_before_it_yields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decode = TheThingsStack.decode

    def hasty(source: TheThingsStack, landing: Landing, files: Iterable[LandedFile]) -> Iterator[pa.RecordBatch]:
        return decode(source, landing, list(files))

    _, one_by_one = load(tmp_path, "one by one", 1)
    monkeypatch.setattr(TheThingsStack, "decode", hasty)
    assert load(tmp_path, "hasty", 1)[1] == one_by_one


def test_a_refused_window_is_not_hidden_by_the_good_ones_after_it(tmp_path: Path) -> None:
    outcome, rows = load(tmp_path, "broken", 1, broken=DAYS[1])
    assert outcome.status == "closed"
    assert {row[3].date() for row in rows} == {DAYS[0], DAYS[2], DAYS[3]}  # type: ignore[attr-defined]
    assert sorted(outcome.rows_by_day) == [DAYS[0], DAYS[2], DAYS[3]]
