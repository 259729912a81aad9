"""Readers of PostgreSQL at work while releases are swapped, and transactions that stay open."""

import threading
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from hogland_pipeline.targets.postgres import PostgresTarget
from tests.integration.postgres_nights import MARTS, ROWS, publish_night
from tests.postgres_server import Server

SWAPS = 20

JOINED = (
    "select (select max(night) from marts.daily_snow), (select min(night) from marts.dim_municipality),"
    " (select max(night) from marts.fct_kpi_value), (select night from anna.latest),"
    " (select max(row_count) - 2000 + max(run_id::integer) from marts.publication)"
)


class Reader(threading.Thread):
    """Reads all marts again and again; keeps every set of nights it saw together, and every error."""

    def __init__(self, uri: str, *, repeatable: bool) -> None:
        super().__init__()
        self.uri, self.repeatable = uri, repeatable
        self.seen: list[set[int]] = []
        self.errors: list[str] = []
        self.slowest = 0.0
        self.is_stopped = threading.Event()

    def run(self) -> None:
        with psycopg.connect(self.uri, autocommit=not self.repeatable) as connection:
            connection.execute("set role anna")
            connection.commit()
            while not self.is_stopped.is_set():
                started = time.perf_counter()
                try:
                    self.seen.append(self._statements(connection) if self.repeatable else self._one(connection))
                except Exception as error:
                    self.errors.append(str(error))
                    connection.rollback()
                self.slowest = max(self.slowest, time.perf_counter() - started)

    def _one(self, connection: psycopg.Connection[Any]) -> set[int]:
        return set(connection.execute(JOINED).fetchone() or ())

    def _statements(self, connection: psycopg.Connection[Any]) -> set[int]:
        connection.execute("set transaction isolation level repeatable read")
        nights: set[int] = set()
        for mart in MARTS:
            rows = connection.execute(f"select min(night), max(night), count(*) from marts.{mart}").fetchone()
            assert rows is not None
            nights |= {rows[0], rows[1], rows[0] if rows[2] == ROWS else -1}
        connection.rollback()
        return nights


def test_readers_through_many_swaps_meet_no_error_and_no_mixture(server: Server, tmp_path: Path) -> None:
    target = PostgresTarget(server.settings(kept_releases=1))
    publish_night(tmp_path, target, 0)
    server.ask("create role anna login in role hogland_reader; create schema anna authorization anna")
    server.ask("create view anna.latest as select max(night) as night from marts.daily_snow", role="anna")
    readers = [Reader(server.uri, repeatable=kind) for kind in (False, False, True)]
    for reader in readers:
        reader.start()
    publications = [publish_night(tmp_path, target, number) for number in range(1, SWAPS + 1)]
    for reader in readers:
        reader.is_stopped.set()
        reader.join()

    assert [publication.failures for publication in publications] == [[]] * SWAPS
    assert [reader.errors for reader in readers] == [[], [], []]
    for reader in readers:
        assert len(reader.seen) > 2 * SWAPS, "too few reads to prove anything"
        assert {len(nights) for nights in reader.seen} == {1}
        assert len({night for nights in reader.seen for night in nights}) > SWAPS // 2
        assert reader.slowest < 15, "locked out"  # 0.2 s a lock at most, on a machine that may be busy
    assert server.ask("select night from anna.latest") == [(SWAPS,)]
    parts = server.ask("select count(*) from pg_inherits where inhparent = 'marts__releases.daily_snow'::regclass")
    assert parts[0][0] <= 3, "old releases pile up"


class PreparedReader(threading.Thread):
    """Runs one prepared statement again and again in one open transaction, as drivers do by themselves."""

    def __init__(self, server: Server, schema: str, seconds: float) -> None:
        super().__init__()
        self.uri, self.seconds = server.uri, seconds
        self.query = f"select min(night), max(night), count(*) from {schema}.daily_snow"
        self.seen: set[Any] = set()
        self.began, self.has_ended = threading.Event(), False

    def run(self) -> None:
        with psycopg.connect(self.uri) as connection:
            deadline = time.monotonic() + self.seconds
            while time.monotonic() < deadline:
                self.seen.add(connection.execute(self.query, prepare=True).fetchone())
                self.began.set()
            self.has_ended = True


def test_a_statement_prepared_in_an_open_transaction_never_finds_a_release_empty(
    server: Server, schema: str, tmp_path: Path
) -> None:
    """PostgreSQL does not tell such a plan of the new partition: the row has to wait for its transaction."""
    target = PostgresTarget(server.settings(marts_schema=schema))
    publish_night(tmp_path, target, 0)
    reader = PreparedReader(server, schema, seconds=3)
    reader.start()
    reader.began.wait()
    assert publish_night(tmp_path, target, 1).failures == []

    assert reader.has_ended
    assert server.ask(f"select max(night) from {schema}.daily_snow") == [(1,)]
    reader.join()
    assert reader.seen == {(0, 0, ROWS)}


def test_a_reader_that_holds_on_is_waited_for_a_while_and_then_told_of(
    server: Server, schema: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    target = PostgresTarget(server.settings(marts_schema=schema, lock_wait_seconds=0.2))
    publish_night(tmp_path, target, 0)
    with psycopg.connect(server.uri) as holder:
        holder.execute(f"select max(night) from {schema}.daily_snow")
        assert publish_night(tmp_path, target, 1).failures == []
        assert server.ask(f"select max(night) from {schema}.daily_snow") == [(1,)]
    assert "1 transactions have read marts for over 0.2 seconds" in caplog.text


def test_a_reader_that_holds_on_keeps_the_release_it_reads(server: Server, schema: str, tmp_path: Path) -> None:
    target = PostgresTarget(server.settings(marts_schema=schema, kept_releases=1, lock_wait_seconds=0.2))
    publish_night(tmp_path, target, 0)
    with psycopg.connect(server.uri) as holder:
        holder.execute("set transaction isolation level repeatable read")
        assert holder.execute(f"select max(night) from {schema}.daily_snow").fetchone() == (0,)
        for number in (1, 2, 3):
            assert publish_night(tmp_path, target, number).failures == []
        assert server.ask(f"select max(night) from {schema}.daily_snow") == [(3,)]
        # Also a table that it had not touched is still there as it was.
        assert holder.execute(f"select max(night), count(*) from {schema}.fct_kpi_value").fetchone() == (0, ROWS)
    publish_night(tmp_path, target, 4)
    assert (
        len(server.ask(f"select 1 from pg_inherits where inhparent = '{schema}__releases.daily_snow'::regclass")) == 1
    )


def test_a_roll_back_is_instant_while_the_server_has_the_release(server: Server, schema: str, tmp_path: Path) -> None:
    target = PostgresTarget(server.settings(marts_schema=schema))
    first, *_ = [publish_night(tmp_path, target, number).release_id for number in (0, 1, 2)]
    kept = target.state().kept

    assert len(kept) == 2
    assert target.switch_to(kept[0])
    assert server.ask(f"select distinct night from {schema}.daily_snow") == [(1,)]
    assert target.state().current == kept[0]
    assert not target.switch_to(first)
