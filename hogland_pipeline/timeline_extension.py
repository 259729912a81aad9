"""Extend the timelines of the newest release by a candidate's marts; the work follows what changed (see `timeline`).

A mart whose fingerprint is that of the release before is linked and not read, but for what a condition on its rows asks
(a tenth of a second for ten million). Of the others rows are compared by their hash, floating point numbers to twelve
digits: the sixteenth digit of a sum is no news. How often a row occurs counts.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from hogland_pipeline.contracts import ALL_ROWS, MartContract
from hogland_pipeline.release_tables import Column, WrittenTable, parquet_path, release_files, to_twelve_digits
from hogland_pipeline.releases import DATABASE_NAME, PublicationFailed
from hogland_pipeline.timeline import (
    CURRENT_NAME,
    PUBLISHED_FROM,
    PUBLISHED_UNTIL,
    TIMELINE_FOLDER,
    UNCHANGED_NAME,
    Form,
    Index,
    TimelineUnreadable,
    literal,
    quoted,
    read_index,
    timestamp,
    write_index,
)

# A file of past rows is filled up to this many before the next one begins: few files, and little is written twice.
SEGMENT_ROWS = 250_000

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Extension:
    """The files of a candidate's timelines, relative to it; the release they follow; a sentence for what is lost."""

    files: Sequence[str]
    follows: Path | None
    failures: Sequence[str]


def extend_timelines(
    candidate: Path,
    tables: Sequence[WrittenTable],
    contracts: Mapping[str, MartContract],
    published_at: datetime,
    before: Sequence[Path],
) -> Extension:
    """Write the candidate's timelines: those of the newest release ``before`` it, and what its marts changed.

    A timeline that cannot be read costs itself and not the night: its files are kept as an ended form, a new one
    begins with the candidate, and a sentence says so. Where the index of a release cannot be read, what that release
    changed is lost, and the one before it is followed. Raises ``PublicationFailed`` for a mart that has a column of
    the timeline's own name, and errors of DuckDB and the disk where nothing can be written.
    """
    folder = candidate / TIMELINE_FOLDER
    folder.mkdir()
    failures: list[str] = []
    follows, index = _followed(before, failures)
    rows = {table.name: (contracts.get(table.name) or MartContract(table.name)).timeline_rows for table in tables}
    with duckdb.connect(config={"temp_directory": str(candidate / "spill")}) as connection:
        connection.execute(f"ATTACH {literal(candidate / DATABASE_NAME)} AS hogland (READ_ONLY)")
        connection.execute("USE hogland")  # a condition on rows may name another mart
        work = _Extender(connection, folder, published_at, rows, failures)
        if follows:
            work.take_over(follows / TIMELINE_FOLDER, index, tables)
        for table in tables:
            work.extend(table)
    left_out = [mart for mart, condition in rows.items() if condition is None]
    write_index(candidate, replace(index, forms=work.forms, left_out=left_out))
    return Extension([f"{TIMELINE_FOLDER}/{name}" for name in release_files(folder)], follows, failures)


def _followed(before: Sequence[Path], failures: list[str]) -> tuple[Path | None, Index]:
    """The newest release whose index can be read, and that index; releases newer than it are lost."""
    lost: list[str] = []
    for release in before:
        try:
            if index := read_index(release):
                return release, replace(index, lost_releases=[*index.lost_releases, *lost])
        except TimelineUnreadable as unreadable:
            failures.append(f"{unreadable}: no day can be asked on which readers saw that release")
        lost.append(release.name)
    return None, Index({})


@dataclass
class _Extender:
    """A candidate's timeline folder while it is written; ``rows`` is the condition on each mart's rows, or None."""

    connection: duckdb.DuckDBPyConnection
    folder: Path
    at: datetime
    rows: Mapping[str, str | None]
    failures: list[str]
    forms: dict[str, Form] = field(default_factory=dict)

    def take_over(self, before: Path, index: Index, tables: Sequence[WrittenTable]) -> None:
        """Every form that may be kept, as it was; forms that do not go on get the name of an ended one."""
        columns = {table.name: {column.name: column.type for column in table.columns} for table in tables}
        for name, form in index.forms.items():
            rows = self.rows.get(form.mart, form.rows)
            if rows is None:
                log.warning("the timeline of %s leaves: its mart no longer has one", form.mart)
                continue
            goes_on = form.columns.items() <= columns.get(form.mart, {}).items()
            taken = name if form.published_until or goes_on else self._ended_name(form.mart)
            self.forms[taken] = form if taken == name else form.ended(self.at)
            self._take_files(before / name, taken, rows)

    def extend(self, table: WrittenTable) -> None:
        """Bring one mart's timeline to the candidate, or begin it."""
        form, rows = self.forms.get(table.name), self.rows[table.name]
        if rows is None:
            return
        if taken := {PUBLISHED_FROM, PUBLISHED_UNTIL} & {column.name for column in table.columns}:
            raise PublicationFailed(f"mart {table.name}: its timeline needs the name {min(taken)} for itself")
        if form:
            try:
                self._bring_up_to_date(table, form, rows)
            except duckdb.Error:
                files = sorted((self.folder / table.name).glob("*.parquet"))
                if not (unreadable := next(filter(None, map(self._unreadable, files)), None)):
                    raise
                form = None
                self._set_aside(table.name, unreadable)
        if form is None:
            self._begin(table, rows)
        columns = {column.name: column.type for column in table.columns}
        begun = form.published_from if form else self.at
        self.forms[table.name] = Form(table.name, begun, columns, rows, table.fingerprint)

    def _take_files(self, before: Path, name: str, rows: str) -> None:
        """By link where all of a file's rows may be kept, else those rows alone.

        What may be kept can change with what the condition asks of another mart. Where that cannot be told, the files
        stay if the condition has let them in before, and leave if it is a new one.
        """
        folder, form = self.folder / name, self.forms[name]
        folder.mkdir()
        for path in sorted(before.glob("*.parquet")):
            try:
                self._take_file(path, folder / path.name, rows)
            except duckdb.Error:
                if not (unreadable := self._unreadable(path, rows)):
                    raise
                if form.rows != rows:
                    shutil.rmtree(folder)
                    del self.forms[name]
                    self.failures.append(f"{name} leaves: which of its rows may be kept cannot be told ({unreadable})")
                    return
                _link(path, folder / path.name)
        if form.rows != rows:
            # Rows that may be kept from now on are found by comparing.
            self.forms[name] = replace(form, rows=rows, fingerprint="")

    def _take_file(self, path: Path, target: Path, rows: str) -> None:
        if rows == ALL_ROWS or not self._count(f"FROM {_parquet(path)} SELECT count(*) WHERE ({rows}) IS NOT TRUE"):
            _link(path, target)
        else:
            self._write(f"FROM {_parquet(path)} WHERE {rows}", target)

    def _begin(self, table: WrittenTable, rows: str) -> None:
        folder = self.folder / table.name
        folder.mkdir()
        if rows == ALL_ROWS:
            _link(parquet_path(self.folder.parent, table.name), folder / UNCHANGED_NAME)
            return
        names = ", ".join(quoted(column.name) for column in table.columns)
        self._write(f"FROM main.{table.name} {self._arriving(names)} WHERE {rows}", folder / CURRENT_NAME)

    def _bring_up_to_date(self, table: WrittenTable, form: Form, rows: str) -> None:
        if form.fingerprint == table.fingerprint:
            return
        folder = self.folder / table.name
        unchanged, current = folder / UNCHANGED_NAME, folder / CURRENT_NAME
        held_since = f"{timestamp(form.published_from)} AS {PUBLISHED_FROM}" if unchanged.exists() else PUBLISHED_FROM
        file = _parquet(unchanged if unchanged.exists() else current)
        names = ", ".join(quoted(column.name) for column in table.columns)
        row_hash = f"hash({', '.join(to_twelve_digits(column) for column in table.columns)}) AS row_hash"
        shown = f"(FROM main.{table.name} SELECT *, {row_hash} WHERE {rows})"
        aligned = f"(FROM {file} SELECT {_aligned(table.columns, form)}, {held_since})"
        held = f"(FROM {aligned} SELECT *, {row_hash})"
        has_grown = len(form.columns) < len(table.columns)
        if not self._compare(shown, held) and not has_grown:
            return
        self._sort_out(shown, held, names)
        self._write_past(table.name, names)
        untouched = f"FROM {held} ANTI JOIN (FROM difference WHERE gained < 0) USING (row_hash)"
        staying = f"{names}, {PUBLISHED_FROM}, NULL::TIMESTAMPTZ AS {PUBLISHED_UNTIL}"
        parts = (
            f"{untouched} SELECT {staying}",
            f"FROM touched SELECT {staying} WHERE NOT is_leaving",
            f"FROM arriving {self._arriving(names)}",
        )
        self._write(" UNION ALL ".join(parts), current)
        unchanged.unlink(missing_ok=True)

    def _compare(self, shown: str, held: str) -> bool:
        """The table ``difference``: how many more of each row the mart shows than its timeline; False for no row."""
        sides = (f"FROM {shown} SELECT row_hash, 1 AS side", f"FROM {held} SELECT row_hash, -1 AS side")
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE difference AS FROM ({' UNION ALL '.join(sides)})"
            " SELECT row_hash, sum(side)::BIGINT AS gained GROUP BY row_hash HAVING sum(side) <> 0"
        )
        return bool(self._count("FROM difference SELECT count(*)"))

    def _sort_out(self, shown: str, held: str, names: str) -> None:
        """The tables ``touched`` (rows held too often, and which of them leave) and ``arriving``.

        Of equal rows the one that was shown longest leaves first.
        """
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE touched AS FROM {held} JOIN difference USING (row_hash)"
            f" SELECT {names}, {PUBLISHED_FROM},"
            f" row_number() OVER (PARTITION BY row_hash ORDER BY {PUBLISHED_FROM}) <= -gained AS is_leaving"
            " WHERE gained < 0"
        )
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE arriving AS FROM {shown} JOIN difference USING (row_hash)"
            f" SELECT {names} WHERE gained > 0 QUALIFY row_number() OVER (PARTITION BY row_hash) <= gained"
        )

    def _write_past(self, mart: str, names: str) -> None:
        """Rows that leave go to the last file of past rows, or to a new one where that is full."""
        if not self._count("FROM touched SELECT count(*) WHERE is_leaving"):
            return
        rows = (
            f"FROM touched SELECT {names}, {PUBLISHED_FROM}, {timestamp(self.at)} AS {PUBLISHED_UNTIL} WHERE is_leaving"
        )
        segments = sorted((self.folder / mart).glob("past-*.parquet"))
        if segments and self._row_count(segments[-1]) < SEGMENT_ROWS:
            self._write(f"FROM {_parquet(segments[-1])} UNION ALL BY NAME {rows}", segments[-1])
        else:
            self._write(rows, self.folder / mart / f"past-{len(segments) + 1:04}.parquet")

    def _row_count(self, path: Path) -> int:
        return self._count(f"FROM parquet_file_metadata({literal(path)}) SELECT num_rows")

    def _count(self, query: str) -> int:
        [(rows,)] = self.connection.execute(query).fetchall()
        return int(rows)

    def _write(self, query: str, path: Path) -> None:
        """Aside and renamed: what is at ``path`` may be a link to a file of the release before."""
        aside = path.with_suffix(".next")
        try:
            self.connection.execute(f"COPY ({query}) TO {literal(aside)} (FORMAT parquet, COMPRESSION zstd)")
        except duckdb.Error:
            aside.unlink(missing_ok=True)
            raise
        aside.replace(path)

    def _arriving(self, names: str) -> str:
        return f"SELECT {names}, {timestamp(self.at)} AS {PUBLISHED_FROM}, NULL::TIMESTAMPTZ AS {PUBLISHED_UNTIL}"

    def _unreadable(self, path: Path, rows: str = ALL_ROWS) -> str | None:
        """Why a file cannot be read to its end, or not with this condition; None where it can."""
        try:
            self.connection.execute(f"FROM {_parquet(path)} SELECT sum(hash(COLUMNS(*)) % 2) WHERE {rows}").fetchall()
        except duckdb.Error as error:
            return (
                f"{TIMELINE_FOLDER}/{path.parent.name}/{path.name} cannot be read ({str(error).partition(chr(10))[0]})"
            )
        return None

    def _set_aside(self, mart: str, reason: str) -> None:
        name = self._ended_name(mart)
        (self.folder / mart).rename(self.folder / name)
        self.forms[name] = self.forms.pop(mart).ended(self.at)
        self.failures.append(f"{reason}: its files are kept as {name}, and the timeline of {mart} begins anew")

    def _ended_name(self, mart: str) -> str:
        return f"{mart}.until-{self.at.astimezone(UTC):%Y%m%dT%H%M%S%fZ}"


def _aligned(columns: Sequence[Column], form: Form) -> str:
    """The mart's columns as the timeline holds them: null where one was added since."""
    return ", ".join(
        quoted(column.name) if column.name in form.columns else f"NULL::{column.type} AS {quoted(column.name)}"
        for column in columns
    )


def _parquet(path: Path) -> str:
    return f"read_parquet({literal(path)})"


def _link(path: Path, target: Path) -> None:
    """A copy where the disk knows no hard links."""
    try:
        os.link(path, target)
    except OSError:
        shutil.copyfile(path, target)
