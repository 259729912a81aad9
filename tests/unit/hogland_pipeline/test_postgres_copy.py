"""Streams of a copy: how many, and which row groups each takes. Whole copies are in tests/integration."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from adbc_driver_manager import AdbcStatusCode
from adbc_driver_postgresql import dbapi

from hogland_pipeline.targets import postgres_copy
from hogland_pipeline.targets.postgres_copy import copy_parquet


class Server:
    """Takes batches as ADBC gives them, on at most ``allowed`` connections."""

    def __init__(self, allowed: int) -> None:
        self.allowed = allowed
        self.copies: list[list[int]] = []
        self.commits = 0

    def connect(self, _: str) -> "Connection":
        self.allowed -= 1
        if self.allowed < 0:
            raise dbapi.OperationalError("too many connections", status_code=AdbcStatusCode.IO)
        return Connection(self)


class Connection:
    def __init__(self, server: Server) -> None:
        self.server = server

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def adbc_clone(self) -> "Connection":
        return self.server.connect("")

    def cursor(self) -> "Connection":
        return self

    def commit(self) -> None:
        self.server.commits += 1

    def adbc_ingest(self, _: str, rows: pa.RecordBatchReader, **__: Any) -> int:
        taken = rows.read_all()["number"].to_pylist()
        self.server.copies.append(taken)
        return len(taken)


@pytest.fixture
def parquet(tmp_path: Path) -> Iterator[Path]:
    """Nine rows in five row groups."""
    path = tmp_path / "mart.parquet"
    pq.write_table(pa.table({"number": range(9)}), path, row_group_size=2)
    yield path


@pytest.mark.parametrize(
    ("worth", "allowed", "copies"),
    [
        (9, 2, [[0, 1, 4, 5, 8], [2, 3, 6, 7]]),
        (9, 1, [[0, 1, 2, 3, 4, 5, 6, 7, 8]]),
        (10, 2, [[0, 1, 2, 3, 4, 5, 6, 7, 8]]),
    ],
    ids=["every second row group", "the role may have no more", "too few rows"],
)
def test_large_tables_are_copied_as_two_streams_where_the_server_lets_them(
    monkeypatch: pytest.MonkeyPatch, parquet: Path, worth: int, allowed: int, copies: list[list[int]]
) -> None:
    server = Server(allowed)
    monkeypatch.setattr(dbapi, "connect", server.connect)
    monkeypatch.setattr(postgres_copy, "ROWS_WORTH_STREAMS", worth)
    assert copy_parquet("", "marts__next", "mart", parquet) == 9
    assert sorted(server.copies) == copies
    assert server.commits == len(copies)


def test_a_server_that_lets_nobody_in_is_an_error(monkeypatch: pytest.MonkeyPatch, parquet: Path) -> None:
    monkeypatch.setattr(dbapi, "connect", Server(0).connect)
    with pytest.raises(dbapi.OperationalError, match="too many connections"):
        copy_parquet("", "marts__next", "mart", parquet)
