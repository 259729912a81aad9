# ruff: noqa: S608 - SQL is put together from the names in warehouse.py; values are parameters
"""Accepted candidate rows become ``raw`` rows and revisions, in bulk and in any order of arrival.

The state of a key is a function of the set of rows ever received, not of the order they were loaded in: of every
version of a key the sending that is greatest by ``latest_by`` is kept, versions are numbered 1, 2, … in that order, the
last is the row in ``raw.<table>``, the others are in ``raw.<table>_history``. Loading the same bytes again is therefore
a no-op, and a correction that arrives before the value it corrects still ends as the latest. A version sent once more
counts as sent later, so that a straggler from between the two does not become the current one. (Dropping such
repetitions, as a log of changes does, makes the result depend on the order of arrival.)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import duckdb

from hogland_pipeline.repeats import TOLD_WITHIN, forget_repeats, settle_repeats
from hogland_pipeline.warehouse import CANDIDATE_COLUMNS, LINEAGE_COLUMNS, RawTable

_MOMENT = "to_timestamp(quarter * 900)"
_ARRIVED = f"SELECT DISTINCT {_MOMENT} AS moment FROM arrived_quarter"
# What is stored ranks below every line of the batch, in the order of its revisions.
_BEFORE_ANY_LINE = "revision - 1_000_000_000 AS landing_row"

_SCRATCH = (
    *("VIEW fresh", "VIEW latest", "VIEW superseded", "TABLE arrived", "TABLE arrived_quarter", "TABLE contested"),
    *("TABLE contested_row", "TABLE existing", "TABLE fresh_key", "TABLE fresh_row", "TABLE moved", "TABLE numbered"),
)


@dataclass(frozen=True)
class MergeCounts:
    """Rows that were new keys, rows that were new versions of a key, and rows whose version was known already."""

    inserted: int
    revised: int
    unchanged: int


class ConservationError(Exception):
    """Rows went missing or appeared between stage and raw; the transaction must not commit."""


def merge_accepted(
    connection: duckdb.DuckDBPyConnection, table: RawTable, accepted: str, load_id: int, timezone: str
) -> MergeCounts:
    """Merge the rows of the table or view ``accepted`` into ``raw`` and note the local days that changed.

    ``accepted`` has the data columns, ``landing_row`` and ``stage_row``, which tells its rows apart. To be called
    inside an open transaction. An event that was told with several times has one of them first (``repeats.py``).
    Nearly all rows of a night are the only one of a key that ``raw`` has not seen; these are appended in one pass. The
    others are contested: only they are compared and numbered.
    """
    arrived = _collect_arrived(connection, table, accepted)
    before = _stored_rows(connection, table)
    near = [_within(table, day_range, "t", TOLD_WITHIN) for day_range in _day_ranges(connection, table, _ARRIVED)]
    settled = settle_repeats(connection, table, accepted, near)
    if settled != accepted:
        accepted = settled
        _collect_arrived(connection, table, accepted)
    moved = _count(connection, "SELECT count(*) FROM moved")
    if moved:
        note_days(connection, load_id, "SELECT DISTINCT feed, was_at AS moment FROM moved", timezone)
    ranges = _day_ranges(connection, table, f"{_ARRIVED} UNION SELECT {table.day_of} FROM moved")
    _collect_contested(connection, table, accepted, ranges)
    plain = _append_plain(connection, table, accepted, load_id, timezone)
    _collect_fresh(connection, table)
    new_versions = _number_versions(connection, table, load_id, ranges)
    _replace_versions(connection, table, ranges)
    _note_touched_days(connection, table, load_id, timezone)
    key = ", ".join(table.key)
    new_keys = f"SELECT count(*) FROM latest ANTI JOIN existing USING ({key}) ANTI JOIN moved USING ({key})"
    inserted = plain + _count(connection, new_keys)
    revised = plain + new_versions - inserted
    unchanged = arrived - inserted - revised
    # Stored rows may have fallen together where they moved, and nowhere else.
    lost = inserted + revised - (_stored_rows(connection, table) - before)
    if revised < 0 or unchanged < 0 or not 0 <= lost <= moved:
        raise ConservationError(
            f"raw.{table.name}: {inserted} new keys, {revised} revisions and {unchanged} repeated rows do not add up"
            " to the rows stored"
        )
    for kind, name in map(str.split, _SCRATCH):
        connection.execute(f"DROP {kind} temp.{name}")
    forget_repeats(connection)
    return MergeCounts(inserted, revised, unchanged)


def _collect_arrived(connection: duckdb.DuckDBPyConnection, table: RawTable, accepted: str) -> int:
    """``arrived``: of every accepted row its number and a hash of its key; ``arrived_quarter``: how many rows each feed
    has in which quarter of an hour (since 1970). Returns how many there are in all.

    What is asked of all rows is asked of these narrow ones. Hashes group four times as fast as the columns of a key,
    and quarters tell local days (no zone has shifted by less since 1900) as well as those of UTC.

    Raises:
        ConservationError: a key column is empty: such a row would load every night.
    """
    without_key = " OR ".join(f"{column} IS NULL" for column in table.key)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE arrived AS"
        f" SELECT stage_row, hash({', '.join(table.key)}) AS key_hash FROM {accepted}"
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE arrived_quarter AS"
        f" SELECT {_quarter(table)}, count(*) AS arrived, count_if({without_key}) AS without_key"
        f" FROM {accepted} GROUP BY ALL"
    )
    if missing := _count(connection, "SELECT coalesce(sum(without_key), 0) FROM arrived_quarter"):
        raise ConservationError(f"{missing} accepted rows for raw.{table.name} have an empty key column")
    return _count(connection, "SELECT coalesce(sum(arrived), 0) FROM arrived_quarter")


def _quarter(table: RawTable) -> str:
    """SQL: feed and quarter of an hour of a row; of a table without days nulls."""
    if table.day_of is None:
        return "NULL AS feed, NULL AS quarter"
    # Floored, not divided: that would round towards 1970. Asking the calendar for a bucket costs six times as much.
    return f"feed, floor(epoch_us({table.day_of}) / 900_000_000)::BIGINT AS quarter"


def _day_ranges(
    connection: duckdb.DuckDBPyConnection, table: RawTable, moments: str
) -> Sequence[tuple[date, date] | None]:
    """Runs of adjoining UTC days in the query ``moments``, [first, day after last).

    Constant bounds let DuckDB skip the row groups of other days, so that one straggler 300 days old costs its own
    day and not the 300 in between.
    """
    if table.day_of is None:
        return [None]
    rows = connection.execute(
        f"SELECT DISTINCT (moment AT TIME ZONE 'UTC')::DATE AS day FROM ({moments}) ORDER BY day"
    ).fetchall()
    days = [day for (day,) in rows]
    ranges: list[tuple[date, date]] = []
    for day in days:
        following = day + timedelta(days=1)
        if ranges and ranges[-1][1] == day:
            ranges[-1] = (ranges[-1][0], following)
        else:
            ranges.append((day, following))
    return ranges


def _within(table: RawTable, day_range: tuple[date, date] | None, alias: str, margin: str = "INTERVAL 0 MINUTE") -> str:
    if day_range is None:
        return "TRUE"
    first, following = day_range
    return (
        f"{alias}.{table.day_of} >= TIMESTAMPTZ '{first}T00:00:00Z' - {margin}"
        f" AND {alias}.{table.day_of} < TIMESTAMPTZ '{following}T00:00:00Z' + {margin}"
    )


def _collect_contested(
    connection: duckdb.DuckDBPyConnection,
    table: RawTable,
    accepted: str,
    ranges: Sequence[tuple[date, date] | None],
) -> None:
    """``existing``: current rows of the keys of the batch and of ``moved``; ``contested``: batch rows whose key is not
    theirs alone, and ``contested_row`` their numbers.

    Two keys that share a hash only make their rows contested; there the columns decide.
    """
    key = ", ".join(table.key)
    stored = ", ".join(table.columns | LINEAGE_COLUMNS)
    parts = [
        f"SELECT {stored} FROM raw.{table.name} t"
        f" WHERE {_within(table, r, 't')}"
        f" AND hash({key}) IN (SELECT key_hash FROM arrived UNION ALL SELECT hash({key}) FROM moved)"
        for r in ranges
    ] or [f"SELECT {stored} FROM raw.{table.name} WHERE FALSE"]
    connection.execute("CREATE OR REPLACE TEMP TABLE existing AS " + " UNION ALL ".join(parts))
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE contested_row AS
        SELECT stage_row FROM arrived WHERE key_hash IN (
            SELECT key_hash FROM arrived GROUP BY key_hash HAVING count(*) > 1
            UNION ALL
            SELECT hash({key}) FROM existing
            UNION ALL
            SELECT hash({key}) FROM moved
        )
        """
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE contested AS FROM {accepted} SEMI JOIN contested_row USING (stage_row)"
    )


def _append_plain(
    connection: duckdb.DuckDBPyConnection, table: RawTable, accepted: str, load_id: int, timezone: str
) -> int:
    """Append the rows that are alone with their key; returns how many."""
    data = ", ".join(table.columns)
    appended = _count(
        connection,
        f"INSERT INTO raw.{table.name} ({data}, ingested_at, revision, load_id)"
        f" SELECT {data}, now(), 1, {load_id} FROM {accepted} ANTI JOIN contested_row USING (stage_row)",
    )
    if table.day_of is not None and appended:
        # Quarters that have more rows than contested ones.
        moments = f"""
            SELECT feed, {_MOMENT} AS moment FROM arrived_quarter LEFT JOIN (
                SELECT {_quarter(table)}, count(*) AS contested FROM contested GROUP BY ALL
            ) USING (feed, quarter) WHERE arrived > coalesce(contested, 0)
        """
        note_days(connection, load_id, moments, timezone)
    return appended


def note_days(connection: duckdb.DuckDBPyConnection, load_id: int, moments: str, timezone: str) -> None:
    """Note the local days of the query ``moments`` (feed, moment)."""
    connection.execute(
        f"INSERT INTO ops.touched_day SELECT DISTINCT ?, feed, (moment AT TIME ZONE ?)::DATE FROM ({moments})",
        [load_id, timezone],
    )


def _collect_fresh(connection: duckdb.DuckDBPyConnection, table: RawTable) -> None:
    """``fresh``: contested rows with a version that neither ``existing`` nor ``moved`` nor the history hold, or hold as
    sent earlier (a view: their numbers are ``fresh_row``); ``fresh_key``: the keys of these and of ``moved``.
    """
    same_key = " AND ".join(f"a.{column} = s.{column}" for column in table.key)
    same_version = " AND ".join(f"a.{column} IS NOT DISTINCT FROM s.{column}" for column in table.version)
    not_later = f"{_rank(table, 'a')} <= {_rank(table, 's')}"
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE fresh_row AS
        SELECT a.stage_row FROM contested a
        ANTI JOIN existing s ON {same_key} AND {same_version} AND {not_later}
        ANTI JOIN moved s ON {same_key} AND {same_version} AND {not_later}
        ANTI JOIN raw.{table.name}_history s ON {same_key} AND {same_version} AND {not_later}
        """
    )
    connection.execute("CREATE OR REPLACE TEMP VIEW fresh AS FROM contested SEMI JOIN fresh_row USING (stage_row)")
    key = ", ".join(table.key)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE fresh_key AS SELECT {key} FROM fresh UNION SELECT {key} FROM moved"
    )


def _rank(table: RawTable, alias: str) -> str:
    return f"row({', '.join(f'{alias}.{column}' for column in table.latest_by)})"


def _number_versions(
    connection: duckdb.DuckDBPyConnection,
    table: RawTable,
    load_id: int,
    ranges: Sequence[tuple[date, date] | None],
) -> int:
    """``numbered``: the rows that ``raw`` (view ``latest``) and its history (``superseded``) must hold for the fresh
    keys. Returns how many of them no row was known to hold before.
    """
    key = ", ".join(table.key)
    data = ", ".join(table.columns)
    stored = f"{data}, ingested_at, load_id"
    history = " UNION ALL ".join(
        f"SELECT {stored}, {_BEFORE_ANY_LINE}, FALSE AS is_new FROM raw.{table.name}_history h"
        f" SEMI JOIN fresh_key USING ({key}) WHERE {_within(table, r, 'h')}"
        for r in ranges
    )
    history = f"UNION ALL {history}" if history else ""
    # Rows sent at one time: what was decoded later wins (a corrected decoder), then the later line of a file.
    ranks = (*table.latest_by, "ingested_at", "landing_row", "landing_id")
    earliest_first = ", ".join(ranks)
    latest_first = ", ".join(f"{column} DESC NULLS FIRST" for column in ranks)
    version = ", ".join(table.version)
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE numbered AS
        WITH received AS (
            SELECT {stored}, {_BEFORE_ANY_LINE}, FALSE AS is_new FROM existing SEMI JOIN fresh_key USING ({key})
            {history}
            UNION ALL
            SELECT {stored}, {_BEFORE_ANY_LINE}, FALSE AS is_new FROM moved
            UNION ALL
            SELECT {data}, now() AS ingested_at, {load_id} AS load_id, landing_row, TRUE AS is_new FROM fresh
        ),
        versions AS (
            SELECT * REPLACE (bool_and(is_new) OVER same AS is_new),
                   min(ingested_at) OVER same AS first_ingested_at, min(load_id) OVER same AS first_load_id
            FROM received
            WINDOW same AS (PARTITION BY {key}, {version})
            QUALIFY row_number() OVER (PARTITION BY {key}, {version} ORDER BY {latest_first}) = 1
        )
        SELECT {data}, first_ingested_at AS ingested_at, row_number() OVER by_key AS revision,
               first_load_id AS load_id, is_new,
               row_number() OVER by_key = count(*) OVER (PARTITION BY {key}) AS is_latest
        FROM versions
        WINDOW by_key AS (PARTITION BY {key} ORDER BY {earliest_first})
        """
    )
    for name, condition in (("latest", "is_latest"), ("superseded", "NOT is_latest")):
        connection.execute(
            f"CREATE OR REPLACE TEMP VIEW {name} AS"
            f" SELECT * EXCLUDE (is_latest, is_new) FROM numbered WHERE {condition}"
        )
    return _count(connection, "SELECT count(*) FROM numbered WHERE is_new")


def _replace_versions(
    connection: duckdb.DuckDBPyConnection, table: RawTable, ranges: Sequence[tuple[date, date] | None]
) -> None:
    for stored in (table.name, f"{table.name}_history"):
        match = " AND ".join(f"t.{column} = s.{column}" for column in table.key)
        for day_range in ranges:
            connection.execute(
                f"DELETE FROM raw.{stored} t USING fresh_key s WHERE {match} AND {_within(table, day_range, 't')}"
            )
    connection.execute(f"INSERT INTO raw.{table.name} BY NAME FROM latest")
    connection.execute(f"INSERT INTO raw.{table.name}_history BY NAME FROM superseded")


def _note_touched_days(connection: duckdb.DuckDBPyConnection, table: RawTable, load_id: int, timezone: str) -> None:
    """Local days in which a current row is new or differs from what it was: the days dbt must rebuild."""
    if table.day_of is None:
        return
    same_key = " AND ".join(f"l.{column} = e.{column}" for column in table.key)
    same_version = " AND ".join(f"l.{column} IS NOT DISTINCT FROM e.{column}" for column in table.version)
    changed = f"FROM latest l ANTI JOIN existing e ON {same_key} AND {same_version}"
    note_days(connection, load_id, f"SELECT DISTINCT feed, l.{table.day_of} AS moment {changed}", timezone)


def _stored_rows(connection: duckdb.DuckDBPyConnection, table: RawTable) -> int:
    return sum(_count(connection, f"SELECT count(*) FROM raw.{name}") for name in (table.name, f"{table.name}_history"))


def _count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    row = connection.execute(query).fetchone()
    if row is None:
        raise ConservationError(f"a count returned nothing: {query}")
    return int(row[0])


def candidate_definitions(table: RawTable) -> dict[str, str]:
    """Columns of a candidate of ``table`` and their types: the data columns and the candidate's own."""
    return table.columns | CANDIDATE_COLUMNS
