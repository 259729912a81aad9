"""Extend the timelines of the newest release by a candidate's marts; the work follows what changed (see `timeline`)."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from hogland_pipeline.columns import literal
from hogland_pipeline.contracts import ALL_ROWS, MartContract
from hogland_pipeline.release_tables import WrittenTable, parquet_path, release_files
from hogland_pipeline.releases import DATABASE_NAME, PublicationFailed
from hogland_pipeline.timeline import (
    OWN_COLUMN,
    TIMELINE_FOLDER,
    UNCHANGED_NAME,
    Form,
    Index,
    TimelineUnreadable,
    past_files,
    read_index,
    write_index,
)
from hogland_pipeline.timeline_changes import MartTimeline, brought_to, parquet, write_parquet

# Ten million rows of which some differ everywhere are compared and sorted in 1.3 GB with it, in 2.5 without, as fast.
MEMORY_LIMIT = "1GB"

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
    the timeline's own names, and errors of DuckDB and the disk where nothing can be written.
    """
    folder = candidate / TIMELINE_FOLDER
    folder.mkdir()
    failures: list[str] = []
    follows, index = _followed(before, failures)
    rows = {table.name: (contracts.get(table.name) or MartContract(table.name)).timeline_rows for table in tables}
    spill = str(candidate / "spill")
    with duckdb.connect(config={"temp_directory": spill, "memory_limit": MEMORY_LIMIT}) as connection:
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
        known = {table.name: table for table in tables}
        for name, form in index.forms.items():
            rows = self.rows.get(form.mart, form.rows)
            if rows is None:
                log.warning("the timeline of %s leaves: its mart no longer has one", form.mart)
                continue
            stays = form.published_until or _goes_on(form, known.get(form.mart))
            taken = name if stays else self._ended_name(form.mart)
            self.forms[taken] = form if taken == name else form.ended(self.at)
            self._take_files(before / name, taken, rows)

    def extend(self, table: WrittenTable) -> None:
        """Bring one mart's timeline to the candidate, or begin it."""
        form, rows = self.forms.get(table.name), self.rows[table.name]
        if rows is None:
            return
        if taken := list(filter(OWN_COLUMN.fullmatch, (column.name for column in table.columns))):
            raise PublicationFailed(f"mart {table.name}: its timeline needs the name {taken[0]} for itself")
        if form:
            try:
                timeline = MartTimeline(self.connection, self.folder / table.name, self.at)
                self.forms[table.name] = timeline.follow(table, form)
                return
            except duckdb.Error:
                if not (damage := self._damage(self.folder / table.name)):
                    raise
                self._set_aside(table.name, damage)
        self._begin(table, rows)
        self.forms[table.name] = brought_to(Form(table.name, self.at, {}, rows, ""), table)

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
        self.forms[name] = replace(form, rows=rows)

    def _take_file(self, path: Path, target: Path, rows: str) -> None:
        if rows == ALL_ROWS or not self._count(f"FROM {parquet(path)} SELECT count(*) WHERE ({rows}) IS NOT TRUE"):
            _link(path, target)
        else:
            write_parquet(self.connection, f"FROM {parquet(path)} WHERE {rows}", target)

    def _begin(self, table: WrittenTable, rows: str) -> None:
        folder = self.folder / table.name
        folder.mkdir()
        if rows == ALL_ROWS:
            _link(parquet_path(self.folder.parent, table.name), folder / UNCHANGED_NAME)
            return
        write_parquet(self.connection, f"FROM main.{table.name} WHERE {rows}", folder / UNCHANGED_NAME)

    def _count(self, query: str) -> int:
        [(rows,)] = self.connection.execute(query).fetchall()
        return int(rows)

    def _damage(self, folder: Path) -> str | None:
        """Why the files of a timeline cannot be followed; None where they can."""
        files = sorted(folder.glob("*.parquet"))
        if files == past_files(folder):
            return f"the files of what was shown last are gone from {TIMELINE_FOLDER}/{folder.name}"
        return next(filter(None, map(self._unreadable, files)), None)

    def _unreadable(self, path: Path, rows: str = ALL_ROWS) -> str | None:
        """Why a file cannot be read to its end, or not with this condition; None where it can."""
        try:
            self.connection.execute(f"FROM {parquet(path)} SELECT sum(hash(COLUMNS(*)) % 2) WHERE {rows}").fetchall()
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


def _goes_on(form: Form, table: WrittenTable | None) -> bool:
    """Whether the table is of this form: it has its columns, and periods that moved are still told in the same way."""
    if table is None or (form.moved_periods and form.period != table.period):
        return False
    return form.columns.items() <= {column.name: column.type for column in table.columns}.items()


def _link(path: Path, target: Path) -> None:
    """A copy where the disk knows no hard links."""
    try:
        os.link(path, target)
    except OSError:
        shutil.copyfile(path, target)
