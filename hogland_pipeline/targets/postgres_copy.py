"""Rows of a Parquet file into a table of PostgreSQL: Arrow batches by ADBC into binary COPYs.

One COPY keeps a core busy, now the client's (decoding Parquet, encoding rows), now the server's (writing them), and
seldom both. Large tables are therefore copied as two streams. Every second row group goes to the same stream: the two
walk through the file side by side, the table gets the order of the file but for a few pages, and a key that was in
order stays cheap to index and to read.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from adbc_driver_postgresql.dbapi import Connection

STREAMS = 2
ROWS_WORTH_STREAMS = 500_000
ROWS_PER_BATCH = 16_384


def copy_parquet(conninfo: str, schema: str, table: str, parquet: Path) -> int:
    """Append all rows of a file to a table that nobody reads yet; returns how many the server took.

    Each stream commits by itself. Raises errors of ADBC; what is in the table then is part of the rows.
    """
    with ExitStack() as closing:
        connections = list(_connections(conninfo, pq.read_metadata(parquet).num_rows, closing))
        copy = partial(_copy_share, connections, schema, table, parquet)
        pool = closing.enter_context(ThreadPoolExecutor(len(connections)))
        return sum(pool.map(copy, range(len(connections))))


def _connections(conninfo: str, rows: int, closing: ExitStack) -> Iterator[Connection]:
    """As many as the rows are worth, and as the server gives: a role may be allowed few."""
    from adbc_driver_postgresql import dbapi

    first = closing.enter_context(dbapi.connect(conninfo))
    yield first
    for _ in range(1, STREAMS if rows >= ROWS_WORTH_STREAMS else 1):
        try:
            yield closing.enter_context(first.adbc_clone())
        except dbapi.OperationalError:
            return


def _copy_share(connections: list[Connection], schema: str, table: str, parquet: Path, share: int) -> int:
    connection = connections[share]
    with pq.ParquetFile(parquet) as file, connection.cursor() as cursor:
        row_groups = range(share, file.num_row_groups, len(connections))
        batches = file.iter_batches(ROWS_PER_BATCH, row_groups=row_groups, use_threads=False)
        rows = pa.RecordBatchReader.from_batches(file.schema_arrow, batches)
        taken = int(cursor.adbc_ingest(table, rows, mode="append", db_schema_name=schema))
    connection.commit()
    return taken
