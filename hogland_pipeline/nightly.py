"""The night from the command line: both jobs in this process, one after the other, and what came of them."""

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb

from hogland_pipeline.dead_runs import end_dead_runs
from hogland_pipeline.definitions import build_definitions
from hogland_pipeline.gate import gate_is_closed
from hogland_pipeline.jobs import INGEST_JOB, MARTS_JOB, buildable
from hogland_pipeline.overview import NothingPublished
from hogland_pipeline.partitions import nightly_range
from hogland_pipeline.progress import RUN_CONFIG, Progress
from hogland_pipeline.releases import Target
from hogland_pipeline.replay import Replay, replay_source
from hogland_pipeline.resources import bind_sources
from hogland_pipeline.schedules import range_tags
from hogland_pipeline.settings import Settings
from hogland_pipeline.staleness import source_states
from hogland_pipeline.warehouse import Warehouse
from sensors_ingest.landing import Landing


@dataclass(frozen=True)
class SourceOutcome:
    """One source of one night. Counts are rows; ``status`` is passed, closed (the gate) or failed (not fetched)."""

    source: str
    status: str
    read: int
    loaded: int
    revised: int
    unchanged: int
    quarantined: int
    checks_passed: int
    checks_warned: int
    checks_failed: int
    message: str
    seconds: float


@dataclass(frozen=True)
class MartOutcome:
    """One published mart; ``stale_sources`` names the failed sources it draws on."""

    mart: str
    rows: int
    checks_passed: int
    checks_warned: int
    is_changed: bool
    stale_sources: str | None
    stale_since: datetime | None


@dataclass(frozen=True)
class Night:
    """What came of a night. ``marts`` is empty when nothing was published; ``failures`` says why, in sentences."""

    first_day: str
    last_day: str
    sources: Sequence[SourceOutcome]
    dbt_tests_passed: int
    dbt_tests_warned: int
    dbt_tests_failed: int
    marts: Sequence[MartOutcome]
    database: Path | None
    release_bytes: int
    build_seconds: float
    publish_seconds: float
    failures: Sequence[str]

    @property
    def page(self) -> Path | None:
        """The front page of the published site, where one is written."""
        page = self.database.parent / "site" / "index.html" if self.database else None
        return page if page and page.is_file() else None

    @property
    def is_good(self) -> bool:
        """True when every source passed and the marts were published."""
        return not self.failures

    @property
    def is_changed(self) -> bool:
        """True when any published number differs from the publication before."""
        return any(mart.is_changed for mart in self.marts)


def run_night(settings: Settings, progress: Progress) -> Night:
    """Ingest every source, then build and publish what does not draw on a failed one.

    Runs are recorded in the Dagster instance of ``DAGSTER_HOME``, so that the UI shows them too.
    """
    definitions = build_definitions(settings, progress.loggers())
    sources = bind_sources(settings)
    warehouse = Warehouse(settings.warehouse_path)
    with dg.DagsterInstance.get() as instance:
        _end_dead_runs(settings, instance, progress)
        first, last = nightly_range(settings, sources, instance)
        progress.console.print(f"Sources, {first} to {last}")
        ingest = definitions.resolve_job_def(INGEST_JOB).execute_in_process(
            instance=instance, run_config=RUN_CONFIG, tags=range_tags(first, last), raise_on_error=False
        )
        marts = build_marts(definitions, warehouse, instance, progress)
    published = _published(settings, marts.run_id)
    dbt_tests = _dbt_tests(marts)
    return Night(
        first_day=first,
        last_day=last,
        sources=_sources(warehouse, ingest.run_id, progress),
        dbt_tests_passed=dbt_tests["passed"],
        dbt_tests_warned=dbt_tests["warned"],
        dbt_tests_failed=dbt_tests["failed"],
        marts=published,
        database=Target(settings.data_dir).database if published else None,
        release_bytes=_size(Target(settings.data_dir).published) if published else 0,
        build_seconds=progress.seconds.get("dbt_models", 0.0),
        publish_seconds=progress.seconds.get("published_marts", 0.0),
        failures=[*_failures(ingest), *_failures(marts)],
    )


def run_replay(
    settings: Settings, progress: Progress, *, whole: bool = False
) -> tuple[Sequence[Replay], Sequence[str]]:
    """Run what is in quarantine (``whole``: everything) again from landing, then build and publish; returns what came
    of it, and failures. Raises ``NothingPublished`` before the first night, which would publish marts without rows.
    """
    warehouse, landing = Warehouse(settings.warehouse_path), Landing(settings.landing_dir)
    if not source_states(warehouse):
        raise NothingPublished(f"Nothing was loaded into {settings.data_dir} yet: run 'hogland run' first.")
    definitions = build_definitions(settings, progress.loggers())
    run_id = f"replay-{uuid.uuid4()}"
    replays = [
        replay_source(settings, warehouse, landing, bound, run_id, whole=whole) for bound in bind_sources(settings)
    ]
    with dg.DagsterInstance.get() as instance:
        _end_dead_runs(settings, instance, progress)
        marts = build_marts(definitions, warehouse, instance, progress)
    refused = [gate_is_closed(replay.source, replay.message) for replay in replays if replay.message]
    return replays, [*refused, *_failures(marts)]


def _end_dead_runs(settings: Settings, instance: dg.DagsterInstance, progress: Progress) -> None:
    for sentence in end_dead_runs(instance, settings.candidate_dir):
        progress.console.print(f"  ! {sentence}", style="yellow")


def build_marts(
    definitions: dg.Definitions, warehouse: Warehouse, instance: dg.DagsterInstance, progress: Progress
) -> dg.ExecuteInProcessResult:
    """Run the marts job for everything that does not draw on a source whose last attempt failed."""
    failed = [state.source for state in source_states(warehouse) if state.status != "passed"]
    progress.console.print("Marts")
    return definitions.resolve_job_def(MARTS_JOB).execute_in_process(
        instance=instance,
        run_config=RUN_CONFIG,
        asset_selection=buildable(definitions.resolve_asset_graph().assets_defs, failed),
        raise_on_error=False,
    )


def _sources(warehouse: Warehouse, run_id: str, progress: Progress) -> list[SourceOutcome]:
    with warehouse.read() as connection:
        rows = connection.execute(
            """
            SELECT source, arg_max(status, load_id), sum(rows_staged), sum(rows_inserted), sum(rows_revised),
                   sum(rows_unchanged), sum(rows_quarantined), arg_max(checks_passed, load_id),
                   arg_max(checks_warned, load_id), arg_max(checks_failed, load_id), arg_max(message, load_id)
            FROM ops.load WHERE run_id = ? GROUP BY source ORDER BY source
            """,
            [run_id],
        ).fetchall()
    seconds = progress.seconds
    return [
        SourceOutcome(*[*row, seconds.get(f"landing/{row[0]}", 0.0) + seconds.get(f"raw/{row[0]}", 0.0)])
        for row in rows
    ]


def _published(settings: Settings, run_id: str) -> list[MartOutcome]:
    """Rows of the ``publication`` table, if it is this run's."""
    database = Target(settings.data_dir).database
    if not database.exists():
        return []
    with duckdb.connect(database, read_only=True) as connection:
        rows = connection.execute(
            """
            SELECT mart, row_count, checks_passed, checks_warned, is_changed, stale_sources, stale_since
            FROM publication WHERE run_id = ? ORDER BY mart
            """,
            [run_id],
        ).fetchall()
    return [MartOutcome(*row) for row in rows]


def _dbt_tests(result: Any) -> Counter[str]:
    """How many dbt tests of the run passed, warned and failed; the other checks are those of the publication."""
    return Counter(
        "passed" if check.passed else "warned" if check.severity == dg.AssetCheckSeverity.WARN else "failed"
        for check in result.get_asset_check_evaluations()
        if check.asset_key.path[0] != "published"
    )


def _failures(result: Any) -> list[str]:
    """A sentence for every step that failed, without tracebacks."""
    sentences = []
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            if data.user_failure_data is not None and data.user_failure_data.description:
                sentences.append(data.user_failure_data.description)
            else:
                cause = data.error.cause or data.error
                sentences.append(f"{event.step_key}: {cause.message.strip()}")
    return sentences


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.resolve().rglob("*") if path.is_file())
