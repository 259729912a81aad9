"""Rows for the warehouse's tables, and what is in them afterwards."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa

from hogland_pipeline.revisions import MergeCounts, merge_accepted
from hogland_pipeline.sources.indicators import AREA_GROUP_SCHEMA, INDICATOR_SERIES_SCHEMA, INDICATOR_VALUE_SCHEMA
from hogland_pipeline.sources.survey import SURVEY_ANSWER_SCHEMA
from hogland_pipeline.sources.uttc_catalogue import UTTC_SOLUTION_SCHEMA
from hogland_pipeline.warehouse import (
    AREA_GROUP,
    INDICATOR_SERIES,
    INDICATOR_VALUE,
    SENSOR_READING,
    SURVEY_ANSWER,
    UTTC_SOLUTION,
    RawTable,
    Warehouse,
    _create_schema,
)
from sensors_ingest.readings import READING_SCHEMA

TIMEZONE = "Europe/Stockholm"
NOON = datetime(2026, 1, 10, 12, tzinfo=UTC)
SCHEMAS = {
    SENSOR_READING.name: READING_SCHEMA,
    SURVEY_ANSWER.name: SURVEY_ANSWER_SCHEMA,
    UTTC_SOLUTION.name: UTTC_SOLUTION_SCHEMA,
    INDICATOR_VALUE.name: INDICATOR_VALUE_SCHEMA,
    INDICATOR_SERIES.name: INDICATOR_SERIES_SCHEMA,
    AREA_GROUP.name: AREA_GROUP_SCHEMA,
}


def fresh_warehouse() -> duckdb.DuckDBPyConnection:
    """A working database in memory, with its tables and no rows."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET threads = 1")
    _create_schema(connection)
    return connection


def minutes(count: int) -> datetime:
    return NOON + timedelta(minutes=count)


def reading(**given: Any) -> dict[str, Any]:
    return {
        "feed": "tts_hogland",
        "sensor_id": "A81758FFFE04A001",
        "quantity": "air_temperature",
        "observed_at": NOON,
        "value": -3.5,
        "unit": "degC",
        "source_value": "-35",
        "source_unit": "0.1 degC",
        "quality": "good",
        "source_quality": None,
        "received_at": NOON + timedelta(seconds=1),
        "precedence": 0,
        "uplink_key": None,
        "landing_id": "file",
        "landing_row": 1,
        "reject_reason": None,
        "source_row": None,
    } | given


def answer(**given: Any) -> dict[str, Any]:
    return {
        "wave": "ai_maturity_2024_25",
        "respondent": "0" * 32,
        "question_id": "ai_strategy",
        "answer": "yes",
        "municipality_code": "0682",
        "role": "manager",
        "submitted_at": NOON,
        "received_at": NOON,
        "landing_id": "file",
        "landing_row": 1,
        "reject_reason": None,
        "source_row": None,
    } | given


def effect(**given: Any) -> dict[str, Any]:
    return {
        "value": 20.0,
        "unit": "percent",
        "kind": "gross",
        "claim": "claimed",
        "qualifier": "up_to",
        "quantity": "energy",
        "description": "less heat",
    } | given


def solution(**given: Any) -> dict[str, Any]:
    return {
        "url": "https://example.org/2025/05/06/ride-sharing/",
        "slug": "ride-sharing",
        "title": "Ride sharing",
        "short_title": None,
        "stage": "identified",
        "published_date": NOON.date() - timedelta(days=100),
        "summary": "Shared rides.",
        "transition_area": None,
        "transition_sector": "transport",
        "transition_kind": None,
        "owner": None,
        "effects": [effect()],
        "baseline_period": None,
        "object_count": 3,
        "object_count_qualifier": None,
        "snapshot_at": NOON,
        "received_at": NOON,
        "landing_id": "file",
        "landing_row": 1,
        "reject_reason": None,
        "source_row": None,
    } | given


def figure(**given: Any) -> dict[str, Any]:
    return {
        "source": "ned",
        "series_id": "GGT",
        "area_id": "0682",
        "period": "2024",
        "breakdown": "total",
        "value": 108542.566,
        "value_status": "observed",
        "unit": "t",
        "vintage": "2026-06",
        "released_at": None,
        "received_at": NOON,
        "landing_id": "file",
        "landing_row": 1,
        "reject_reason": None,
        "source_row": None,
    } | given


def series(**given: Any) -> dict[str, Any]:
    return {
        "source": "kolada",
        "series_id": "N01951",
        "title": "Invånare totalt, antal",
        "unit": "antal",
        "description": "Folkmängd den 31 december.",
        "is_withdrawn": False,
        "received_at": NOON,
        "landing_id": "file",
        "landing_row": 1,
        "reject_reason": None,
        "source_row": None,
    } | given


def group(**given: Any) -> dict[str, Any]:
    return {
        "source": "kolada",
        "group_id": "G37487",
        "title": "Liknande kommuner, Nässjö",
        "members": ["0682", "0685"],
        "received_at": NOON,
        "landing_id": "file",
        "landing_row": 1,
        "reject_reason": None,
        "source_row": None,
    } | given


def candidate(table: RawTable, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), SCHEMAS[table.name])


def merge(
    connection: duckdb.DuckDBPyConnection, table: RawTable, rows: Sequence[Mapping[str, Any]], load_id: int = 1
) -> MergeCounts:
    """One load, in a transaction of its own."""
    connection.register("batch", candidate(table, rows))
    connection.execute("BEGIN")
    try:
        columns = ", ".join((*table.columns, "landing_row"))
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE accepted AS SELECT {columns}, row_number() OVER () AS stage_row FROM batch"
        )
        counts = merge_accepted(connection, table, "temp.accepted", load_id, TIMEZONE)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    finally:
        connection.unregister("batch")
    return counts


def stored(connection: duckdb.DuckDBPyConnection, name: str, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    """Rows of a table of the warehouse in a fixed order."""
    listed = ", ".join(columns)
    return connection.execute(f"SELECT {listed} FROM {name} ORDER BY ALL").fetchall()


def touched_days(connection: duckdb.DuckDBPyConnection, load_id: int) -> list[tuple[str, str]]:
    rows = connection.execute(
        "SELECT feed, local_date::VARCHAR FROM ops.touched_day WHERE load_id = ? ORDER BY ALL", [load_id]
    )
    return [(feed, day) for feed, day in rows.fetchall()]


def dump(warehouse: Warehouse) -> dict[str, list[tuple[Any, ...]]]:
    """Everything in raw and quarantine, for "nothing has changed"."""
    with warehouse.read() as connection:
        tables = connection.execute(
            "SELECT schema_name || '.' || table_name FROM duckdb_tables()"
            " WHERE schema_name IN ('raw', 'quarantine') ORDER BY ALL"
        ).fetchall()
        return {name: connection.execute(f"FROM {name} ORDER BY ALL").fetchall() for (name,) in tables}
