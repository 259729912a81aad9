# ruff: noqa: S608 - SQL is put together from the names in warehouse.py; values are parameters
"""The gate: write, audit, publish. Nothing reaches ``raw`` that its suite did not pass.

A batch is staged (committed, in ``stage.<source>``: a view of the spooled candidate, which is thus written once),
audited by Great Expectations on the same open database, and then merged into ``raw`` and ``quarantine`` in one
transaction. Rows that break a row rule go to quarantine with the check that refused them; a broken table rule, a check
that raised, or too large a share of refused rows closes the gate and leaves ``raw`` as it was. A closed batch
of several days is tried again day by day: good days land.
"""

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import astuple, dataclass, replace
from datetime import UTC, date, datetime

import duckdb
import pyarrow as pa

from expectations.runner import CheckResult, run_suite
from expectations.suite import Suite, load_suite
from hogland_pipeline.loads import (
    Batch,
    DayRows,
    Load,
    combined,
    last_checks,
    next_load_id,
    record_load,
    record_refused,
)
from hogland_pipeline.resources import BoundSource
from hogland_pipeline.retractions import take_back_refused
from hogland_pipeline.revisions import ConservationError, MergeCounts, candidate_definitions, merge_accepted, note_days
from hogland_pipeline.settings import Settings
from hogland_pipeline.spool import spooled_windows
from hogland_pipeline.warehouse import RawTable, Warehouse
from sensors_ingest.landing import LandedFile, Landing

NOTHING_NEW = "nothing new"
QUARANTINE_SHARE_CHECK = "quarantined_share_is_within_limit"
ONE_DAY = "stage.one_day"
LANDING_DAYS = "stage.landing_day"


def pass_gate(warehouse: Warehouse, table: RawTable, batch: Batch, timezone: str) -> Load:
    """Stage, audit and publish ``batch``; returns how it went and writes it to ``ops.load``.

    A batch without files has nothing to audit: it passes, with the checks of what was loaded last, which is how a
    source that is well but quiet looks. A closed gate is a result, not an exception: the caller decides how to show
    it. Exceptions mean that nothing was decided, and leave ``raw`` untouched.
    """
    with warehouse.write() as connection:
        gate = _Gate(connection, table, load_suite(table.suite), batch, timezone)
        if not batch.files:
            return gate.nothing_new()
        gate.stage_batch()
        load = gate.audit_and_publish(gate.stage, batch.files)
        if load.status == "closed":
            load = gate.day_by_day(load)
        gate.clear_stage(keep=load.status == "closed")
        return load


def load_files(
    warehouse: Warehouse,
    bound: BoundSource,
    landing: Landing,
    files: Sequence[LandedFile],
    run_id: str,
    settings: Settings,
) -> Load:
    """Decode landing files and pass them through the gate, a window at a time so that memory does not follow the size
    of a backfill. Each candidate is spooled before the warehouse is locked, and the next one while it passes.
    """
    source = bound.source
    loads: list[Load] = []
    with closing(spooled_windows(bound, landing, files, run_id, settings)) as windows:
        for window, candidate in windows:
            batch = Batch(source.name, candidate, window, source.decoder_version, run_id)
            loads.append(pass_gate(warehouse, bound.table, batch, settings.timezone))
    load = combined(loads)
    if load.status == "closed" and loads[-1].status == "passed":
        # The newest entry of the log says how a source stands; a good window must not hide the refused one before it.
        with warehouse.write() as connection:
            closed = Load(source.name, "closed", message=load.message)
            record_load(connection, bound.table, run_id, datetime.now(UTC), closed)
    return load


def closing_reasons(checks: Sequence[CheckResult]) -> list[str]:
    """Why these results close the gate; empty when they do not."""
    reasons = []
    for check in checks:
        if check.passed or check.severity != "error":
            continue
        if check.error is not None:
            reasons.append(f"{check.name} could not be evaluated: {check.error}")
        elif check.scope == "table":
            rows = f" ({check.failing_rows} of {check.evaluated_rows} rows)" if check.failing_rows else ""
            reasons.append(f"{check.name} failed{rows}")
    return reasons


def gate_is_closed(source: str, message: str) -> str:
    """One sentence of what a closed gate means, and where the reasons are."""
    where = " 'hogland quarantine' counts the reasons." if QUARANTINE_SHARE_CHECK in message else ""
    return f"The gate of {source} is closed: {message}. Its last good data stays.{where}"


@dataclass(frozen=True)
class _Gate:
    """One batch on its way through, on the one open connection."""

    connection: duckdb.DuckDBPyConnection
    table: RawTable
    suite: Suite
    batch: Batch
    timezone: str

    @property
    def stage(self) -> str:
        return f"stage.{self.batch.source}"

    def nothing_new(self) -> Load:
        quiet = Load(self.batch.source, "passed", message=NOTHING_NEW)
        record_load(self.connection, self.table, self.batch.run_id, datetime.now(UTC), quiet)
        checks, checked_at = last_checks(self.connection, self.batch.source)
        return replace(quiet, checks=checks, checked_at=checked_at)

    def stage_batch(self) -> None:
        """The candidate as a committed view, each row with its number. The landing days of its files stand beside it:
        joined into the view, every check would pay for the join.
        """
        self.clear_stage(keep=False)
        days = pa.table(
            {
                "landing_id": pa.array([file.landing_id for file in self.batch.files], pa.string()),
                "landing_day": pa.array([file.day for file in self.batch.files], pa.date32()),
            }
        )
        self.connection.register("landing_days", days)
        self.connection.execute(f"CREATE OR REPLACE TABLE {LANDING_DAYS} AS FROM landing_days")
        self.connection.unregister("landing_days")
        columns = ", ".join(f"{name}::{kind} AS {name}" for name, kind in candidate_definitions(self.table).items())
        candidate = str(self.batch.candidate).replace("'", "''")
        self.connection.execute(
            f"CREATE VIEW {self.stage} AS SELECT file_row_number AS stage_row, {columns}"
            f" FROM read_parquet('{candidate}', file_row_number = true)"
        )

    def clear_stage(self, *, keep: bool) -> None:
        """Drop the stage, or keep the rows of a closed gate as a table: the candidate's file goes."""
        if keep:
            self.connection.execute(f"CREATE OR REPLACE TEMP TABLE kept AS {_with_day(self.stage)}")
        found = self.connection.execute(
            "SELECT table_type FROM information_schema.tables WHERE table_schema = 'stage' AND table_name = ?",
            [self.batch.source],
        ).fetchone()
        if found is not None:
            self.connection.execute(f"DROP {'VIEW' if found[0] == 'VIEW' else 'TABLE'} {self.stage}")
        self.connection.execute(f"DROP TABLE IF EXISTS {LANDING_DAYS}")
        if keep:
            self.connection.execute(f"CREATE TABLE {self.stage} AS FROM temp.kept")
            self.connection.execute("DROP TABLE temp.kept")

    def audit_and_publish(self, stage: str, files: Sequence[LandedFile], *, landing_day: date | None = None) -> Load:
        """Audit the rows of ``stage``; publish and log them when nothing closes the gate."""
        started_at = datetime.now(UTC)
        checks = run_suite(self.connection, stage, self.suite)
        self._collect_refused(checks)
        staged = self._count(f"SELECT count(*) FROM {stage}")
        refused = self._count("SELECT count(*) FROM temp.refused")
        rows_by_day = self._rows_by_day(stage)
        checks = [*checks, _quarantine_share(self.suite, staged, refused, rows_by_day.values())]
        load = Load(
            self.batch.source,
            "passed",
            checks,
            staged=staged,
            quarantined=refused,
            landing_day=landing_day,
            rows_by_day=rows_by_day,
        )
        if reasons := closing_reasons(checks):
            return replace(load, status="closed", quarantined=0, rows_by_day={}, message="; ".join(reasons))
        self.connection.execute("BEGIN")
        try:
            load_id = next_load_id(self.connection)
            taken_back, merged = self._publish(stage, files, load, load_id)
            load = replace(
                load,
                inserted=merged.inserted,
                revised=merged.revised,
                unchanged=merged.unchanged,
                taken_back=taken_back,
            )
            record_load(self.connection, self.table, self.batch.run_id, started_at, load, load_id)
            self.connection.execute("COMMIT")
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        return load

    def day_by_day(self, closed: Load) -> Load:
        """Try each landing day of a closed batch by itself: its good days land, the batch stays closed for the rest."""
        files_of: dict[date, list[LandedFile]] = {}
        for file in self.batch.files:
            if file.day:
                files_of.setdefault(file.day, []).append(file)
        if len(files_of) < 2:
            self._record_closed(closed, self.batch.files)
            return closed
        days = []
        for day, files in sorted(files_of.items()):
            self.connection.execute(
                f"CREATE OR REPLACE TABLE {ONE_DAY} AS FROM {self.stage}"
                f" WHERE landing_id IN (SELECT landing_id FROM {LANDING_DAYS} WHERE landing_day = ?)",
                [day],
            )
            days.append(self.audit_and_publish(ONE_DAY, files, landing_day=day))
        self.connection.execute(f"DROP TABLE {ONE_DAY}")
        refused = [day for day in days if day.status == "closed"]
        landed = [day for day in days if day.status == "passed"]
        result = replace(
            closed,
            status="closed" if refused else "passed",
            inserted=sum(day.inserted for day in landed),
            revised=sum(day.revised for day in landed),
            unchanged=sum(day.unchanged for day in landed),
            quarantined=sum(day.quarantined for day in landed),
            taken_back=sum(day.taken_back for day in landed),
            message="; ".join(f"{day.landing_day}: {day.message}" for day in refused),
            days=days,
            rows_by_day={day: rows for load in landed for day, rows in load.rows_by_day.items()},
        )
        for load in refused:
            self._record_closed(load, [file for file in self.batch.files if file.day == load.landing_day])
        return result

    def _record_closed(self, load: Load, files: Sequence[LandedFile]) -> None:
        load_id = next_load_id(self.connection)
        record_load(self.connection, self.table, self.batch.run_id, datetime.now(UTC), load, load_id)
        record_refused(self.connection, self.batch.source, files, load_id)

    def _collect_refused(self, checks: Sequence[CheckResult]) -> None:
        """Table ``refused``: every staged row that broke a row rule, with the first check that refused it."""
        self.connection.execute(
            "CREATE OR REPLACE TEMP TABLE refusal"
            " (stage_row BIGINT, position INTEGER, check_name VARCHAR, reason VARCHAR)"
        )
        for position, check in enumerate(checks):
            if check.severity == "error" and check.failing_query and not check.passed:
                self.connection.execute(
                    f"INSERT INTO refusal SELECT stage_row, ?, ?, ? FROM ({check.failing_query})",
                    [position, check.name, check.description],
                )
        self.connection.execute(
            "CREATE OR REPLACE TEMP TABLE refused AS SELECT stage_row, arg_min(check_name, position) AS check_name,"
            " arg_min(reason, position) AS reason FROM refusal GROUP BY stage_row"
        )

    def _rows_by_day(self, stage: str) -> dict[date, DayRows]:
        rows = self.connection.execute(
            f"""
            WITH by_file AS (
                SELECT s.landing_id, count(*) AS read, count(r.stage_row) AS refused
                FROM {stage} s LEFT JOIN refused r USING (stage_row) GROUP BY s.landing_id
            )
            SELECT d.landing_day, sum(f.read)::BIGINT, sum(f.refused)::BIGINT
            FROM by_file f JOIN {LANDING_DAYS} d USING (landing_id)
            WHERE d.landing_day IS NOT NULL GROUP BY d.landing_day
            """
        ).fetchall()
        return {day: DayRows(read, quarantined) for day, read, quarantined in rows}

    def _publish(self, stage: str, files: Sequence[LandedFile], load: Load, load_id: int) -> tuple[int, MergeCounts]:
        """Refused rows to quarantine and, if they were stored before, out of raw; the others to raw. Inside the
        caller's transaction.
        """
        quarantine = f"quarantine.{self.table.name}"
        columns = ", ".join(self.table.columns)
        self.connection.execute(
            f"CREATE OR REPLACE TEMP VIEW accepted AS"
            f" SELECT {columns}, landing_row, stage_row FROM {stage} ANTI JOIN refused USING (stage_row)"
        )
        self.connection.register("batch_files", pa.table({"landing_id": [file.landing_id for file in files]}))
        # A file that is decoded again replaces what it put into quarantine before.
        self.connection.execute(
            f"DELETE FROM {quarantine} WHERE source = ? AND landing_id IN (SELECT landing_id FROM batch_files)",
            [self.batch.source],
        )
        # In quarantine `source` is the configured source, also for a table whose rows name a source themselves.
        replaced = "stage_row, source" if "source" in self.table.columns else "stage_row"
        quarantined = self._count(
            f"""
            INSERT INTO {quarantine} BY NAME
            SELECT * EXCLUDE ({replaced}) REPLACE (coalesce(reject_reason, reason) AS reason),
                   ? AS source, ?::BIGINT AS load_id, now() AS quarantined_at
            FROM ({_with_day(f"{stage} JOIN refused USING (stage_row)")})
            """,
            [self.batch.source, load_id],
        )
        taken_back = self._take_back(stage, load_id)
        counts = merge_accepted(self.connection, self.table, "temp.accepted", load_id, self.timezone)
        accepted = counts.inserted + counts.revised + counts.unchanged
        if accepted + quarantined != load.staged:
            raise ConservationError(
                f"{self.batch.source}: {load.staged} rows staged, but {accepted} accepted and {quarantined} quarantined"
            )
        self.connection.execute(
            "INSERT INTO ops.loaded_file SELECT landing_id, ?, ?, ? FROM batch_files",
            [self.batch.source, self.batch.decoder_version, load_id],
        )
        self.connection.unregister("batch_files")
        self.connection.execute("DROP VIEW temp.accepted")
        return taken_back, counts

    def _take_back(self, stage: str, load_id: int) -> int:
        """Readings that files loaded before gave then and that are refused now; returns how many.

        Rows of other tables are what their file says: that a list no longer knows one is no reason to lose it.
        """
        is_again = "SELECT count(*) FROM ops.loaded_file SEMI JOIN batch_files USING (landing_id)"
        if self.table.day_of is None or not self._count(is_again):
            return 0
        taken_back = take_back_refused(self.connection, self.table, stage)
        if taken_back:
            moments = f"SELECT feed, {self.table.day_of} AS moment FROM taken_back"
            note_days(self.connection, load_id, moments, self.timezone)
        self.connection.execute("DROP TABLE temp.taken_back")
        return taken_back

    def _count(self, query: str, parameters: Sequence[object] = ()) -> int:
        row = self.connection.execute(query, list(parameters)).fetchone()
        if row is None:
            raise ConservationError(f"a count returned nothing: {query}")
        return int(row[0])


def _with_day(staged: str) -> str:
    """SQL: staged rows with the landing day of their file, if it has one."""
    return f"SELECT s.*, d.landing_day FROM (FROM {staged}) s LEFT JOIN {LANDING_DAYS} d USING (landing_id)"


def _quarantine_share(suite: Suite, staged: int, refused: int, days: Iterable[DayRows]) -> CheckResult:
    """The largest share, of the batch and of each of its days: a broken day must not hide among good ones."""
    limit = suite.max_quarantine_share or 0.0
    counted = [(max(staged, 1), refused), *map(astuple, days)]
    share = max((part / whole for whole, part in counted if part >= suite.min_quarantined_rows), default=0.0)
    return CheckResult(
        name=QUARANTINE_SHARE_CHECK,
        column=None,
        severity="error",
        scope="table",
        passed=share <= limit,
        evaluated_rows=staged,
        failing_rows=refused,
        failing_share=share,
        description=f"At most {limit:.0%} of the rows are refused"
        + (f", judged from {suite.min_quarantined_rows} refused rows on." if suite.min_quarantined_rows > 1 else "."),
        threshold_reason=suite.max_quarantine_share_reason or "",
    )
