"""Loads: what one brings, how it went, and the log of all of them in ``ops``."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from itertools import groupby
from pathlib import Path
from typing import Literal

import duckdb
import pyarrow as pa

from expectations.runner import CheckResult
from hogland_pipeline.warehouse import RawTable, Warehouse
from sensors_ingest.landing import LandedFile, Landing

CHECK_SCHEMA = pa.schema(
    [
        ("load_id", pa.int64()),
        ("source", pa.string()),
        ("position", pa.int32()),
        ("name", pa.string()),
        ("column", pa.string()),
        ("severity", pa.string()),
        ("scope", pa.string()),
        ("passed", pa.bool_()),
        ("evaluated_rows", pa.int64()),
        ("failing_rows", pa.int64()),
        ("failing_share", pa.float64()),
        ("description", pa.string()),
        ("threshold_reason", pa.string()),
        ("sample", pa.string()),
        ("error", pa.string()),
        ("observed_value", pa.string()),
    ]
)


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
    """How one batch, or one day of it, went. Counts are rows; of what passed, ``staged`` = the other four added up.
    A closed load brought nothing: its rows stay in ``stage``. ``taken_back`` are stored rows of its files that are
    refused now.

    ``checked_at`` is set when the checks are those of an earlier load because nothing new came.
    """

    source: str
    status: Literal["passed", "closed", "failed"]
    checks: Sequence[CheckResult] = ()
    staged: int = 0
    inserted: int = 0
    revised: int = 0
    unchanged: int = 0
    quarantined: int = 0
    taken_back: int = 0
    landing_day: date | None = None
    message: str = ""
    checked_at: datetime | None = None
    days: Sequence["Load"] = ()
    rows_by_day: Mapping[date, DayRows] = field(default_factory=dict)

    @property
    def closed_days(self) -> list[date]:
        """Days that were refused when the batch was tried day by day."""
        return [day.landing_day for day in self.days if day.status == "closed" and day.landing_day]


def days_of(files: Sequence[LandedFile]) -> Iterator[list[LandedFile]]:
    """``files`` in the order of their days, those of one day together: a day is the unit that the gate lets in or
    refuses. A snapshot, which has no day, stands alone.
    """
    in_order = sorted(files, key=lambda file: (file.day or date.min, file.fetched_at, file.landing_id))
    for _, same_day in groupby(in_order, key=lambda file: file.day or file.landing_id):
        yield list(same_day)


def combined(loads: Sequence[Load]) -> Load:
    """Several windows of one source as one load: closed when any of them is, checks added up by name."""
    first, *others = loads
    if not others:
        return first
    by_name: dict[str, list[CheckResult]] = {}
    for load in loads:
        for check in load.checks:
            by_name.setdefault(check.name, []).append(check)
    return Load(
        first.source,
        "closed" if any(load.status == "closed" for load in loads) else "passed",
        [_combined_check(results) for results in by_name.values()],
        staged=sum(load.staged for load in loads),
        inserted=sum(load.inserted for load in loads),
        revised=sum(load.revised for load in loads),
        unchanged=sum(load.unchanged for load in loads),
        quarantined=sum(load.quarantined for load in loads),
        taken_back=sum(load.taken_back for load in loads),
        message="; ".join(load.message for load in loads if load.message),
        days=[day for load in loads for day in load.days],
        rows_by_day={day: rows for load in loads for day, rows in load.rows_by_day.items()},
    )


def _combined_check(results: Sequence[CheckResult]) -> CheckResult:
    told = next((result for result in results if not result.passed), results[0])
    evaluated, failing = sum(r.evaluated_rows for r in results), sum(r.failing_rows for r in results)
    share = failing / evaluated if evaluated else 0.0
    return replace(told, evaluated_rows=evaluated, failing_rows=failing, failing_share=share)


def files_to_load(
    warehouse: Warehouse,
    landing: Landing,
    source: str,
    decoder_version: str | None,
    days: Collection[date] | None = None,
) -> list[LandedFile]:
    """What ``source`` landed (with ``days``: theirs and the snapshots) and this decoder (None: a new one) has not
    loaded, each content once. What is loaded is told by the names of the landing files, which are not opened.

    A file that was refused is tried again only while its source still sends it: one that was replaced since (or taken
    out of the drop folder) would keep the gate closed for ever.
    """
    with warehouse.read() as connection:
        rows = connection.execute(
            "SELECT landing_id FROM ops.loaded_file WHERE source = ? AND decoder_version = ?", [source, decoder_version]
        ).fetchall()
        refusals = connection.execute("SELECT landing_id FROM ops.refused_file WHERE source = ?", [source]).fetchall()
    loaded, refused = ({row[0] for row in found} for found in (rows, refusals))
    landed = landing.files(source, days, lambda landing_id: landing_id not in loaded)
    pending = {file.landing_id: file for file in landed}
    return [file for file in pending.values() if file.landing_id not in refused or landing.is_still_sent(file)]


def record_failure(
    warehouse: Warehouse,
    table: RawTable,
    source: str,
    run_id: str,
    message: str,
    files: Sequence[LandedFile] = (),
) -> None:
    """Note that ``source`` could not be fetched, or ``files`` of it not be decoded, so that it shows as stale."""
    with warehouse.write() as connection:
        load_id = next_load_id(connection)
        record_load(connection, table, run_id, datetime.now(UTC), Load(source, "failed", message=message), load_id)
        record_refused(connection, source, files, load_id)


def record_refused(
    connection: duckdb.DuckDBPyConnection, source: str, files: Sequence[LandedFile], load_id: int
) -> None:
    """Note the files of a load that was not let in."""
    connection.register("refused_files", pa.table({"landing_id": pa.array([f.landing_id for f in files], pa.string())}))
    connection.execute("INSERT INTO ops.refused_file SELECT landing_id, ?, ? FROM refused_files", [source, load_id])
    connection.unregister("refused_files")


def next_load_id(connection: duckdb.DuckDBPyConnection) -> int:
    """Loads are numbered 1, 2, …; one writer at a time makes the next number safe."""
    row = connection.execute("SELECT coalesce(max(load_id), 0) + 1 FROM ops.load").fetchone()
    return int(row[0]) if row else 1


def record_load(
    connection: duckdb.DuckDBPyConnection,
    table: RawTable,
    run_id: str,
    started_at: datetime,
    load: Load,
    load_id: int | None = None,
) -> None:
    """Append a load and what its checks found to the log."""
    load_id = load_id or next_load_id(connection)
    failed = [check for check in load.checks if not check.passed]
    values = [
        load_id,
        load.source,
        table.name,
        run_id,
        load.landing_day,
        started_at,
        datetime.now(UTC),
        load.status,
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
    connection.execute(f"INSERT INTO ops.load VALUES ({', '.join('?' * len(values))})", values)  # noqa: S608 - only marks
    _record_checks(connection, load_id, load)


def _record_checks(connection: duckdb.DuckDBPyConnection, load_id: int, load: Load) -> None:
    rows = [
        {name: getattr(check, name, None) for name in CHECK_SCHEMA.names}
        | {
            "load_id": load_id,
            "source": load.source,
            "position": position,
            "sample": json.dumps(check.sample, default=str, ensure_ascii=False),
        }
        for position, check in enumerate(load.checks)
    ]
    connection.register("check_rows", pa.Table.from_pylist(rows, CHECK_SCHEMA))
    connection.execute("INSERT INTO ops.check_result BY NAME FROM check_rows")
    connection.unregister("check_rows")


def last_checks(connection: duckdb.DuckDBPyConnection, source: str) -> tuple[Sequence[CheckResult], datetime | None]:
    """Results of the newest load of ``source`` that passed and had something to check, and when that was."""
    found = connection.execute(
        """
        SELECT load_id, finished_at FROM ops.load
        WHERE source = ? AND status = 'passed' AND load_id IN (SELECT load_id FROM ops.check_result WHERE source = ?)
        ORDER BY load_id DESC LIMIT 1
        """,
        [source, source],
    ).fetchone()
    if found is None:
        return (), None
    load_id, checked_at = found
    return _checks_of_load(connection, load_id), checked_at


def last_checked_loads(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str, datetime, Sequence[CheckResult]]]:
    """Of every source, whether it passed or not: name, raw table, when it was last checked, and the results."""
    loads = connection.execute(
        """
        SELECT source, table_name, finished_at, load_id FROM ops.load
        WHERE load_id IN (SELECT max(load_id) FROM ops.check_result GROUP BY source)
        ORDER BY source
        """
    ).fetchall()
    return [(source, table, at, _checks_of_load(connection, load_id)) for source, table, at, load_id in loads]


def _checks_of_load(connection: duckdb.DuckDBPyConnection, load_id: int) -> list[CheckResult]:
    result = connection.execute(
        "SELECT * EXCLUDE (load_id, source, position) FROM ops.check_result WHERE load_id = ? ORDER BY position",
        [load_id],
    )
    names = [column[0] for column in result.description or ()]
    rows = (dict(zip(names, row, strict=True)) for row in result.fetchall())
    return [CheckResult(**row | {"sample": json.loads(row["sample"])}) for row in rows]
