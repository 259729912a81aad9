"""The working database: one DuckDB file, one writer at a time.

Schemas: ``stage`` holds candidates, ``raw`` what passed the gate, ``quarantine`` what did not with the reason, and
``ops`` the log of loads. Analysts never open this file; dbt attaches it read-only.
"""

import random
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
from filelock import FileLock, Timeout

LOAD_COLUMNS = """
    load_id BIGINT, source VARCHAR, table_name VARCHAR, run_id VARCHAR, landing_day DATE,
    started_at TIMESTAMPTZ, finished_at TIMESTAMPTZ, status VARCHAR,
    rows_staged BIGINT, rows_inserted BIGINT, rows_revised BIGINT, rows_unchanged BIGINT, rows_quarantined BIGINT,
    checks_passed INTEGER, checks_warned INTEGER, checks_failed INTEGER, message VARCHAR
"""

CHECK_RESULT_COLUMNS = """
    load_id BIGINT, source VARCHAR, position INTEGER, name VARCHAR, "column" VARCHAR, severity VARCHAR, scope VARCHAR,
    passed BOOLEAN, evaluated_rows BIGINT, failing_rows BIGINT, failing_share DOUBLE, description VARCHAR,
    threshold_reason VARCHAR, sample VARCHAR, error VARCHAR, observed_value VARCHAR
"""

# No reader but ours opens this file, so it need not be written for older ones: a load takes a third less CPU. Without
# a limit DuckDB keeps what it wrote: a window of a load then takes 200 MB more, and no less CPU.
OPTIONS: dict[str, str | bool | int | float | list[str]] = {
    "storage_compatibility_version": "latest",
    "memory_limit": "500MB",
}

# The newest attempt decides whether a source is stale; the newest that passed says since when its data is good.
SOURCE_STATUS_VIEW = """
    SELECT source, arg_max(table_name, load_id) AS table_name, arg_max(status, load_id) AS status,
           max(finished_at) AS last_attempt_at, max(finished_at) FILTER (status = 'passed') AS last_good_at,
           arg_max(message, load_id) AS message
    FROM ops.load GROUP BY source
"""


class WarehouseBusy(Exception):
    """Another process kept the warehouse for longer than we were willing to wait."""


class WarehouseUnreadable(Exception):
    """The file of the warehouse cannot be opened: it is damaged, or this user may not."""


@dataclass(frozen=True)
class RawTable:
    """A table of ``raw``: what identifies a row, what makes it a new revision, and which of two revisions wins.

    ``columns`` maps the data columns to DuckDB types. Rows with equal ``key`` and other ``version`` columns are
    revisions of each other; the greatest by ``latest_by`` is the current one, the others go to ``<name>_history``.
    ``day_of`` is the timestamp column whose local day is rebuilt downstream when a row of it changes, if any. ``event``
    are the columns by which a source names what a row tells of: told again with another time it is the same row
    (``repeats.py``).
    """

    name: str
    columns: dict[str, str]
    key: tuple[str, ...]
    version: tuple[str, ...]
    latest_by: tuple[str, ...]
    suite: str
    day_of: str | None = None
    event: tuple[str, ...] = ()


SENSOR_READING = RawTable(
    name="sensor_reading",
    columns={
        "feed": "VARCHAR",
        "sensor_id": "VARCHAR",
        "quantity": "VARCHAR",
        "observed_at": "TIMESTAMPTZ",
        "value": "DOUBLE",
        "unit": "VARCHAR",
        "source_value": "VARCHAR",
        "source_unit": "VARCHAR",
        "quality": "VARCHAR",
        "source_quality": "VARCHAR",
        "received_at": "TIMESTAMPTZ",
        "precedence": "SMALLINT",
        "uplink_key": "VARCHAR",
        "landing_id": "VARCHAR",
    },
    key=("feed", "sensor_id", "quantity", "observed_at"),
    version=("value", "unit", "quality", "source_quality"),
    latest_by=("precedence", "received_at"),
    suite="sensor_reading",
    day_of="observed_at",
    event=("feed", "uplink_key"),
)

SURVEY_ANSWER = RawTable(
    name="survey_answer",
    columns={
        "wave": "VARCHAR",
        "respondent": "VARCHAR",
        "question_id": "VARCHAR",
        "answer": "VARCHAR",
        "municipality_code": "VARCHAR",
        "role": "VARCHAR",
        "submitted_at": "TIMESTAMPTZ",
        "received_at": "TIMESTAMPTZ",
        "landing_id": "VARCHAR",
    },
    key=("wave", "respondent", "question_id"),
    version=("answer", "municipality_code", "role"),
    latest_by=("submitted_at", "received_at"),
    suite="survey_answer",
)

UTTC_SOLUTION = RawTable(
    name="uttc_solution",
    columns={
        "url": "VARCHAR",
        "slug": "VARCHAR",
        "title": "VARCHAR",
        "short_title": "VARCHAR",
        "stage": "VARCHAR",
        "published_date": "DATE",
        "summary": "VARCHAR",
        "transition_area": "VARCHAR",
        "transition_sector": "VARCHAR",
        "transition_kind": "VARCHAR",
        "owner": "VARCHAR",
        "effects": (
            "STRUCT(value DOUBLE, unit VARCHAR, kind VARCHAR, claim VARCHAR, qualifier VARCHAR, quantity VARCHAR,"
            " description VARCHAR)[]"
        ),
        "baseline_period": "VARCHAR",
        "object_count": "INTEGER",
        "object_count_qualifier": "VARCHAR",
        "snapshot_at": "TIMESTAMPTZ",
        "received_at": "TIMESTAMPTZ",
        "landing_id": "VARCHAR",
    },
    # One row per page and snapshot: when a solution appeared, changed its stage or was withdrawn is read from them.
    key=("url", "snapshot_at"),
    version=(
        "title",
        "short_title",
        "stage",
        "published_date",
        "summary",
        "transition_area",
        "transition_sector",
        "transition_kind",
        "owner",
        "effects",
        "baseline_period",
        "object_count",
        "object_count_qualifier",
    ),
    latest_by=("snapshot_at", "received_at"),
    suite="uttc_solution",
)

# One figure of a public indicator. A vintage is a publication: a restated figure is another row, a corrected one of the
# same publication a revision.
INDICATOR_VALUE = RawTable(
    name="indicator_value",
    columns={
        "source": "VARCHAR",
        "series_id": "VARCHAR",
        "area_id": "VARCHAR",
        "period": "VARCHAR",
        "breakdown": "VARCHAR",
        "value": "DOUBLE",
        "value_status": "VARCHAR",
        "unit": "VARCHAR",
        "vintage": "VARCHAR",
        "released_at": "TIMESTAMPTZ",
        "received_at": "TIMESTAMPTZ",
        "landing_id": "VARCHAR",
    },
    key=("source", "series_id", "area_id", "period", "breakdown", "vintage"),
    version=("value", "value_status", "unit"),
    latest_by=("received_at",),
    suite="indicator_value",
)

INDICATOR_SERIES = RawTable(
    name="indicator_series",
    columns={
        "source": "VARCHAR",
        "series_id": "VARCHAR",
        "title": "VARCHAR",
        "unit": "VARCHAR",
        "description": "VARCHAR",
        "is_withdrawn": "BOOLEAN",
        "received_at": "TIMESTAMPTZ",
        "landing_id": "VARCHAR",
    },
    key=("source", "series_id"),
    version=("title", "unit", "is_withdrawn"),
    latest_by=("received_at",),
    suite="indicator_series",
)

# Whom municipalities are compared with. A change of members is a revision.
AREA_GROUP = RawTable(
    name="area_group",
    columns={
        "source": "VARCHAR",
        "group_id": "VARCHAR",
        "title": "VARCHAR",
        "members": "VARCHAR[]",
        "received_at": "TIMESTAMPTZ",
        "landing_id": "VARCHAR",
    },
    key=("source", "group_id"),
    version=("title", "members"),
    latest_by=("received_at",),
    suite="area_group",
)

RAW_TABLES = (SENSOR_READING, SURVEY_ANSWER, UTTC_SOLUTION, INDICATOR_VALUE, INDICATOR_SERIES, AREA_GROUP)

# Beside the data columns: where a candidate row stands in its landing file, and why it was refused if it was.
CANDIDATE_COLUMNS = {"landing_row": "BIGINT", "reject_reason": "VARCHAR", "source_row": "VARCHAR"}
LINEAGE_COLUMNS = {"ingested_at": "TIMESTAMPTZ", "revision": "INTEGER", "load_id": "BIGINT"}
QUARANTINE_COLUMNS = {
    "source": "VARCHAR",
    "landing_day": "DATE",
    "check_name": "VARCHAR",
    "reason": "VARCHAR",
    "load_id": "BIGINT",
    "quarantined_at": "TIMESTAMPTZ",
}


class Warehouse:
    """The file at ``path`` and the lock beside it. Every connection of the platform is opened here."""

    def __init__(self, path: Path, wait_seconds: float = 300) -> None:
        self.path = path
        self.wait_seconds = wait_seconds

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the warehouse against every other process of the platform, readers included (dbt attaches it)."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.path.with_name(self.path.name + ".lock"), timeout=self.wait_seconds):
                yield
        except Timeout:
            raise WarehouseBusy(
                f"{self.path.name} is in use by another run of the platform; waited {self.wait_seconds:.0f} s"
            ) from None

    @contextmanager
    def write(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The one read-write connection, under the lock; tables are made on first use."""
        with self.lock():
            connection = self._connect()
            try:
                _leave_a_core(connection)
                _create_schema(connection)
                yield connection
            finally:
                connection.close()

    @contextmanager
    def read(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A read-only connection, under the lock: nobody can write meanwhile, so keep it short."""
        with self.lock():
            if not self.path.exists():
                self._connect_and_create()
            connection = self._connect(read_only=True)
            try:
                yield connection
            finally:
                connection.close()

    def _connect_and_create(self) -> None:
        connection = self._connect()
        _create_schema(connection)
        connection.close()

    def _connect(self, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
        """Open the file; wait with backoff while a process outside the platform (a DuckDB shell, say) holds it."""
        deadline = time.monotonic() + self.wait_seconds
        pause = 0.05
        while True:
            try:
                connection = duckdb.connect(str(self.path), read_only=read_only, config=OPTIONS)
                connection.execute("SET TimeZone = 'UTC'")
                return connection
            except duckdb.Error as error:
                if "could not set lock" not in str(error).lower():
                    raise WarehouseUnreadable(f"{self.path.name} cannot be opened: {error}") from None
                if time.monotonic() + pause > deadline:
                    holder = re.search(r"\(PID (\d+)\)", str(error))
                    raise WarehouseBusy(
                        f"{self.path.name} is held by process {holder[1] if holder else 'unknown'} outside the"
                        f" platform; waited {self.wait_seconds:.0f} s. Close it and run again"
                    ) from None
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, not secrecy
            pause = min(pause * 2, 5.0)


def _leave_a_core(connection: duckdb.DuckDBPyConnection) -> None:
    """While a window of a load is written the next one is decoded. A writer that takes that core as well is done no
    sooner, for a fifth more CPU and memory.
    """
    ((threads,),) = connection.execute("SELECT current_setting('threads')").fetchall()
    connection.execute(f"SET threads = {max(threads - 1, 1)}")


def _create_schema(connection: duckdb.DuckDBPyConnection) -> None:
    rows = connection.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name IN ('raw', 'ops')").fetchall()
    if {"refused_file", *(table.name for table in RAW_TABLES)} <= {name for (name,) in rows}:
        return
    connection.execute("BEGIN")
    for schema in ("stage", "raw", "quarantine", "ops"):
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    for table in RAW_TABLES:
        stored = _definitions(table.columns | LINEAGE_COLUMNS)
        connection.execute(f"CREATE TABLE IF NOT EXISTS raw.{table.name} ({stored})")
        connection.execute(f"CREATE TABLE IF NOT EXISTS raw.{table.name}_history ({stored})")
        refused = _definitions(table.columns | CANDIDATE_COLUMNS | QUARANTINE_COLUMNS)
        connection.execute(f"CREATE TABLE IF NOT EXISTS quarantine.{table.name} ({refused})")
    connection.execute(f"CREATE TABLE IF NOT EXISTS ops.load ({LOAD_COLUMNS})")
    connection.execute(f"CREATE TABLE IF NOT EXISTS ops.check_result ({CHECK_RESULT_COLUMNS})")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS ops.loaded_file"
        " (landing_id VARCHAR, source VARCHAR, decoder_version VARCHAR, load_id BIGINT)"
    )
    connection.execute(
        "CREATE TABLE IF NOT EXISTS ops.refused_file (landing_id VARCHAR, source VARCHAR, load_id BIGINT)"
    )
    connection.execute("CREATE TABLE IF NOT EXISTS ops.touched_day (load_id BIGINT, feed VARCHAR, local_date DATE)")
    connection.execute(f"CREATE OR REPLACE VIEW ops.source_status AS {SOURCE_STATUS_VIEW}")
    connection.execute("COMMIT")


def _definitions(columns: dict[str, str]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in columns.items())
