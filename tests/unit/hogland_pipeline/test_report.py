"""What a person reads in the terminal while the night runs and when it has ended."""

import io
import logging
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from rich.console import Console

from hogland_pipeline.nightly import MartOutcome, Night, SourceOutcome
from hogland_pipeline.progress import RUN_CONFIG, Progress
from hogland_pipeline.replay import Recovery, Refusal, Replay
from hogland_pipeline.report import print_night, print_refusals, print_replay

GOOD = SourceOutcome("smhi", "passed", 4465, 3715, 4, 743, 3, 25, 0, 1, "", 4.4)
MART = MartOutcome("dim_sensor", 8, 10, 1, True, None, None)
NIGHT = Night(
    first_day="2026-01-01",
    last_day="2026-01-31",
    sources=[GOOD],
    dbt_tests_passed=143,
    dbt_tests_warned=2,
    dbt_tests_failed=0,
    marts=[MART],
    database=Path("data/published/hogland.duckdb"),
    release_bytes=3_200_000,
    build_seconds=13.5,
    publish_seconds=2.7,
    failures=[],
)
CLOSED = replace(GOOD, source="survey", status="closed", message="survey [bold]is closed[/]")


def printed(night: Night) -> str:
    console = Console(file=io.StringIO(), width=140, highlight=False)
    print_night(console, night, 42.6)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_a_good_night_in_full() -> None:
    text = printed(NIGHT)
    (source,) = (line for line in text.splitlines() if "smhi" in line)
    assert [cell.strip() for cell in source.strip("│").split("│")] == [
        "smhi",
        "passed",
        "4 465",
        "3 715",
        "4",
        "743",
        "3",
        "25 passed, 1 refused rows",
        "4.4 s",
    ]
    (mart,) = (line for line in text.splitlines() if "dim_sensor" in line)
    assert [cell.strip() for cell in mart.strip("│").split("│")] == [
        "dim_sensor",
        "8",
        "10 passed, 1 warned",
        "changed",
    ]
    assert "dbt tests: 143 passed, 2 warned, 0 failed. " in text
    assert "Time: sources 4.4 s, dbt 13.5 s, publish 2.7 s, in all 42.6 s." in text
    assert "Published: data/published/hogland.duckdb (and parquet/ beside it), 3.2 MB. Numbers changed." in text
    assert "✗" not in text


def test_a_night_names_the_page_that_people_read_where_there_is_one(tmp_path: Path) -> None:
    night = replace(NIGHT, database=tmp_path / "hogland.duckdb")
    assert "To read" not in printed(night)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").touch()
    assert f"To read: open {tmp_path}/site/index.html in a browser" in printed(night)


def test_a_quiet_night_says_that_no_number_changed() -> None:
    text = printed(replace(NIGHT, marts=[replace(MART, is_changed=False)]))
    assert "No number changed since the last publication." in text
    assert "unchanged" in text


def test_stale_marts_say_since_when_and_because_of_what() -> None:
    since = datetime(2026, 1, 30, 1, 5, tzinfo=UTC)
    stale = replace(MART, is_changed=False, stale_sources="smhi, survey", stale_since=since)
    never = replace(MART, mart="fct_kpi_value", stale_sources="survey", stale_since=None)
    text = printed(replace(NIGHT, sources=[GOOD, CLOSED], marts=[stale, never], failures=["The gate is [closed]."]))
    assert "stale since 2026-01-30 01:05: smhi, survey" in text
    assert "stale since always: survey" in text
    assert "│ closed │" in text
    assert "✗ The gate is [closed]." in text


def test_a_night_without_publication_says_so() -> None:
    text = printed(replace(NIGHT, marts=[], database=None, failures=["dbt_models: broken"]))
    assert "Nothing was published; what was published before stays." in text
    assert "Published marts" not in text
    assert "✗ dbt_models: broken" in text


@pytest.mark.parametrize(
    ("given", "is_good", "is_changed"),
    [({}, True, True), ({"failures": ["x"]}, False, True), ({"marts": []}, True, False)],
)
def test_a_night_knows_how_it_went(given: dict[str, Any], is_good: bool, is_changed: bool) -> None:
    night = replace(NIGHT, **given)
    assert (night.is_good, night.is_changed) == (is_good, is_changed)


# Progress


def run_with_progress(*assets: dg.AssetsDefinition) -> tuple[str, Progress]:
    console = Console(file=io.StringIO(), width=140)
    with Progress(console) as progress, dg.DagsterInstance.ephemeral() as instance:
        definitions = dg.Definitions(
            assets=assets,
            jobs=[dg.define_asset_job("night", executor_def=dg.in_process_executor)],
            loggers=progress.loggers(),
        )
        definitions.resolve_job_def("night").execute_in_process(
            instance=instance, run_config=RUN_CONFIG, raise_on_error=False
        )
    return console.file.getvalue(), progress  # type: ignore[attr-defined]


def test_progress_is_a_line_a_step() -> None:
    @dg.asset(key=["landing", "smhi"])
    def good(context: dg.AssetExecutionContext) -> None:
        context.log.warning("a column [A] is not mapped")
        context.log.info("not for the terminal")

    @dg.asset(key=["raw", "smhi"], deps=[good])
    def closed() -> None:
        raise dg.Failure(description="closed", allow_retries=False)

    @dg.asset(key=["marts", "snow"], deps=[closed])
    def skipped() -> None: ...

    text, progress = run_with_progress(good, closed, skipped)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    assert lines[0] == "! a column [A] is not mapped"
    assert lines[1].startswith("✓ landing/smhi 0.")
    assert lines[2].startswith("✗ raw/smhi 0.")
    assert lines[3] == "! marts/snow was not run: it needs what failed."
    assert set(progress.seconds) == {"landing/smhi", "raw/smhi"}
    assert "not for the terminal" not in text


def test_a_step_that_is_tried_again_is_said() -> None:
    @dg.asset(key=["landing", "smhi"], retry_policy=dg.RetryPolicy(max_retries=1))
    def flaky(context: dg.AssetExecutionContext) -> None:
        if context.retry_number == 0:
            raise OSError

    text, _ = run_with_progress(flaky)
    assert "landing/smhi will be tried again" in text
    assert "✓ landing/smhi" in text


def test_a_record_of_no_run_is_shown_from_warnings_on() -> None:
    console = Console(file=io.StringIO(), width=140)
    progress = Progress(console)
    for level in (logging.INFO, logging.WARNING):
        progress.emit(logging.LogRecord("x", level, "f", 1, f"level {level}", None, None))
    assert console.file.getvalue().split() == ["!", "level", "30"]  # type: ignore[attr-defined]


def replayed(replays: list[Replay], failures: list[str]) -> str:
    console = Console(file=io.StringIO(), width=140, highlight=False)
    print_replay(console, replays, failures)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_a_replay_says_what_came_in_and_what_stays() -> None:
    recovery = Recovery("tts_hogland", "payload_is_decoded", "unknown device A8[bold]", 1200, 1195, 2, 3)
    text = replayed([Replay("tts_hogland", 2, 4788, 12, "", [recovery])], ["The gate of smhi is closed: why."])
    (row,) = (line for line in text.splitlines() if "unknown device" in line)
    cells = [cell.strip() for cell in row.strip("│").split("│")]
    assert cells == ["tts_hogland", "unknown device A8[bold]", "1 200", "1 195", "2", "3"]
    assert "4 788 rows loaded." in text
    assert "12 rows taken back" in text
    assert "✗ The gate of smhi is closed: why." in text


def test_a_replay_of_nothing_says_so() -> None:
    assert "Nothing is in quarantine." in replayed([Replay("smhi", 0, 0, 0, "", ())], [])


def test_what_closed_gates_held_back_is_told_beside_the_quarantine() -> None:
    console = Console(file=io.StringIO(), width=140, highlight=False)
    print_refusals(console, [], [Refusal("snow", "payload_is_decoded", "unknown device A8", 48)])
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "Held back by a closed gate" in text and "unknown device A8" in text
    assert "Nothing is in quarantine." in text


def test_what_is_in_quarantine_is_counted_by_its_reason() -> None:
    console = Console(file=io.StringIO(), width=140, highlight=False)
    print_refusals(console, [Refusal("snow", "payload_is_decoded", "value [x] is not a number", 1200)])
    text = console.file.getvalue()  # type: ignore[attr-defined]
    (row,) = (line for line in text.splitlines() if "is not a number" in line)
    cells = [cell.strip() for cell in row.strip("│").split("│")]
    assert cells == ["snow", "payload_is_decoded", "value [x] is not a number", "1 200"]
