"""Schemas, tables, views, rights and row policies of the PostgreSQL target, and how they follow the contracts."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from hogland_pipeline.publish_settings import PostgresSettings
from hogland_pipeline.targets import postgres_transactions

TYPES = {
    "BOOLEAN": "boolean",
    "TINYINT": "smallint",
    "SMALLINT": "smallint",
    "INTEGER": "integer",
    "BIGINT": "bigint",
    "FLOAT": "real",
    "DOUBLE": "double precision",
    "VARCHAR": "text",
    "DATE": "date",
    "TIMESTAMP": "timestamp without time zone",
    "TIMESTAMP WITH TIME ZONE": "timestamp with time zone",
}

Connection = psycopg.Connection[TupleRow]


@dataclass(frozen=True)
class Table:
    """A published table: columns with their DuckDB type and comment, and the columns that find a row."""

    name: str
    row_count: int
    columns: Sequence[tuple[str, str, str | None]]
    key: Sequence[str] = ()
    comment: str | None = None


def postgres_type(duckdb_type: str) -> str:
    """The type in PostgreSQL of a type that publications may have."""
    return TYPES.get(duckdb_type) or duckdb_type.replace("DECIMAL", "numeric")


def name_of(table: str, number: int) -> str:
    """The name of one release of a table."""
    return f"{table}__r{number}"


def column_definitions(table: Table) -> sql.Composed:
    """Columns for CREATE TABLE."""
    return sql.SQL(", ").join(
        sql.SQL("{} " + postgres_type(kind)).format(sql.Identifier(name)) for name, kind, _ in table.columns
    )


class Structure:
    """What there is in the database. Methods expect a connection that commits by itself, or an open transaction."""

    def __init__(self, settings: PostgresSettings) -> None:
        self.settings = settings
        self.views = settings.marts_schema
        self.releases = f"{settings.marts_schema}__releases"
        self.next = f"{settings.marts_schema}__next"

    def is_there(self, connection: Connection) -> bool:
        """Whether anything was ever published here."""
        [row] = connection.execute("SELECT to_regclass(%s) IS NOT NULL", [f"{self.releases}.release"]).fetchall()
        return bool(row[0])

    def ensure_schemas(self, connection: Connection) -> None:
        """The schemas and the record of releases; throws away what an interrupted publication left."""
        self._run(connection, "DROP SCHEMA IF EXISTS {next} CASCADE")
        self._run(connection, "CREATE SCHEMA {next}")
        self._run(connection, "CREATE SCHEMA IF NOT EXISTS {views}")
        self._run(connection, "CREATE SCHEMA IF NOT EXISTS {releases}")
        self._run(
            connection,
            """
            CREATE TABLE IF NOT EXISTS {releases}.release (
                release_number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                release_id text NOT NULL UNIQUE,
                prepared_at timestamptz NOT NULL,
                shown_at timestamptz,
                is_whole boolean NOT NULL DEFAULT true,
                held_by text[]
            )
            """,
        )
        self._run(
            connection,
            """
            CREATE TABLE IF NOT EXISTS {releases}.current_release (
                is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
                release_number integer NOT NULL REFERENCES {releases}.release
            )
            """,
        )
        for role in self.settings.roles:
            self._run(connection, "GRANT USAGE ON SCHEMA {views}, {releases} TO {role}", role=role)
            self._run(connection, "GRANT SELECT ON {releases}.release, {releases}.current_release TO {role}", role=role)
        rows = self._run(connection, "SELECT release_number FROM {releases}.release WHERE shown_at IS NULL")
        self._drop_parts(connection, {number for (number,) in rows})

    def number_of(self, connection: Connection, release_id: str) -> int:
        """The number of a release that is about to be loaded; a fresh one, whatever earlier attempts left."""
        self._run(connection, "UPDATE {releases}.release SET release_id = release_id || ' (attempt ' || release_number "
                              "|| ')' WHERE release_id = %s", [release_id])  # fmt: skip
        rows = self._run(
            connection,
            "INSERT INTO {releases}.release (release_id, prepared_at) VALUES (%s, now()) RETURNING release_number",
            [release_id],
        )
        return int(rows[0][0])

    def current(self, connection: Connection) -> str | None:
        """The release that readers see."""
        rows = self._run(
            connection,
            "SELECT release_id FROM {releases}.release JOIN {releases}.current_release USING (release_number)",
        )
        return str(rows[0][0]) if rows else None

    def kept(self, connection: Connection) -> list[str]:
        """Releases whose tables are still there, oldest first."""
        numbers = self._attached_numbers(connection)
        rows = self._run(
            connection,
            "SELECT release_number, release_id FROM {releases}.release "
            "WHERE is_whole AND shown_at IS NOT NULL ORDER BY shown_at",
        )
        return [str(release_id) for number, release_id in rows if number in numbers]

    def is_fit(self, connection: Connection, table: Table, tables: Collection[str]) -> bool:
        """Whether the stable table can take a release without a change of columns."""
        there = self._columns(connection, self.releases, table.name)
        return {name for name, _, _ in table.columns} <= set(there) and self._can_hold(connection, there, table, tables)

    def fit(self, connection: Connection, table: Table, tables: Collection[str]) -> None:
        """Make the stable table, its view, rights and policies match the contract."""
        there = self._columns(connection, self.releases, table.name)
        if there and not self._can_hold(connection, there, table, tables):
            self._set_aside(connection, table.name, tables)
            there = {}
        if not there:
            self._create(connection, table)
        elif added := [column for column in table.columns if column[0] not in there]:
            self._add_columns(
                connection, self.releases, table.name, {name: postgres_type(kind) for name, kind, _ in added}
            )
            self._replace_view(connection, table.name)
        self._describe(connection, table)
        self._grant(connection, table)
        self._set_policies(connection, table)

    def attach(self, connection: Connection, table: str, number: int) -> None:
        """Make a loaded release of a table part of it, unless it is. Readers are not held up: their lock allows it.

        Columns that this release does not have (an older one, loaded for a roll-back) are null in it.
        """
        part = name_of(table, number)
        has = self._columns(connection, self.next, part)
        if not has:
            return
        lacking = {
            name: kind for name, kind in self._columns(connection, self.releases, table).items() if name not in has
        }
        self._add_columns(connection, self.next, part, lacking)
        self._run(connection, "ALTER TABLE {next}.{part} SET SCHEMA {releases}", part=part)
        self._run(
            connection,
            "ALTER TABLE {releases}.{table} ATTACH PARTITION {releases}.{part} FOR VALUES IN ("
            + str(int(number))
            + ")",
            table=table,
            part=part,
        )

    def point_at(self, connection: Connection, release_id: str) -> None:
        """Show a release: one row changes."""
        rows = self._run(
            connection,
            "UPDATE {releases}.release SET shown_at = now(), is_whole = true, held_by = NULL WHERE release_id = %s "
            "RETURNING release_number",
            [release_id],
        )
        self._run(
            connection,
            "INSERT INTO {releases}.current_release (release_number) VALUES (%s) "
            "ON CONFLICT (is_only) DO UPDATE SET release_number = excluded.release_number",
            [rows[0][0]],
        )

    def retire(self, connection: Connection, keep: int) -> None:
        """Drop tables of releases beyond the newest ``keep`` that nobody can be reading, each by itself.

        A transaction that began before a release was superseded may still turn to it (repeatable read), also to tables
        it has not touched yet; every running transaction shows in ``pg_locks`` as a virtual one.
        """
        self._run(connection, "DROP SCHEMA IF EXISTS {next} CASCADE")
        self._run(
            connection,
            """
            UPDATE {releases}.release SET held_by = ARRAY({running})
            WHERE held_by IS NULL AND release_number NOT IN (SELECT release_number FROM {releases}.current_release)
            """,
            running=postgres_transactions.RUNNING,
        )
        rows = self._run(
            connection,
            """
            WITH newest AS (
                SELECT release_number FROM {releases}.release
                LEFT JOIN {releases}.current_release USING (release_number)
                WHERE shown_at IS NOT NULL ORDER BY is_only DESC NULLS LAST, shown_at DESC LIMIT %s
            )
            SELECT release_number FROM {releases}.release
            WHERE held_by IS NULL OR held_by && ARRAY({running}) OR release_number IN (SELECT * FROM newest)
            """,
            [keep],
            running=postgres_transactions.RUNNING,
        )
        self._drop_parts(connection, self._attached_numbers(connection) - {number for (number,) in rows})

    def withdraw(self, connection: Connection, tables: Collection[str]) -> Iterator[str]:
        """Drop views of marts that are published no more; yields the names of those that others build on."""
        for (view,) in self._run(connection, "SELECT viewname FROM pg_views WHERE schemaname = %s", [self.views]):
            if view not in tables:
                try:
                    self._run(connection, "DROP VIEW {views}.{view}", view=view)
                    self._run(connection, "DROP TABLE {releases}.{view}", view=view)
                except psycopg.errors.DependentObjectsStillExist:
                    yield view

    def _create(self, connection: Connection, table: Table) -> None:
        connection.execute(
            sql.SQL("CREATE TABLE {} ({}, release_number integer NOT NULL) PARTITION BY LIST (release_number)").format(
                sql.Identifier(self.releases, table.name), column_definitions(table)
            )
        )
        self._replace_view(connection, table.name)

    def _replace_view(self, connection: Connection, table: str) -> None:
        """The columns it has come first, in their order: views of others stand on them."""
        first = list(self._columns(connection, self.views, table))
        columns = [name for name in self._columns(connection, self.releases, table) if name != "release_number"]
        ordered = sql.SQL(", ").join(map(sql.Identifier, [*first, *(name for name in columns if name not in first)]))
        self._run(
            connection,
            "CREATE OR REPLACE VIEW {views}.{table} WITH (security_invoker = true) AS SELECT {columns} "
            "FROM {releases}.{table} "
            "WHERE release_number = (SELECT c.release_number FROM {releases}.current_release AS c)",
            table=table,
            columns=ordered,
        )

    def _add_columns(self, connection: Connection, schema: str, table: str, columns: Mapping[str, str]) -> None:
        for name, kind in columns.items():
            self._run(connection, "ALTER TABLE {schema}.{table} ADD COLUMN {column} " + kind,
                      schema=schema, table=table, column=name)  # fmt: skip

    def _can_hold(
        self, connection: Connection, there: Mapping[str, str], table: Table, tables: Collection[str]
    ) -> bool:
        """Whether shared columns have kept their types, and no column left because a new version came."""
        now = {name: postgres_type(kind) for name, kind, _ in table.columns}
        is_retyped = any(now.get(name, kind) != kind for name, kind in there.items())
        is_narrower = bool(set(there) - set(now) - {"release_number"})
        return not is_retyped and not (is_narrower and self._heir(connection, table.name, tables))

    def _heir(self, connection: Connection, table: str, tables: Collection[str]) -> str | None:
        """The name under which the old version of a mart is published for the first time."""
        versions = sorted(name for name in tables if re.fullmatch(re.escape(table) + r"_v\d+", name))
        return next((name for name in versions if not self._columns(connection, self.views, name)), None)

    def _set_aside(self, connection: Connection, table: str, tables: Collection[str]) -> None:
        """A mart that broke its contract lives on under its old version's name, with all views that read it."""
        # Releases before cannot be shown again without loading them: their rows go with the old version.
        self._run(connection, "UPDATE {releases}.release SET is_whole = false")
        if heir := self._heir(connection, table, tables):
            self._run(connection, "ALTER VIEW {views}.{table} RENAME TO {heir}", table=table, heir=heir)
            self._run(connection, "ALTER TABLE {releases}.{table} RENAME TO {heir}", table=table, heir=heir)
        else:
            self._run(connection, "DROP VIEW {views}.{table}", table=table)
            self._run(connection, "DROP TABLE {releases}.{table}", table=table)

    def _describe(self, connection: Connection, table: Table) -> None:
        for kind, schema in (("VIEW", "{views}"), ("TABLE", "{releases}")):
            comment = sql.Literal(table.comment)
            self._run(
                connection, f"COMMENT ON {kind} {schema}.{{table}} IS {{comment}}", table=table.name, comment=comment
            )
        for name, _, description in table.columns:
            self._run(connection, "COMMENT ON COLUMN {views}.{table}.{column} IS {comment}",
                      table=table.name, column=name, comment=sql.Literal(description))  # fmt: skip

    def _grant(self, connection: Connection, table: Table) -> None:
        for role in self.settings.roles:
            verb, word = ("GRANT", "TO") if self._may_read(role, table) else ("REVOKE", "FROM")
            self._run(connection, verb + " SELECT ON {views}.{table}, {releases}.{table} " + word + " {role}",
                      table=table.name, role=role)  # fmt: skip

    def _may_read(self, role: str, table: Table) -> bool:
        policy = self.settings.row_policies.get(role)
        names = [name for name, _, _ in table.columns]
        return policy is None or policy.column in names or table.name in policy.whole_marts

    def _set_policies(self, connection: Connection, table: Table) -> None:
        """Row policies by a name that holds their content, so that unchanged ones are left alone."""
        wanted = {name: (role, condition) for name, role, condition in self._policies(table)}
        rows = self._run(
            connection, "SELECT policyname FROM pg_policies WHERE schemaname = %s AND tablename = %s",
            [self.releases, table.name],
        )  # fmt: skip
        there = {row[0] for row in rows}
        for name in sorted(there - set(wanted)):
            self._run(connection, "DROP POLICY {policy} ON {releases}.{table}", policy=name, table=table.name)
        for name in sorted(set(wanted) - there):
            role, condition = wanted[name]
            self._run(connection, "CREATE POLICY {policy} ON {releases}.{table} FOR SELECT TO {role} "
                      "USING ({condition})",
                      policy=name, table=table.name, role=role, condition=condition)  # fmt: skip
        if bool(there) != bool(wanted):
            verb = "ENABLE" if wanted else "DISABLE"
            self._run(connection, "ALTER TABLE {releases}.{table} " + verb + " ROW LEVEL SECURITY", table=table.name)

    def _policies(self, table: Table) -> Iterator[tuple[str, str, sql.Composable]]:
        """Name, role and condition of every policy of a table; none when no role is restricted on it."""
        restricted = {
            role: policy
            for role, policy in self.settings.row_policies.items()
            if any(policy.column == name for name, _, _ in table.columns) and table.name not in policy.whole_marts
        }
        if not restricted:
            return
        for role in self.settings.roles:
            if role in restricted:
                values = sql.SQL(", ").join(map(sql.Literal, restricted[role].values))
                column = sql.Identifier(restricted[role].column)
                condition: sql.Composable = sql.SQL("{}::text IN ({})").format(column, values)
                content = [restricted[role].column, *restricted[role].values]
            elif self._may_read(role, table):
                condition, content = sql.SQL("true"), []
            else:
                continue
            digest = hashlib.sha256(json.dumps([role, content]).encode()).hexdigest()[:8]
            yield f"{role}_{digest}", role, condition

    def _columns(self, connection: Connection, schema: str, table: str) -> dict[str, str]:
        rows = connection.execute(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
            "WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            [f'"{schema}"."{table}"'],
        ).fetchall()
        return dict(rows)

    def _parts(self, connection: Connection) -> list[tuple[str, int]]:
        """Table and release number of every partition."""
        rows = self._run(
            connection,
            "SELECT parent.relname, part.relname FROM pg_inherits "
            "JOIN pg_class AS parent ON parent.oid = inhparent JOIN pg_class AS part ON part.oid = inhrelid "
            "WHERE parent.relnamespace = to_regnamespace(%s) ORDER BY part.oid",
            [self.releases],
        )
        # A table that was renamed keeps the names of its parts.
        return [(part.rpartition("__r")[0], int(part.rpartition("__r")[2])) for _, part in rows]

    def _drop_parts(self, connection: Connection, numbers: Collection[int]) -> None:
        for table, number in self._parts(connection):
            if number in numbers:
                # Held by a reader of the stable table: another night.
                with suppress(psycopg.errors.LockNotAvailable):
                    self._run(connection, "DROP TABLE {releases}.{part}", part=name_of(table, number))

    def _attached_numbers(self, connection: Connection) -> set[int]:
        return {number for _, number in self._parts(connection)}

    def _run(
        self,
        connection: Connection,
        query: str,
        parameters: Sequence[object] | None = None,
        **names: str | sql.Composable,
    ) -> list[TupleRow]:
        """Run a query with its names quoted; values that are composed already stay as they are."""
        known: dict[str, Any] = {"views": self.views, "releases": self.releases, "next": self.next} | names
        parts = {name: sql.Identifier(part) if isinstance(part, str) else part for name, part in known.items()}
        cursor = connection.execute(sql.SQL(query).format(**parts), parameters)
        return cursor.fetchall() if cursor.description else []
