"""Bring one mart's timeline to a release: compare rows, and write those that came and those that left.

Of a large mart that has periods only those are read whose fingerprint differs from the release before. Rows are
compared by their hash (`columns.row_hash`); how often a row occurs counts.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain, count
from pathlib import Path

import duckdb

from hogland_pipeline.columns import Column, literal, quoted, row_hash
from hogland_pipeline.contracts import ALL_ROWS
from hogland_pipeline.release_tables import WrittenTable
from hogland_pipeline.timeline import (
    PUBLISHED_FROM,
    PUBLISHED_UNTIL,
    UNCHANGED_NAME,
    Form,
    current_files,
    file_number,
    in_periods,
    past_files,
    timestamp,
)

# A file is filled up to this many rows (two row groups) before the next one begins: few files, and little is written
# twice. A mart of fewer rows is compared and moved whole.
SEGMENT_ROWS = 245_760


@dataclass(frozen=True)
class MartTimeline:
    """The files of one mart's timeline in a candidate; ``at`` is when the candidate is published."""

    connection: duckdb.DuckDBPyConnection
    folder: Path
    at: datetime

    def follow(self, table: WrittenTable, form: Form) -> Form:
        """Bring the files from the ``form`` of the release before to the candidate's table.

        A mart with the fingerprint of the release before is not read, but for what the condition on its rows asks: rows
        that it lets in for another mart's sake are found by counting. Raises errors of DuckDB; then no file is changed.
        """
        periods = [] if form.fingerprint == table.fingerprint else _differing_periods(table, form)
        if periods is not None and self._differs_elsewhere(table, form, periods):
            periods = None
        return form if periods == [] else self._bring_up_to_date(table, form, periods)

    def _differs_elsewhere(self, table: WrittenTable, form: Form, periods: Collection[str]) -> bool:
        """Whether more rows of the other periods may be kept than are held; what is held is among them."""
        elsewhere = f"NOT {in_periods(table.period, periods)}" if periods else "true"
        condition = f"({form.rows}) AND {elsewhere}"
        is_whole = form.rows == ALL_ROWS and not periods
        shown = table.row_count if is_whole else self._count(f"main.{table.name}", condition)
        return shown != self._count(f"({self._held(form)})", elsewhere)

    def _bring_up_to_date(self, table: WrittenTable, form: Form, periods: Collection[str] | None) -> Form:
        """Compare the rows of these periods, None for all, and write what differs."""
        followed = brought_to(form, table)
        self._create_views(table, form)
        if not self._compare(table, periods) and followed.columns == form.columns:
            return followed
        moving = self._moving_periods(table, form)
        with self._files_set_aside() as aside:
            self._write_past(aside, table)
            left = self._write_current(aside, table, moving)
        if moving is None:
            left.append(UNCHANGED_NAME)
        for name in left:
            (self.folder / name).unlink(missing_ok=True)
        return replace(followed, moved_periods=[] if moving is None else [*form.moved_periods, *moving])

    def _create_views(self, table: WrittenTable, form: Form) -> None:
        """The rows that the mart shows and those that its timeline holds; of these also since when, and the file."""
        hashed = f"SELECT *, {row_hash(table.columns)} AS timeline_hash"
        aligned = f"SELECT {_aligned(table.columns, form)}, {PUBLISHED_FROM}, timeline_file"
        self._create("VIEW shown", f"FROM main.{table.name} {hashed} WHERE {form.rows}")
        self._create("VIEW held", f"FROM (FROM ({self._held(form)}) {aligned}) {hashed}")

    def _held(self, form: Form) -> str:
        parts = [
            f"FROM {parquet(path)} SELECT * EXCLUDE ({PUBLISHED_UNTIL}), {literal(path.name)} AS timeline_file"
            for path in current_files(self.folder)
        ]
        if (unchanged := self.folder / UNCHANGED_NAME).exists():
            since = f"{timestamp(form.published_from)} AS {PUBLISHED_FROM}, {literal(UNCHANGED_NAME)} AS timeline_file"
            parts.append(f"FROM {parquet(unchanged)} SELECT *, {since} WHERE {form.stays_unchanged}")
        return " UNION ALL BY NAME ".join(parts)

    def _compare(self, table: WrittenTable, periods: Collection[str] | None) -> bool:
        """Make tables of what differs; False for nothing.

        ``difference`` says how many more of each row the mart shows than its timeline. Rows that are held too often are
        in ``touched``: of equal ones those shown longest leave. Rows that are held too seldom are in ``arriving``.
        """
        within = "true" if periods is None else in_periods(table.period, periods)
        names = _names(table)
        sides = (
            f"FROM shown SELECT timeline_hash, 1 AS side WHERE {within}",
            f"FROM held SELECT timeline_hash, -1 WHERE {within}",
        )
        self._create(
            "TABLE difference",
            f"FROM ({' UNION ALL '.join(sides)})"
            " SELECT timeline_hash, sum(side)::BIGINT AS timeline_gained GROUP BY timeline_hash HAVING sum(side) <> 0",
        )
        self._create(
            "TABLE touched",
            f"FROM held JOIN difference USING (timeline_hash) SELECT {names}, {PUBLISHED_FROM}, timeline_file,"
            f" row_number() OVER (PARTITION BY timeline_hash ORDER BY {PUBLISHED_FROM}) <= -timeline_gained"
            f" AS timeline_leaves WHERE timeline_gained < 0 AND {within}",
        )
        self._create(
            "TABLE arriving",
            f"FROM shown JOIN difference USING (timeline_hash) SELECT {names} WHERE timeline_gained > 0 AND {within}"
            " QUALIFY row_number() OVER (PARTITION BY timeline_hash) <= timeline_gained",
        )
        return bool(self._count("difference"))

    def _moving_periods(self, table: WrittenTable, form: Form) -> Collection[str] | None:
        """The periods of which ``unchanged.parquet`` loses rows; None where it goes as a whole, or has gone."""
        unchanged = self.folder / UNCHANGED_NAME
        if not (unchanged.exists() and table.period) or self._count(parquet(unchanged)) < SEGMENT_ROWS:
            return None
        losing = self.connection.execute(
            f"FROM touched SELECT DISTINCT ({table.period})::VARCHAR"
            f" WHERE timeline_leaves AND timeline_file = {literal(UNCHANGED_NAME)}"
        ).fetchall()
        moving = [period for (period,) in losing]
        are_most = 2 * (len(form.moved_periods) + len(moving)) > len(table.periods)
        return None if moving and are_most else moving

    def _write_past(self, aside: Path, table: WrittenTable) -> None:
        if self._count("touched", "timeline_leaves"):
            until = f"{timestamp(self.at)} AS {PUBLISHED_UNTIL}"
            leaving = f"FROM touched SELECT {_names(table)}, {PUBLISHED_FROM}, {until} WHERE timeline_leaves"
            files = past_files(self.folder)
            last = self._with_room(files)
            self._append(aside, "past", files, [f"FROM {parquet(last)}", leaving] if last else [leaving], table.period)

    def _write_current(self, aside: Path, table: WrittenTable, moving: Collection[str] | None) -> list[str]:
        """Files that lose rows, without them; what arrives and what leaves ``unchanged.parquet`` after the last row.

        Returns the files that leave because little would stay in them: those rows go there too, or files would pile up.
        """
        names = _names(table)
        row = f"SELECT {names}, {PUBLISHED_FROM}, timeline_file"
        untouched = f"FROM held ANTI JOIN (FROM difference WHERE timeline_gained < 0) USING (timeline_hash) {row}"
        self._create("VIEW staying", f"{untouched} UNION ALL FROM touched {row} WHERE NOT timeline_leaves")
        files = current_files(self.folder)
        last = self._with_room(files)
        left = []
        losing = "FROM touched SELECT timeline_file, count(*) WHERE timeline_leaves GROUP BY timeline_file"
        for name, leaving in self.connection.execute(losing).fetchall():
            if name in (UNCHANGED_NAME, last and last.name):
                continue
            if 2 * (self._count(parquet(self.folder / name)) - leaving) < SEGMENT_ROWS:
                left.append(name)
            else:
                write_parquet(self.connection, _staying(table, name), aside / name)
        moved = "true" if moving is None else in_periods(table.period, moving) if moving else "false"
        since = f"{timestamp(self.at)} AS {PUBLISHED_FROM}, NULL::TIMESTAMPTZ AS {PUBLISHED_UNTIL}"
        rows = [f"{_staying(table, UNCHANGED_NAME)} AND {moved}", f"FROM arriving SELECT {names}, {since}"]
        rows += [_staying(table, name) for name in ([last.name, *left] if last else left)]
        self._append(aside, "current", files, rows, table.period)
        return left

    def _with_room(self, files: Sequence[Path]) -> Path | None:
        """The last file, which is written anew with what follows, unless it is full."""
        return files[-1] if files and self._count(parquet(files[-1])) < SEGMENT_ROWS else None

    def _append(self, aside: Path, kind: str, files: Sequence[Path], parts: Sequence[str], period: str) -> None:
        """Write rows as the files that follow, in place of the last one if that has room; in order of their period."""
        segments = aside / "segments"
        query = f"FROM ({' UNION ALL BY NAME '.join(parts)})" + (f" ORDER BY {period}" if period else "")
        write_parquet(self.connection, query, segments, "ROW_GROUPS_PER_FILE 2")
        last = self._with_room(files)
        taken = file_number(files[-1]) if files else 0
        written = sorted(segments.iterdir(), key=lambda path: int(path.stem.rpartition("_")[2]))
        following = (f"{kind}-{number:04}.parquet" for number in count(taken + 1))
        for path, name in zip(written, chain([last.name] if last else [], following), strict=False):
            path.replace(aside / name)
        segments.rmdir()

    @contextmanager
    def _files_set_aside(self) -> Iterator[Path]:
        """A folder whose files take their place when all of them are written; what is there may be a link."""
        aside = self.folder / "next"
        aside.mkdir()
        try:
            yield aside
            for path in sorted(aside.iterdir()):
                path.replace(self.folder / path.name)
        finally:
            shutil.rmtree(aside)

    def _create(self, what: str, query: str) -> None:
        self.connection.execute(f"CREATE OR REPLACE TEMP {what} AS {query}")

    def _count(self, relation: str, condition: str = "true") -> int:
        [(rows,)] = self.connection.execute(f"FROM {relation} SELECT count(*) WHERE {condition}").fetchall()
        return int(rows)


def brought_to(form: Form, table: WrittenTable) -> Form:
    """The form once its files are brought to the table; small marts are not told apart by period."""
    return replace(
        form,
        columns={column.name: column.type for column in table.columns},
        fingerprint=table.fingerprint,
        period=table.period,
        periods=table.periods if table.row_count >= SEGMENT_ROWS else {},
    )


def _differing_periods(table: WrittenTable, form: Form) -> Collection[str] | None:
    """The periods whose rows differ from the release before; None for all: it is most of them, or cannot be told.

    Fingerprints do not know the names of columns, only their order.
    """
    columns = [(column.name, column.type) for column in table.columns]
    if not form.periods or form.period != table.period or [*form.columns.items()] != columns:
        return None
    periods = form.periods.keys() | table.periods.keys()
    differing = [period for period in sorted(periods) if form.periods.get(period) != table.periods.get(period)]
    return differing if 0 < 2 * len(differing) <= len(periods) else None


def _names(table: WrittenTable) -> str:
    return ", ".join(quoted(column.name) for column in table.columns)


def _staying(table: WrittenTable, name: str) -> str:
    """What a file keeps."""
    shown = f"{_names(table)}, {PUBLISHED_FROM}, NULL::TIMESTAMPTZ AS {PUBLISHED_UNTIL}"
    return f"FROM staying SELECT {shown} WHERE timeline_file = {literal(name)}"


def _aligned(columns: Sequence[Column], form: Form) -> str:
    """The mart's columns as the timeline holds them: null where one was added since."""
    return ", ".join(
        quoted(column.name) if column.name in form.columns else f"NULL::{column.type} AS {quoted(column.name)}"
        for column in columns
    )


def write_parquet(connection: duckdb.DuckDBPyConnection, query: str, path: Path, options: str = "") -> None:
    """Write the rows of a query as one file, or as the files of a folder if the options say so."""
    further = f", {options}" if options else ""
    connection.execute(f"COPY ({query}) TO {literal(path)} (FORMAT parquet, COMPRESSION zstd{further})")


def parquet(path: Path) -> str:
    """A Parquet file as a relation in SQL."""
    return f"read_parquet({literal(path)})"
