# ruff: noqa: S608 - SQL is put together from the names in warehouse.py
"""One event that was told several times is one row, at the earliest of the times it was told with.

A network server tells an uplink once more when another gateway heard it too, or when a device sent it again. Each
telling has the key of the uplink, but gateways have clocks of their own, and a second between two tellings would make
two readings of one measurement. Which telling comes first, and in which load, is chance; the earliest time is not. So a
batch takes the time that raw has for its uplinks, and raw takes that of the batch where it is earlier: those rows are
taken out and merged anew, as what they were when they came.

Rows further apart than ``TOLD_WITHIN`` are different events: a counter without a session begins again when its device
is restarted. All tellings of an event within that time of each other are one row whatever their order and the loads
they come in. Where only one between two others joins them (12:00, 12:04 and 12:08), it depends on which come first, as
under any rule that keeps of two joined tellings the earlier time alone: 12:00 and 12:04 leave 12:00, to which 12:08 is
another event, but 12:04 and 12:08 leave 12:04, which goes to 12:00. To tell, the latest time would have to be kept too
and asked for with every batch; a gateway whose clock is minutes wrong is the only one that needs it.
"""

from collections.abc import Sequence
from typing import Final

import duckdb

from hogland_pipeline.warehouse import LINEAGE_COLUMNS, RawTable

# Gateway clocks that are set differ by less. Devices whose counter always begins again at 0 exist: with a longer time
# their successive measurements would be taken for one.
TOLD_WITHIN: Final = "INTERVAL 5 MINUTE"


def settle_repeats(connection: duckdb.DuckDBPyConnection, table: RawTable, accepted: str, near: Sequence[str]) -> str:
    """Give every event of ``accepted`` one time, that of ``raw`` included; inside the caller's transaction.

    ``near`` are conditions on rows ``t`` of raw, one for each run of days in the batch and ``TOLD_WITHIN`` around it:
    cost follows the batch and those days. Returns the table or view to merge, which for the usual batch is
    ``accepted``. The temporary table ``moved`` has the rows that were taken out of raw and its history, with the time
    that holds and the one they had (``was_at``).
    """
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE moved AS"
        f" SELECT {', '.join(_stored(table, 't'))}, NULL::TIMESTAMPTZ AS was_at FROM raw.{table.name} t WHERE FALSE"
    )
    if not table.event or not near or not _find_contested(connection, table, accepted, near):
        return accepted
    if not _find_retimed(connection, table, accepted, near):
        return accepted
    _take_out(connection, table, near)
    event = " AND ".join(f"a.{column} = r.{column}" for column in (*table.event, table.day_of))
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP VIEW settled AS
        SELECT a.* REPLACE (coalesce(r.settled_at, a.{table.day_of}) AS {table.day_of})
        FROM {accepted} a LEFT JOIN retimed r ON {event}
        """
    )
    return "temp.settled"


def forget_repeats(connection: duckdb.DuckDBPyConnection) -> None:
    """Drop what ``settle_repeats`` left for the merge."""
    connection.execute("DROP VIEW IF EXISTS temp.settled")
    for name in ("contested_event", "retimed", "moved_key"):
        connection.execute(f"DROP TABLE IF EXISTS temp.{name}")


def _stored(table: RawTable, alias: str) -> list[str]:
    return [f"{alias}.{column}" for column in table.columns | LINEAGE_COLUMNS]


def _event_hash(table: RawTable, alias: str) -> str:
    return f"hash({', '.join(f'{alias}.{column}' for column in table.event)})"


def _is_named(table: RawTable, alias: str) -> str:
    return " AND ".join(f"{alias}.{column} IS NOT NULL" for column in table.event)


def _find_contested(connection: duckdb.DuckDBPyConnection, table: RawTable, accepted: str, near: Sequence[str]) -> bool:
    """``contested_event``: hashes of events that have more than one time, in the batch or beside raw."""
    time = table.day_of
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE arrived_event AS
        SELECT {_event_hash(table, "a")} AS event_hash, min(a.{time}) AS first_at, max(a.{time}) AS last_at
        FROM {accepted} a WHERE {_is_named(table, "a")} GROUP BY event_hash
        """
    )
    told_otherwise = " UNION ".join(
        f"""
        SELECT event_hash FROM raw.{table.name} t JOIN arrived_event e ON {_event_hash(table, "t")} = e.event_hash
        WHERE {condition} AND {_is_named(table, "t")} AND t.{time} <> e.first_at
            AND t.{time} BETWEEN e.first_at - {TOLD_WITHIN} AND e.last_at + {TOLD_WITHIN}
        """
        for condition in near
    )
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE contested_event AS
        SELECT event_hash FROM arrived_event WHERE first_at <> last_at UNION {told_otherwise}
        """
    )
    connection.execute("DROP TABLE temp.arrived_event")
    return _count(connection, "contested_event") > 0


def _find_retimed(connection: duckdb.DuckDBPyConnection, table: RawTable, accepted: str, near: Sequence[str]) -> bool:
    """``retimed``: event, time and the earlier time that holds instead, of the contested events."""
    event, time = ", ".join(table.event), table.day_of
    told = [f"SELECT {event}, {time} FROM {accepted} t WHERE {_is_contested(table)}"]
    told += [
        f"SELECT {event}, {time} FROM raw.{table.name} t WHERE {near_by} AND {_is_contested(table)}" for near_by in near
    ]
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE retimed AS
        WITH told AS ({" UNION ".join(told)}),
        apart AS (
            SELECT *, {time} - lag({time}, 1, {time}) OVER in_order > {TOLD_WITHIN} AS is_another
            FROM told WINDOW in_order AS (PARTITION BY {event} ORDER BY {time})
        ),
        numbered AS (
            SELECT *, count_if(is_another) OVER (PARTITION BY {event} ORDER BY {time}) AS number FROM apart
        )
        SELECT {event}, {time}, min({time}) OVER (PARTITION BY {event}, number) AS settled_at
        FROM numbered QUALIFY settled_at <> {time}
        """
    )
    return _count(connection, "retimed") > 0


def _is_contested(table: RawTable) -> str:
    return f"{_is_named(table, 't')} AND {_event_hash(table, 't')} IN (SELECT event_hash FROM contested_event)"


def _take_out(connection: duckdb.DuckDBPyConnection, table: RawTable, near: Sequence[str]) -> None:
    """Into ``moved``: every version of the keys that a retimed row of raw has; they are no longer in raw."""
    key, event, time = ", ".join(table.key), ", ".join(table.event), table.day_of
    stored = ", ".join(_stored(table, "t"))
    tables = (f"raw.{table.name}", f"raw.{table.name}_history")
    everywhere = [(name, condition) for name in tables for condition in near]
    keys = " UNION ".join(
        f"SELECT {key} FROM {name} t SEMI JOIN retimed USING ({event}, {time}) WHERE {condition}"
        for name, condition in everywhere
    )
    connection.execute(f"CREATE OR REPLACE TEMP TABLE moved_key AS {keys}")
    versions = " UNION ALL ".join(
        f"SELECT {stored} FROM {name} t SEMI JOIN moved_key USING ({key}) WHERE {condition}"
        for name, condition in everywhere
    )
    connection.execute(
        f"""
        INSERT INTO moved BY NAME
        SELECT t.* REPLACE (coalesce(r.settled_at, t.{time}) AS {time}), t.{time} AS was_at
        FROM ({versions}) t LEFT JOIN retimed r USING ({event}, {time})
        """
    )
    same_key = " AND ".join(f"t.{column} = k.{column}" for column in table.key)
    for name, condition in everywhere:
        connection.execute(f"DELETE FROM {name} t USING moved_key k WHERE {same_key} AND {condition}")


def _count(connection: duckdb.DuckDBPyConnection, name: str) -> int:
    ((rows,),) = connection.execute(f"SELECT count(*) FROM temp.{name}").fetchall()
    return int(rows)
