"""PostgreSQL: every release beside the ones before it, and one row that says which of them readers see.

    marts.<mart>                       what people read: a view that never changes, so their own views on it survive
    marts__releases.<mart>             all kept releases of a mart: a partition for each
    marts__releases.current_release    one row with the number of the release that the views show
    marts__next                        the release being loaded; nobody else may look

Renaming whole schemas is shorter and was tried: a query that names several tables can resolve one before the rename
and one after it (9 of 11,780 reads of eight tables were mixed), a repeatable-read transaction finds the new tables
empty, and views of analysts follow the old tables. Here a swap attaches the new partitions, which no reader notices,
and updates one row, which every query and every repeatable-read transaction sees as of its own snapshot.

A plan is not made as of a snapshot: PostgreSQL shows a committed row a moment before it tells other sessions of the new
partition, and a statement prepared in an open transaction is not told at all. Such a plan would follow the new row
to a partition that it does not know, and find nothing. So partitions are attached first, readers that were at work
then are waited for, and only then the row changes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow

from hogland_pipeline.publish_settings import PostgresSettings
from hogland_pipeline.targets.postgres_copy import copy_parquet
from hogland_pipeline.targets.postgres_structure import Structure, Table, column_definitions, name_of
from hogland_pipeline.targets.postgres_transactions import readers_of, running

OLDEST_SERVER = 150000  # views that apply the reader's own row policies (security_invoker) came with PostgreSQL 15
CONNECT_TIMEOUT_SECONDS = 10
# Readers of a table whose columns change wait this long at most; deadlocks are looked for only after a second.
LOCK_TIMEOUT_MILLISECONDS = 200
POLL_SECONDS = 0.02
PUBLISHER_LOCK = 7_204_682_604_690_685  # any number, the same for every publisher of this project

log = logging.getLogger(__name__)
Connection = psycopg.Connection[TupleRow]


class TargetFailed(Exception):
    """PostgreSQL could not be given a release; what it showed before stays. One sentence, no secrets."""


@dataclass(frozen=True)
class PostgresState:
    """What the server shows: the current release, and those that a roll-back needs no loading for."""

    current: str | None
    kept: tuple[str, ...]


class PostgresTarget:
    """A database that releases are published to. Raises ``TargetFailed`` from every method."""

    def __init__(self, settings: PostgresSettings) -> None:
        self.settings = settings
        self.structure = Structure(settings)

    @property
    def place(self) -> str:
        """Where it is, without user and password."""
        return f"PostgreSQL {self.settings.host}:{self.settings.port}/{self.settings.database}"

    def state(self) -> PostgresState:
        """Which releases are there; ``current`` is None before the first publication."""
        with self.plain_errors(), self._open() as connection:
            return self._state(connection)

    def prepare(self, release_id: str) -> Preparation:
        """A place to load a release where nobody sees it. ``close`` it; what was not switched to is thrown away."""
        with self.plain_errors(), ExitStack() as undo:
            connection = undo.enter_context(self._open())
            self._require_able(connection)
            self._require_only_publisher(connection)
            self.structure.ensure_schemas(connection)
            number = self.structure.number_of(connection, release_id)
            undo.pop_all()
        return Preparation(self, connection, release_id, number)

    def switch_to(self, release_id: str) -> bool:
        """Show a release that is still on the server; False when it is not and has to be loaded."""
        with self.plain_errors(), self._open() as connection:
            if release_id not in self._state(connection).kept:
                return False
            with connection.transaction():
                self.structure.point_at(connection, release_id)
            return True

    def _state(self, connection: Connection) -> PostgresState:
        if not self.structure.is_there(connection):
            return PostgresState(None, ())
        return PostgresState(self.structure.current(connection), tuple(self.structure.kept(connection)))

    def conninfo(self) -> str:
        """How libpq connects. Holds the password: never to be logged or shown."""
        password = self.settings.password
        return make_conninfo(
            host=self.settings.host,
            port=self.settings.port,
            dbname=self.settings.database,
            user=self.settings.user,
            password=password.get_secret_value() if password else None,
            sslmode=self.settings.sslmode,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            application_name="hogland_publisher",
        )

    def _open(self) -> Connection:
        connection = psycopg.connect(self.conninfo(), autocommit=True)
        connection.execute("SET timezone TO 'UTC'")
        connection.execute("SET client_min_messages TO warning")
        connection.execute(sql.SQL("SET lock_timeout TO {}").format(sql.Literal(LOCK_TIMEOUT_MILLISECONDS)))
        return connection

    @contextmanager
    def plain_errors(self, subject: str = "") -> Iterator[None]:
        """Errors of the server and of ADBC as one sentence that says what to do; `subject` begins a reason."""
        from adbc_driver_manager import Error as AdbcError

        try:
            yield
        except psycopg.errors.InsufficientPrivilege as error:
            database, user = self.settings.database, self.settings.user
            raise self.failed(
                f"role {user} lacks a right ({_first_line(error)}); let an administrator say: "
                f"GRANT CREATE ON DATABASE {database} TO {user}, or make {user} owner of what is there"
            ) from None
        except psycopg.errors.LockNotAvailable:
            raise self.failed(
                "open transactions of readers hold a table whose columns change; end them (see pg_stat_activity) "
                "and publish again"
            ) from None
        except psycopg.OperationalError as error:
            is_gone = error.sqlstate is None or error.sqlstate.startswith(("08", "57P"))
            advice = "; publish again when the server can be reached" if is_gone else ""
            raise self.failed(f"{subject}{_first_line(error)}{advice}") from None
        except (psycopg.Error, AdbcError, OSError) as error:
            raise self.failed(f"{subject}{_first_line(error)}") from None

    def failed(self, reason: str) -> TargetFailed:
        """The error for a reason, with the place and without the password."""
        password = self.settings.password
        if password and password.get_secret_value():
            reason = reason.replace(password.get_secret_value(), "***")
        return TargetFailed(f"{self.place}: {reason}.")

    def _require_able(self, connection: Connection) -> None:
        if connection.info.server_version < OLDEST_SERVER:
            raise self.failed(f"the server is version {connection.info.server_version // 10_000}, 15 is needed")
        for role in self.settings.roles:
            if not _one(connection, "SELECT count(*) FROM pg_roles WHERE rolname = %s", [role]):
                self._create_role(connection, role)

    def _create_role(self, connection: Connection, role: str) -> None:
        try:
            connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(role)))
        except psycopg.errors.InsufficientPrivilege:
            raise self.failed(
                f"there is no role {role} and {self.settings.user} may not create it; "
                f"let an administrator say: CREATE ROLE {role} NOLOGIN"
            ) from None

    def _require_only_publisher(self, connection: Connection) -> None:
        """Held until the connection ends, also when the process is killed."""
        if not _one(connection, "SELECT pg_try_advisory_lock(%s)", [PUBLISHER_LOCK]):
            raise self.failed("another publication is at work there")


class Preparation:
    """A release on its way. Tables are loaded one by one; ``switch`` shows all of them at once."""

    def __init__(self, target: PostgresTarget, connection: Connection, release_id: str, number: int) -> None:
        self.target = target
        self.connection = connection
        self.release_id = release_id
        self.number = number
        self.tables: dict[str, Table] = {}

    def load(self, table: Table, parquet: Path) -> None:
        """Load one table from its Parquet file, with its index; raises ``TargetFailed`` naming it."""
        with self.target.plain_errors(f"table {table.name}: "):
            self._load(table, parquet)

    def _load(self, table: Table, parquet: Path) -> None:
        schema, name = self.target.structure.next, name_of(table.name, self.number)
        place = sql.Identifier(schema, name)
        self.connection.execute(
            sql.SQL(
                "CREATE TABLE {} ({}, release_number integer NOT NULL DEFAULT {} CHECK (release_number = {}))"
            ).format(place, column_definitions(table), sql.Literal(self.number), sql.Literal(self.number))
        )
        loaded = copy_parquet(self.target.conninfo(), schema, name, parquet)
        if loaded != table.row_count:
            raise self.target.failed(f"{table.name}: {table.row_count} rows published, {loaded} rows loaded")
        if table.key:
            key = sql.SQL(", ").join(map(sql.Identifier, table.key))
            self.connection.execute(sql.SQL("CREATE INDEX ON {} ({})").format(place, key))
        self.connection.execute(sql.SQL("ANALYZE {}").format(place))
        self.tables[table.name] = table

    def switch(self) -> float:
        """Show the release to readers: one transaction, tried again while readers hold what it must change.

        Waits ``lock_wait_seconds`` at most for readers whose plans are older than the new partitions.
        Returns the seconds of the transaction that succeeded. Raises ``TargetFailed``; the release before stays.
        """
        with self.target.plain_errors():
            self._patiently(self._attach_ahead)
            self._await_older_plans()
            seconds = self._patiently(self._switch_once)
        self._tidy()
        return seconds

    def close(self) -> None:
        """Give the connection back, and with it the right to publish."""
        self.connection.close()

    def _patiently(self, step: Callable[[], None]) -> float:
        deadline = time.monotonic() + self.target.settings.lock_wait_seconds
        while True:
            started = time.perf_counter()
            try:
                with self.connection.transaction():
                    step()
                return time.perf_counter() - started
            except psycopg.errors.LockNotAvailable:
                if time.monotonic() > deadline:
                    raise
                time.sleep(LOCK_TIMEOUT_MILLISECONDS / 1000)

    def _attach_ahead(self) -> None:
        """Tables that stay as they are. One that changes locks its readers out, who then plan anew."""
        structure = self.target.structure
        for table in self.tables.values():
            if structure.is_fit(self.connection, table, self.tables):
                structure.attach(self.connection, table.name, self.number)

    def _await_older_plans(self) -> None:
        """Wait for the transactions that read a mart now; those that come to one later hear of its new partition.

        One that outlasts the wait is left alone: what it prepared before finds no rows until it ends.
        """
        seconds = self.target.settings.lock_wait_seconds
        deadline = time.monotonic() + seconds
        readers = readers_of(self.connection, self.target.structure.releases)
        while readers and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
            readers &= running(self.connection)
        if readers:
            log.warning(
                "%s: %d transactions have read marts for over %g seconds; statements they prepared before find no rows "
                "until they end",
                self.target.place,
                len(readers),
                seconds,
            )

    def _switch_once(self) -> None:
        structure = self.target.structure
        for _, table in sorted(self.tables.items()):  # a mart comes before its own older versions
            structure.fit(self.connection, table, self.tables)
            structure.attach(self.connection, table.name, self.number)
        structure.point_at(self.connection, self.release_id)

    def _tidy(self) -> None:
        """Drop what nobody can be rolled back to; what readers still hold is dropped another night."""
        structure, place = self.target.structure, self.target.place
        try:
            structure.retire(self.connection, self.target.settings.kept_releases)
            for view in structure.withdraw(self.connection, self.tables):
                log.warning("%s: %s is published no more but views of others read it; it is empty now", place, view)
        except psycopg.Error as error:
            log.warning("%s: old releases stay a while: %s", place, _first_line(error))


def _one(connection: Connection, query: Any, parameters: Sequence[object] = ()) -> Any:
    row = connection.execute(query, parameters).fetchone()
    return row[0] if row else None


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0].removeprefix("ERROR: ").rstrip(".")
