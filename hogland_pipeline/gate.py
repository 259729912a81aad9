# ruff: noqa: S608 - SQL is put together from the names in warehouse.py; values are parameters
"""The gate: write, audit, publish. Nothing reaches ``raw`` that its suite did not pass.

A batch is staged (committed, in ``stage.<source>``), audited by Great Expectations on the same open database, and
then merged into ``raw`` and ``quarantine`` in one transaction. Rows that break a row rule go to quarantine with the
check that refused them; a broken table rule, a check that raised, or too large a share of refused rows closes the
gate and leaves ``raw`` as it was. A closed batch of several days is tried again day by day: good days land.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from expectations.runner import CheckResult, run_suite
from expectations.suite import Suite, load_suite
from hogland_pipeline.check_log import last_checks, record_checks
from hogland_pipeline.revisions import ConservationError, MergeCounts, candidate_definitions, merge_accepted
from hogland_pipeline.warehouse import RawTable, Warehouse
from sensors_ingest.landing import LandedFile

NOTHING_NEW = "nothing new"
QUARANTINE_SHARE_CHECK = "quarantined_share_is_within_limit"


@dataclass(frozen=True)
class Batch:
    """What one load brings: the spooled candidate (Parquet), its landing files and who decoded them."""

    source: str
    candidate: Path
    files: Sequence[LandedFile]
    decoder_version: str
    run_id: str


@dataclass(frozen=True)
class DayRows:
    """Rows that one landing day brought, and how many of them were refused."""

    read: int
    quarantined: int


@dataclass(frozen=True)
class Load:
    """How one batch, or one day of it, went. Counts are rows; ``staged`` = the other four added up.

    ``checked_at`` is set when the checks are those of an earlier load because nothing new came.
    """

    source: str
    status: Literal["passed", "closed"]
    checks: Sequence[CheckResult]
    staged: int = 0
    inserted: int = 0
    revised: int = 0
    unchanged: int = 0
    quarantined: int = 0
    landing_day: date | None = None
    message: str = ""
    checked_at: datetime | None = None
    days: Sequence["Load"] = ()
    rows_by_day: Mapping[date, "DayRows"] = field(default_factory=dict)

    @property
    def closed_days(self) -> list[date]:
        """Days that were refused when the batch was tried day by day."""
        return [day.landing_day for day in self.days if day.status == "closed" and day.landing_day]


def spool_candidate(batches: Iterable[pa.RecordBatch], table: RawTable, path: Path) -> int:
    """Write decoded batches to a Parquet file, outside the warehouse's lock; returns the number of rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows, writer = 0, None
    try:
        for batch in batches:
            writer = writer or pq.ParquetWriter(path, batch.schema, compression="lz4")
            writer.write_batch(batch)
            rows += batch.num_rows
    finally:
        if writer:
            writer.close()
    if writer is None:
        columns = ", ".join(f"NULL::{kind} AS {name}" for name, kind in candidate_definitions(table).items())
        duckdb.sql(f"SELECT {columns} WHERE FALSE").write_parquet(str(path))
    return rows


def pass_gate(warehouse: Warehouse, table: RawTable, batch: Batch, timezone: str) -> Load:
    """Stage, audit and publish ``batch``; returns how it went and writes it to ``ops.load``.

    A batch without files has nothing to audit: it passes, with the checks of what was loaded last, which is how a
    source that is well but quiet looks.
    A closed gate is a result, not an exception: the caller decides how to show it. Exceptions mean that nothing was
    decided, and leave ``raw`` untouched.
    """
    suite = load_suite(table.suite)
    with warehouse.write() as connection:
        if not batch.files:
            nothing = Load(batch.source, "passed", (), message=NOTHING_NEW)
            _record(connection, table, batch.run_id, datetime.now(UTC), nothing, "passed")
            checks, checked_at = last_checks(connection, batch.source)
            return replace(nothing, checks=checks, checked_at=checked_at)
        stage = f"stage.{batch.source}"
        _stage(connection, table, batch, stage)
        load = _audit_and_publish(connection, table, suite, batch, stage, timezone, record_closed=False)
        if load.status == "closed":
            load = _day_by_day(connection, table, suite, batch, stage, timezone, load)
        if load.status == "passed":
            connection.execute(f"DROP TABLE {stage}")
        return load


def record_failure(warehouse: Warehouse, table: RawTable, source: str, run_id: str, message: str) -> None:
    """Note that ``source`` could not be fetched or decoded, so that it shows as stale."""
    with warehouse.write() as connection:
        _record(
            connection,
            table,
            run_id,
            datetime.now(UTC),
            Load(source, "closed", (), message=message),
            "failed",
        )


def _stage(connection: duckdb.DuckDBPyConnection, table: RawTable, batch: Batch, stage: str) -> None:
    days = pa.table(
        {
            "landing_id": pa.array([file.landing_id for file in batch.files], pa.string()),
            "landing_day": pa.array([file.day for file in batch.files], pa.date32()),
        }
    )
    columns = ", ".join(f"c.{name}::{kind} AS {name}" for name, kind in candidate_definitions(table).items())
    connection.register("landing_days", days)
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE {stage} AS
        SELECT c.file_row_number AS stage_row, {columns}, d.landing_day
        FROM read_parquet(?, file_row_number = true) c LEFT JOIN landing_days d USING (landing_id)
        """,
        [str(batch.candidate)],
    )
    connection.unregister("landing_days")


def _audit_and_publish(
    connection: duckdb.DuckDBPyConnection,
    table: RawTable,
    suite: Suite,
    batch: Batch,
    stage: str,
    timezone: str,
    *,
    landing_day: date | None = None,
    record_closed: bool = True,
) -> Load:
    started_at = datetime.now(UTC)
    checks = run_suite(connection, stage, suite)
    staged = _collect_refused(connection, stage, checks)
    refused = _scalar(connection, "SELECT count(*) FROM temp.refused")
    checks = [*checks, _quarantine_share(suite, staged, refused)]
    load = Load(
        batch.source,
        "passed",
        checks,
        staged=staged,
        quarantined=refused,
        landing_day=landing_day,
        rows_by_day=_rows_by_day(connection, stage),
    )
    if reasons := closing_reasons(checks):
        load = replace(load, status="closed", message="; ".join(reasons))
        if record_closed:
            _record(connection, table, batch.run_id, started_at, load, "closed")
        return load
    connection.execute("BEGIN")
    try:
        load_id = _next_load_id(connection)
        files = batch.files if landing_day is None else [f for f in batch.files if f.day == landing_day]
        merged = _publish(connection, table, batch, files, stage, load, load_id, timezone)
        load = replace(load, inserted=merged.inserted, revised=merged.revised, unchanged=merged.unchanged)
        _record(connection, table, batch.run_id, started_at, load, "passed", load_id)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    return load


def _day_by_day(
    connection: duckdb.DuckDBPyConnection,
    table: RawTable,
    suite: Suite,
    batch: Batch,
    stage: str,
    timezone: str,
    closed: Load,
) -> Load:
    """Try each landing day of a closed batch by itself; the batch stays closed, its good days land."""
    days = sorted({file.day for file in batch.files if file.day})
    if len(days) < 2:
        _record(connection, table, batch.run_id, datetime.now(UTC), closed, "closed")
        return closed
    loads = []
    for day in days:
        connection.execute(
            f"CREATE OR REPLACE TABLE stage.one_day AS FROM {stage} WHERE landing_day = ?",
            [day],
        )
        loads.append(
            _audit_and_publish(
                connection,
                table,
                suite,
                batch,
                "stage.one_day",
                timezone,
                landing_day=day,
                record_closed=False,
            )
        )
    connection.execute("DROP TABLE stage.one_day")
    refused = [load for load in loads if load.status == "closed"]
    message = "; ".join(f"{load.landing_day}: {load.message}" for load in refused)
    result = Load(
        batch.source,
        "closed" if refused else "passed",
        closed.checks,
        staged=closed.staged,
        inserted=sum(load.inserted for load in loads),
        revised=sum(load.revised for load in loads),
        unchanged=sum(load.unchanged for load in loads),
        quarantined=sum(load.quarantined for load in loads if load.status == "passed"),
        message=message,
        days=loads,
        rows_by_day={day: rows for load in loads if load.status == "passed" for day, rows in load.rows_by_day.items()},
    )
    if refused:
        _record(
            connection,
            table,
            batch.run_id,
            datetime.now(UTC),
            replace(result, inserted=0, revised=0),
            "closed",
        )
    return result


def closing_reasons(checks: Sequence[CheckResult]) -> list[str]:
    """Why these results close the gate; empty when they do not."""
    reasons = []
    for check in checks:
        if check.passed or check.severity != "error":
            continue
        if check.error is not None:
            reasons.append(f"{check.name} could not be evaluated: {check.error}")
        elif check.scope == "table":
            reasons.append(f"{check.name} failed")
    return reasons


def _collect_refused(connection: duckdb.DuckDBPyConnection, stage: str, checks: Sequence[CheckResult]) -> int:
    """Table ``refused``: every staged row that broke a row rule, with the first check that refused it."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE refusal (stage_row BIGINT, position INTEGER, check_name VARCHAR, reason VARCHAR)"
    )
    for position, check in enumerate(checks):
        if check.severity == "error" and check.failing_query and not check.passed:
            connection.execute(
                f"INSERT INTO refusal SELECT stage_row, ?, ?, ? FROM ({check.failing_query})",
                [position, check.name, check.description],
            )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE refused AS SELECT stage_row, arg_min(check_name, position) AS check_name,"
        " arg_min(reason, position) AS reason FROM refusal GROUP BY stage_row"
    )
    return _scalar(connection, f"SELECT count(*) FROM {stage}")


def _rows_by_day(connection: duckdb.DuckDBPyConnection, stage: str) -> dict[date, DayRows]:
    rows = connection.execute(
        f"""
        SELECT s.landing_day, count(*), count(r.stage_row)
        FROM {stage} s LEFT JOIN refused r USING (stage_row)
        WHERE s.landing_day IS NOT NULL GROUP BY s.landing_day
        """
    ).fetchall()
    return {day: DayRows(read, quarantined) for day, read, quarantined in rows}


def _quarantine_share(suite: Suite, staged: int, refused: int) -> CheckResult:
    limit, share = suite.max_quarantine_share or 0.0, refused / staged if staged else 0.0
    return CheckResult(
        name=QUARANTINE_SHARE_CHECK,
        column=None,
        severity="error",
        scope="table",
        passed=share <= limit,
        evaluated_rows=staged,
        failing_rows=refused,
        failing_share=share,
        description=f"At most {limit:.0%} of the rows are refused.",
        threshold_reason=suite.max_quarantine_share_reason or "",
        sample=[],
        failing_query=None,
        error=None,
    )


def _publish(
    connection: duckdb.DuckDBPyConnection,
    table: RawTable,
    batch: Batch,
    files: Sequence[LandedFile],
    stage: str,
    load: Load,
    load_id: int,
    timezone: str,
) -> MergeCounts:
    columns = ", ".join(table.columns)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE accepted AS"
        f" SELECT {columns}, landing_row FROM {stage} ANTI JOIN refused USING (stage_row)"
    )
    connection.register("batch_files", pa.table({"landing_id": [file.landing_id for file in files]}))
    # A file that is decoded again replaces what it put into quarantine before.
    connection.execute(f"DELETE FROM quarantine.{table.name} WHERE landing_id IN (SELECT landing_id FROM batch_files)")
    quarantined = _scalar(
        connection,
        f"""
        INSERT INTO quarantine.{table.name} BY NAME
        SELECT s.* EXCLUDE (stage_row), r.check_name, coalesce(s.reject_reason, r.reason) AS reason,
               ? AS source, ?::BIGINT AS load_id, now() AS quarantined_at
        FROM {stage} s JOIN refused r USING (stage_row)
        """,
        [batch.source, load_id],
    )
    accepted = _scalar(connection, "SELECT count(*) FROM temp.accepted")
    if accepted + quarantined != load.staged:
        raise ConservationError(
            f"{batch.source}: {load.staged} rows staged, but {accepted} accepted and {quarantined} quarantined"
        )
    counts = merge_accepted(connection, table, "temp.accepted", load_id, timezone)
    connection.execute(
        "INSERT INTO ops.loaded_file SELECT landing_id, ?, ?, ? FROM batch_files",
        [batch.source, batch.decoder_version, load_id],
    )
    connection.unregister("batch_files")
    connection.execute("DROP TABLE temp.accepted")
    return counts


def _next_load_id(connection: duckdb.DuckDBPyConnection) -> int:
    return _scalar(connection, "SELECT coalesce(max(load_id), 0) + 1 FROM ops.load")


def _record(
    connection: duckdb.DuckDBPyConnection,
    table: RawTable,
    run_id: str,
    started_at: datetime,
    load: Load,
    status: str,
    load_id: int | None = None,
) -> None:
    failed = [check for check in load.checks if not check.passed]
    load_id = load_id or _next_load_id(connection)
    record_checks(connection, load_id, load.source, load.checks)
    values = [
        load_id,
        load.source,
        table.name,
        run_id,
        load.landing_day,
        started_at,
        datetime.now(UTC),
        status,
        load.staged,
        load.inserted,
        load.revised,
        load.unchanged,
        load.quarantined,
        len(load.checks) - len(failed),
        sum(check.severity == "warning" for check in failed),
        sum(check.severity == "error" for check in failed),
        load.message,
    ]
    connection.execute(f"INSERT INTO ops.load VALUES ({', '.join('?' * len(values))})", values)


def _scalar(connection: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[object] = ()) -> int:
    row = connection.execute(query, list(parameters)).fetchone()
    if row is None:
        raise ConservationError(f"a count returned nothing: {query}")
    return int(row[0])


def files_to_load(
    warehouse: Warehouse, source: str, files: Sequence[LandedFile], decoder_version: str
) -> list[LandedFile]:
    """Those of ``files`` that the current decoder has not loaded yet."""
    with warehouse.read() as connection:
        loaded = {
            row[0]
            for row in connection.execute(
                "SELECT landing_id FROM ops.loaded_file WHERE source = ? AND decoder_version = ?",
                [source, decoder_version],
            ).fetchall()
        }
    return [file for file in files if file.landing_id not in loaded]
