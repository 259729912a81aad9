"""Nothing reaches raw that its suite did not pass; nothing is lost on the way."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from expectations.runner import CheckResult, run_suite
from expectations.suite import Suite
from hogland_pipeline import gate
from hogland_pipeline.gate import closing_reasons, gate_is_closed, pass_gate
from hogland_pipeline.loads import Batch, Load, files_to_load, record_failure
from hogland_pipeline.revisions import ConservationError
from hogland_pipeline.spool import spool_candidate
from hogland_pipeline.warehouse import SENSOR_READING, SURVEY_ANSWER, UTTC_SOLUTION, RawTable, Warehouse
from sensors_ingest.landing import LandedFile, Landing
from tests.unit.hogland_pipeline.raw_rows import (
    NOON,
    TIMEZONE,
    answer,
    candidate,
    dump,
    minutes,
    reading,
    solution,
)

DAYS = [date(2026, 1, 8), date(2026, 1, 9), date(2026, 1, 10)]


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "warehouse.duckdb")


def landed(landing_id: str, day: date | None = None, source: str = "feed") -> LandedFile:
    return LandedFile(landing_id, source, Path(landing_id), landing_id, NOON, None, day, 1)


def load(
    warehouse: Warehouse,
    rows: Sequence[Mapping[str, Any]],
    *,
    table: RawTable = SENSOR_READING,
    files: Sequence[LandedFile] | None = None,
    version: str = "1",
) -> Load:
    files = [landed(name) for name in sorted({row["landing_id"] for row in rows})] if files is None else files
    path = warehouse.path.parent / "candidate.parquet"
    spool_candidate(candidate(table, rows).to_batches(), table, path)
    return pass_gate(warehouse, table, Batch("feed", path, files, version, "run"), TIMEZONE)


def count(warehouse: Warehouse, table: str, where: str = "TRUE") -> int:
    with warehouse.read() as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table} WHERE {where}").fetchall()[0][0])


def rows_of(warehouse: Warehouse, query: str) -> list[tuple[Any, ...]]:
    with warehouse.read() as connection:
        return connection.execute(query).fetchall()


def good(number: int = 10, **given: Any) -> list[dict[str, Any]]:
    return [
        reading(observed_at=minutes(step), received_at=minutes(step), landing_row=step + 1, **given)
        for step in range(number)
    ]


def reject(**given: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(("sensor_id", "quantity", "observed_at", "value", "unit", "quality"))
    return reading(**nothing, reject_reason="payload is broken", source_row="0x00", **given)


def rejects(number: int, **given: Any) -> list[dict[str, Any]]:
    return [reject(landing_row=row, **given) for row in range(1, number + 1)]


def test_what_passes_is_published_and_logged(warehouse: Warehouse) -> None:
    result = load(warehouse, [*good(), reject()])
    assert (result.status, result.staged, result.inserted, result.quarantined) == ("passed", 11, 10, 1)
    assert rows_of(
        warehouse, "SELECT status, rows_staged, rows_inserted, rows_quarantined, checks_failed FROM ops.load"
    ) == [("passed", 11, 10, 1, 1)]
    assert rows_of(
        warehouse,
        "SELECT check_name, reason, source_row, landing_id, landing_row, source FROM quarantine.sensor_reading",
    ) == [("payload_is_decoded", "payload is broken", "0x00", "file", 1, "feed")]
    assert rows_of(warehouse, "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'stage'") == []


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        (SENSOR_READING, [*good(9), reading(value=-200.0), reject()]),
        (
            SURVEY_ANSWER,
            [*[answer(respondent=f"{n:032x}") for n in range(20)], answer(respondent="f" * 32, role="Bo's boss")],
        ),
        (UTTC_SOLUTION, [*[solution(url=f"https://example.org/2025/05/06/{n}") for n in range(9)], solution(title="")]),
    ],
    ids=lambda each: getattr(each, "name", ""),
)
def test_staged_is_published_and_quarantined_together(
    warehouse: Warehouse, table: RawTable, rows: list[dict[str, Any]]
) -> None:
    result = load(warehouse, rows, table=table)
    assert result.status == "passed"
    assert result.quarantined >= 1
    assert result.staged == len(rows) == result.inserted + result.revised + result.unchanged + result.quarantined
    assert count(warehouse, f"raw.{table.name}") + count(warehouse, f"quarantine.{table.name}") == len(rows)


def test_the_first_broken_rule_names_the_row(warehouse: Warehouse) -> None:
    bad = reading(value=-200.0, unit="K", landing_row=77)
    load(warehouse, [*good(), bad])
    assert rows_of(warehouse, "SELECT check_name, landing_row FROM quarantine.sensor_reading") == [
        ("unit_is_the_canonical_one", 77)
    ]


def test_an_answer_that_is_refused_when_its_file_is_decoded_again_stays(warehouse: Warehouse) -> None:
    """Readings go when they are refused (test_replay.py); that a list no longer knows a question undoes no answer."""
    answers = [answer(respondent=f"{number:032}", landing_row=number) for number in range(20)]
    load(warehouse, answers, table=SURVEY_ANSWER)
    refused = answers[0] | {"answer": None, "reject_reason": "unknown question"}
    again = load(warehouse, [refused, *answers[1:]], table=SURVEY_ANSWER, version="2")
    assert (again.status, again.quarantined, again.taken_back) == ("passed", 1, 0)
    assert count(warehouse, "raw.survey_answer") == 20


def test_a_file_decoded_again_replaces_its_quarantine(warehouse: Warehouse) -> None:
    load(warehouse, [*good(), reject(landing_row=11)])
    result = load(
        warehouse,
        [*good(), reading(landing_row=11, quantity="relative_humidity", value=80.0, unit="percent")],
        version="2",
    )
    assert (result.inserted, result.unchanged, result.quarantined) == (1, 10, 0)
    assert count(warehouse, "quarantine.sensor_reading") == 0


def test_the_quarantine_of_other_files_stays(warehouse: Warehouse) -> None:
    load(warehouse, [*good(), reject()])
    load(warehouse, [*good(), reject(landing_id="second")], files=[landed("second"), landed("third")])
    assert rows_of(warehouse, "SELECT landing_id FROM quarantine.sensor_reading ORDER BY ALL") == [
        ("file",),
        ("second",),
    ]


def test_a_closed_gate_says_where_the_reasons_are() -> None:
    told = gate_is_closed("snow", "quarantined_share_is_within_limit failed (20 of 50 rows)")
    assert told.endswith("Its last good data stays. 'hogland quarantine' counts the reasons.")
    assert gate_is_closed("snow", "batch_has_rows failed").endswith("Its last good data stays.")


def test_a_handful_of_refused_rows_does_not_close_the_gate(warehouse: Warehouse) -> None:
    """One new device without a decoder in a small pushed segment must not stop the others."""
    result = load(warehouse, [*good(3), *rejects(19)])
    assert (result.status, result.inserted, result.quarantined) == ("passed", 3, 19)


def test_too_many_refused_rows_close_the_gate(warehouse: Warehouse) -> None:
    load(warehouse, good())
    before = dump(warehouse)
    result = load(warehouse, [*good(30, value=5.0), *rejects(20)])
    assert (result.status, result.message) == ("closed", "quarantined_share_is_within_limit failed (20 of 50 rows)")
    assert (result.staged, result.quarantined, result.inserted) == (50, 0, 0)
    assert result.rows_by_day == {}
    assert dump(warehouse) == before
    assert rows_of(warehouse, "SELECT status, message FROM ops.source_status") == [("closed", result.message)]
    assert count(warehouse, "stage.feed") == 50


def test_a_broken_table_rule_closes_the_gate(warehouse: Warehouse) -> None:
    twice = [answer(), answer(answer="no", landing_row=2)]
    result = load(warehouse, twice, table=SURVEY_ANSWER)
    assert (result.status, result.message) == (
        "closed",
        "question_is_answered_once_per_submission failed (1 of 2 rows)",
    )
    assert count(warehouse, "raw.survey_answer") == 0


def test_a_check_that_raises_closes_the_gate(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    def raising(connection: Any, table: str, suite: Suite) -> list[CheckResult]:
        first, *others = run_suite(connection, table, suite)
        return [replace(first, passed=False, error="Binder Error: no such column"), *others]

    monkeypatch.setattr(gate, "run_suite", raising)
    result = load(warehouse, good())
    assert result.status == "closed"
    assert result.message.endswith("could not be evaluated: Binder Error: no such column")
    assert count(warehouse, "raw.sensor_reading") == 0


def check(**given: Any) -> CheckResult:
    return CheckResult(
        **{
            "name": "rule",
            "column": None,
            "severity": "error",
            "scope": "table",
            "passed": False,
            "evaluated_rows": 1,
            "failing_rows": 1,
            "failing_share": 1.0,
            "description": "",
            "threshold_reason": "",
        }
        | given
    )


@pytest.mark.parametrize(
    ("given", "reasons"),
    [
        ({}, ["rule failed (1 of 1 rows)"]),
        ({"scope": "row", "error": "boom"}, ["rule could not be evaluated: boom"]),
        ({"scope": "row"}, []),
        ({"passed": True}, []),
        ({"severity": "warning"}, []),
    ],
)
def test_closing_reasons(given: dict[str, Any], reasons: list[str]) -> None:
    assert closing_reasons([check(**given)]) == reasons


@pytest.mark.parametrize("step", ["merge_accepted", "record_load"])
def test_an_error_while_publishing_leaves_everything_as_it_was(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    load(warehouse, [*good(), reject()])
    before = dump(warehouse)
    loads = rows_of(warehouse, "FROM ops.load")

    def break_down(*_: Any, **__: Any) -> None:
        raise RuntimeError("disk full")

    with monkeypatch.context() as broken:
        broken.setattr(gate, step, break_down)
        with pytest.raises(RuntimeError, match="disk full"):
            load(warehouse, [*good(value=9.0, landing_id="second"), reject(landing_id="second")])
    assert dump(warehouse) == before
    assert rows_of(warehouse, "FROM ops.load") == loads
    result = load(warehouse, [*good(value=9.0, landing_id="second"), reject(landing_id="second")])
    assert result.status == "passed"


def test_lost_rows_stop_the_transaction(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that was counted when staged is neither accepted nor quarantined."""

    def counted_before(self: Any, query: str, parameters: Any = ()) -> int:
        return count_rows(self, query, parameters) + ("FROM stage.feed" in query and "INSERT" not in query)

    count_rows = gate._Gate._count
    monkeypatch.setattr(gate._Gate, "_count", counted_before)
    with pytest.raises(ConservationError, match="feed: 11 rows staged, but 10 accepted and 0 quarantined"):
        load(warehouse, good())
    assert count(warehouse, "raw.sensor_reading") == 0


def test_a_closed_batch_lands_its_good_days(warehouse: Warehouse) -> None:
    rows = [
        *good(5, landing_id="day 8"),
        *rejects(20, landing_id="day 9"),
        *good(5, landing_id="day 10", sensor_id="another"),
    ]
    files = [landed(f"day {day.day}", day) for day in DAYS]
    result = load(warehouse, rows, files=files)
    assert (result.status, result.closed_days) == ("closed", [DAYS[1]])
    assert result.message == "2026-01-09: quarantined_share_is_within_limit failed (20 of 20 rows)"
    assert sorted(result.rows_by_day) == [DAYS[0], DAYS[2]]
    assert (result.inserted, result.quarantined) == (10, 0)
    assert count(warehouse, "raw.sensor_reading") == 10
    assert rows_of(warehouse, "SELECT landing_day, status, rows_staged FROM ops.load ORDER BY landing_day") == [
        (DAYS[0], "passed", 5),
        (DAYS[1], "closed", 20),
        (DAYS[2], "passed", 5),
    ]
    assert rows_of(warehouse, "SELECT status FROM ops.source_status") == [("closed",)]
    assert rows_of(warehouse, "SELECT landing_id FROM ops.loaded_file ORDER BY ALL") == [("day 10",), ("day 8",)]
    assert rows_of(warehouse, "SELECT landing_id FROM ops.refused_file") == [("day 9",)]


def test_days_that_pass_by_themselves_pass(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def closed_at_first(connection: Any, table: str, suite: Suite) -> list[CheckResult]:
        calls.append(table)
        return [check(passed=len(calls) > 1)]

    monkeypatch.setattr(gate, "run_suite", closed_at_first)
    rows = [*good(5, landing_id="day 8"), *good(5, landing_id="day 9", sensor_id="another")]
    result = load(warehouse, rows, files=[landed(f"day {day.day}", day) for day in DAYS[:2]])
    assert (result.status, result.inserted, result.closed_days) == ("passed", 10, [])
    assert rows_of(warehouse, "SELECT status FROM ops.source_status") == [("passed",)]


def test_nothing_new_passes_with_the_checks_of_the_last_load(warehouse: Warehouse) -> None:
    first = load(warehouse, good())
    quiet = load(warehouse, [], files=[])
    assert (quiet.status, quiet.message, quiet.staged) == ("passed", "nothing new", 0)
    assert [(c.name, c.passed) for c in quiet.checks] == [(c.name, c.passed) for c in first.checks]
    assert quiet.checked_at is not None


def test_a_file_without_rows_is_loaded_once(warehouse: Warehouse, tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    file = in_landing(landing, b"")
    assert load(warehouse, [], files=[file]).status == "passed"
    assert files_to_load(warehouse, landing, "feed", "1") == []


def in_landing(landing: Landing, content: bytes, day: date | None = None, source: str = "feed") -> LandedFile:
    """As landing tells of it later: then it is not new any more."""
    return replace(landing.write(source, [content], address="export", suffix="ndjson", day=day), is_new=False)


def test_files_are_loaded_once_per_decoder(warehouse: Warehouse, tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    file, of_another = in_landing(landing, b"1"), in_landing(landing, b"1", source="another")
    assert files_to_load(warehouse, landing, "feed", "1") == [file]
    load(warehouse, good(landing_id=file.landing_id), files=[file])
    assert files_to_load(warehouse, landing, "feed", "1") == []
    assert files_to_load(warehouse, landing, "feed", "2") == [file]
    assert files_to_load(warehouse, landing, "another", "1") == [of_another]


def test_one_content_under_two_days_is_loaded_once(warehouse: Warehouse, tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    for day in DAYS:
        in_landing(landing, b"1", day)
    assert len(files_to_load(warehouse, landing, "feed", "1")) == 1


def test_only_files_of_the_days_asked_for_are_loaded_and_snapshots(warehouse: Warehouse, tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    first, snapshot = in_landing(landing, b"1", DAYS[0]), in_landing(landing, b"2")
    in_landing(landing, b"3", DAYS[1])
    assert files_to_load(warehouse, landing, "feed", "1", DAYS[:1]) == [first, snapshot]


def test_a_refused_file_is_tried_again_only_while_it_is_sent(warehouse: Warehouse, tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    bad, better = in_landing(landing, b"bad"), in_landing(landing, b"better")
    landing.note_sent("feed", DAYS, [bad])
    assert load(warehouse, rejects(20, landing_id=bad.landing_id), files=[bad]).status == "closed"
    assert files_to_load(warehouse, landing, "feed", "1") == [bad, better]
    landing.note_sent("feed", DAYS, [better])
    assert files_to_load(warehouse, landing, "feed", "1") == [better]
    landing.note_sent("feed", DAYS, [])
    assert files_to_load(warehouse, landing, "feed", "1") == [better]
    landing.note_sent("feed", DAYS, [bad])
    assert files_to_load(warehouse, landing, "feed", "1") == [bad, better]


def test_another_days_question_says_nothing_of_a_refused_day(warehouse: Warehouse, tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    bad = in_landing(landing, b"bad", DAYS[0])
    landing.note_sent("feed", DAYS, [bad])
    load(warehouse, rejects(20, landing_id=bad.landing_id), files=[bad])
    landing.note_sent("feed", DAYS[1:], [])
    assert files_to_load(warehouse, landing, "feed", "1") == [bad]


def test_a_failed_fetch_makes_the_source_stale_and_keeps_its_data(warehouse: Warehouse) -> None:
    load(warehouse, good())
    before = dump(warehouse)
    record_failure(warehouse, SENSOR_READING, "feed", "run", "feed: no answer")
    assert dump(warehouse) == before
    ((status, last_good, last_attempt, message),) = rows_of(
        warehouse, "SELECT status, last_good_at, last_attempt_at, message FROM ops.source_status"
    )
    assert (status, message) == ("failed", "feed: no answer")
    assert last_good < last_attempt


@pytest.mark.parametrize("table", [SENSOR_READING, SURVEY_ANSWER, UTTC_SOLUTION], ids=lambda table: table.name)
def test_an_empty_candidate_has_the_columns_of_its_table(table: RawTable, tmp_path: Path) -> None:
    assert spool_candidate(iter(()), table, tmp_path / "new" / "empty.parquet") == 0
    warehouse = Warehouse(tmp_path / "warehouse.duckdb")
    batch = Batch("feed", tmp_path / "new" / "empty.parquet", [landed("file")], "1", "run")
    assert pass_gate(warehouse, table, batch, TIMEZONE).staged == 0


def test_a_decoder_that_breaks_leaves_no_open_file(tmp_path: Path) -> None:
    def batches() -> Any:
        yield from candidate(SENSOR_READING, good(2)).to_batches()
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        spool_candidate(batches(), SENSOR_READING, tmp_path / "candidate.parquet")


def test_a_broken_day_does_not_hide_among_good_ones(warehouse: Warehouse) -> None:
    """Twenty refused rows are a sixth of the batch, but all but one of their day."""
    rows = [
        *good(100, landing_id="day 8"),
        reading(landing_id="day 9", observed_at=minutes(1000), received_at=minutes(1000)),
        *rejects(20, landing_id="day 9"),
    ]
    result = load(warehouse, rows, files=[landed(f"day {day.day}", day) for day in DAYS[:2]])
    assert (result.status, result.closed_days, result.inserted) == ("closed", [DAYS[1]], 100)
