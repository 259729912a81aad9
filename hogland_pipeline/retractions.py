# ruff: noqa: S608 - SQL is put together from the names in warehouse.py; values are parameters
"""Stored rows that the decoder of today refuses, taken back out of ``raw``.

A decoder that took a sentinel for a number stored that number; mended, it refuses the same row of the same landing
file. The row then stands in quarantine, and what was made of it before goes, with the days that showed it. A version of
the same key that another file brought is current again.
"""

import duckdb

from hogland_pipeline.warehouse import LINEAGE_COLUMNS, RawTable


def take_back_refused(connection: duckdb.DuckDBPyConnection, table: RawTable, stage: str) -> int:
    """Delete stored rows whose own landing file has their key among ``refused`` now, and not among ``accepted``.

    To be called inside an open transaction, before the merge of a batch of files that had been loaded before. Leaves
    the temporary table ``taken_back``: the keys that lost a row. Returns how many rows went.
    """
    key = ", ".join(table.key)
    has_key = " AND ".join(f"{column} IS NOT NULL" for column in table.key)
    stored = ", ".join(table.columns | LINEAGE_COLUMNS)
    everywhere = f"(SELECT {stored} FROM raw.{table.name} UNION ALL SELECT {stored} FROM raw.{table.name}_history)"
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE no_longer_given AS
        SELECT DISTINCT {key}, landing_id FROM {stage} SEMI JOIN refused USING (stage_row) WHERE {has_key}
        EXCEPT SELECT {key}, landing_id FROM accepted
        """
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE taken_back AS"
        f" SELECT {key}, count(*) AS versions FROM {everywhere} SEMI JOIN no_longer_given USING ({key}, landing_id)"
        f" GROUP BY ALL"
    )
    ((rows,),) = connection.execute("SELECT coalesce(sum(versions), 0)::BIGINT FROM taken_back").fetchall()
    if rows:
        _keep_the_rest(connection, table, everywhere, key)
    connection.execute("DROP TABLE temp.no_longer_given")
    return int(rows)


def _keep_the_rest(connection: duckdb.DuckDBPyConnection, table: RawTable, everywhere: str, key: str) -> None:
    """Of keys that lost a version the last of the others is current, numbered anew."""
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE kept_version AS
        SELECT * REPLACE (row_number() OVER (PARTITION BY {key} ORDER BY revision) AS revision),
               row_number() OVER (PARTITION BY {key} ORDER BY revision DESC) = 1 AS is_latest
        FROM {everywhere} SEMI JOIN taken_back USING ({key}) ANTI JOIN no_longer_given USING ({key}, landing_id)
        """
    )
    same_key = " AND ".join(f"t.{column} = k.{column}" for column in table.key)
    for name, condition in ((table.name, "is_latest"), (f"{table.name}_history", "NOT is_latest")):
        connection.execute(f"DELETE FROM raw.{name} t USING taken_back k WHERE {same_key}")
        connection.execute(
            f"INSERT INTO raw.{name} BY NAME SELECT * EXCLUDE (is_latest) FROM kept_version WHERE {condition}"
        )
    connection.execute("DROP TABLE temp.kept_version")
