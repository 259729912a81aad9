# ruff: noqa: S608 - SQL is put together from the names in warehouse.py; values are parameters
"""Stored rows that the decoder of today refuses, taken back out of ``raw``.

A decoder that took a sentinel for a number stored that number; mended, it refuses the same row of the same landing
file. The row then stands in quarantine, and what was made of it before goes, with the days that showed it. Another
version of the same key is current again. (The same version that an earlier file had brought too is not: raw knows only
the file that sent it last. It comes in when that file is loaded again.)
"""

from collections.abc import Iterable

import duckdb

from hogland_pipeline.repeats import TOLD_WITHIN
from hogland_pipeline.warehouse import LINEAGE_COLUMNS, RawTable


def take_back_refused(connection: duckdb.DuckDBPyConnection, table: RawTable, stage: str) -> int:
    """Delete stored rows that their own landing file is refused for now: it has their key among ``refused``, and not
    with their version among ``accepted``.

    To be called inside an open transaction, before the merge of a batch of files that had been loaded before. Leaves
    the temporary table ``taken_back``: the keys that lost a row. Returns how many rows went.
    """
    key = ", ".join(table.key)
    has_key = " AND ".join(f"{column} IS NOT NULL" for column in table.key)
    stored = ", ".join(table.columns | LINEAGE_COLUMNS)
    everywhere = f"(SELECT {stored} FROM raw.{table.name} UNION ALL SELECT {stored} FROM raw.{table.name}_history)"
    named = ", ".join(dict.fromkeys((*table.key, *table.event, "landing_id")))
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE no_longer_given AS"
        f" SELECT DISTINCT {named} FROM {stage} SEMI JOIN refused USING (stage_row) WHERE {has_key}"
    )
    same_row = list(_same_row(table))
    refused = " UNION ".join(
        f"SELECT s.* FROM {everywhere} s SEMI JOIN no_longer_given o ON {same}" for same in same_row
    )
    same_version = " AND ".join(f"s.{column} IS NOT DISTINCT FROM o.{column}" for column in table.version)
    still_given = "".join(f" ANTI JOIN accepted o ON {same} AND {same_version}" for same in same_row)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE taken_version AS SELECT {key}, revision FROM ({refused}) s{still_given}"
    )
    connection.execute(f"CREATE OR REPLACE TEMP TABLE taken_back AS SELECT DISTINCT {key} FROM taken_version")
    ((rows,),) = connection.execute("SELECT count(*) FROM taken_version").fetchall()
    if rows:
        _keep_the_rest(connection, table, everywhere, key)
    connection.execute("DROP TABLE temp.no_longer_given")
    connection.execute("DROP TABLE temp.taken_version")
    return int(rows)


def _same_row(table: RawTable) -> Iterable[str]:
    """Conditions, each enough, under which the stored row ``s`` was made of the row ``o`` of its landing file: it has
    its key, or is of its event and has the time of another telling (``repeats.py``).
    """
    yield " AND ".join(f"s.{column} = o.{column}" for column in (*table.key, "landing_id"))
    if table.event:
        time = table.day_of
        others = dict.fromkeys((*table.event, *(column for column in table.key if column != time), "landing_id"))
        same = " AND ".join(f"s.{column} = o.{column}" for column in others)
        yield f"{same} AND s.{time} BETWEEN o.{time} - {TOLD_WITHIN} AND o.{time} + {TOLD_WITHIN}"


def _keep_the_rest(connection: duckdb.DuckDBPyConnection, table: RawTable, everywhere: str, key: str) -> None:
    """Of keys that lost a version the last of the others is current, numbered anew."""
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE kept_version AS
        SELECT * REPLACE (row_number() OVER (PARTITION BY {key} ORDER BY revision) AS revision),
               row_number() OVER (PARTITION BY {key} ORDER BY revision DESC) = 1 AS is_latest
        FROM {everywhere} SEMI JOIN taken_back USING ({key}) ANTI JOIN taken_version USING ({key}, revision)
        """
    )
    same_key = " AND ".join(f"t.{column} = k.{column}" for column in table.key)
    for name, condition in ((table.name, "is_latest"), (f"{table.name}_history", "NOT is_latest")):
        connection.execute(f"DELETE FROM raw.{name} t USING taken_back k WHERE {same_key}")
        connection.execute(
            f"INSERT INTO raw.{name} BY NAME SELECT * EXCLUDE (is_latest) FROM kept_version WHERE {condition}"
        )
    connection.execute("DROP TABLE temp.kept_version")
