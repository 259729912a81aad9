"""Delivered tables of flat readings: NDJSON or CSV files whose columns, units, times and sentinels are configured.

Files: ``*.ndjson`` or ``*.csv``, also ``.gz``. A date in the name (``delivery=2026-01-05.csv``) is the day of delivery;
a file without one is read whatever the day. Two shapes: with a quantity column each row is one value; without, every
configured quantity is a column of its own (an empty cell there is no reading). Times without an offset are local to the
configured ``timezone``, and refused where a change of the clock makes them ambiguous. The bulk path: whole lines go
through DuckDB, never a row through Python. A broken line is a reject with its line number.
"""

import csv
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final, Literal

import pyarrow as pa

from sensors_ingest import deliveries, http
from sensors_ingest.candidates import (
    BELIEVABLE,
    LONGEST_SOURCE_ROW,
    SAID,
    complete,
    fingerprint,
    has_offset,
    open_connection,
    quoted,
)
from sensors_ingest.landing import LandedFile, Landing
from sensors_ingest.lines import IS_NOT_BLANK, NOT_JSON, LineBatch, checked, has_broken, line_batches
from sensors_ingest.units import Scale

LONGEST_HEADER: Final = 1 << 16
DAY_IN_NAME: Final = re.compile(r"(\d{4}-\d\d-\d\d)")


@dataclass(frozen=True)
class Columns:
    """Which column of the files holds what. A time in several columns (date and time of day) is joined by a space."""

    sensor_id: str
    observed_at: tuple[str, ...]
    value: str | None = None
    quantity: str | None = None
    unit: str | None = None
    quality: str | None = None
    received_at: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if (self.value is None) != (self.quantity is None):
            raise ValueError("a value column needs a quantity column, and the other way round")
        if not self.observed_at:
            raise ValueError("observed_at needs a column")

    def names(self, scales: Sequence[Scale]) -> list[str]:
        """Every column that must be there, once."""
        single = (self.sensor_id, self.value, self.quantity, self.unit, self.quality)
        wide = [scale.said for scale in scales] if self.quantity is None else []
        return list(dict.fromkeys([*filter(None, single), *self.observed_at, *self.received_at, *wide]))


@dataclass(frozen=True)
class Tabular:
    """Files of one layout: ``scales`` says what each quantity (or column, see above) is, ``qualities`` what codes mean.

    ``delimiter`` and ``decimal`` are for CSV; ``timezone`` is that of times without an offset: ``Etc/GMT-1`` is Swedish
    normal time all year.
    """

    name: str
    origin: http.Folder
    form: Literal["ndjson", "csv"]
    columns: Columns
    scales: tuple[Scale, ...]
    qualities: Mapping[str, str] = field(default_factory=dict)
    timezone: str = "UTC"
    delimiter: str = ";"
    decimal: Literal[".", ","] = "."

    @property
    def decoder_version(self) -> str:
        """Changes when decoding or the layout does."""
        layout = (self.form, self.columns, self.scales, self.timezone, self.delimiter, self.decimal)
        return f"1-{fingerprint(*layout, sorted(self.qualities.items()))}"

    def fetch(self, landing: Landing, days: Sequence[date]) -> list[LandedFile]:
        """Land the files of ``days`` and those without a day. Raises ``SourceUnreachable``."""
        wanted = {None, *days}
        return [
            landing.write(self.name, deliveries.content(self.name, path), address=path.name, suffix=self.form, day=day)
            for day, path in self.delivered()
            if day in wanted
        ]

    def delivered(self) -> list[deliveries.Delivery]:
        """Every file of the folder. Raises ``SourceUnreachable``."""
        folder = http.folder_path(self.name, self.origin)
        endings = (f".{self.form}", f".{self.form}.gz")
        paths = sorted(path for path in folder.iterdir() if path.is_file() and path.name.endswith(endings))
        return [(_day_in(path), path) for path in paths]

    def decode(self, landing: Landing, files: Iterable[LandedFile]) -> Iterator[pa.RecordBatch]:
        """Candidate readings of ``files``, rejects among them (``READING_SCHEMA``). Never raises on their content."""
        with open_connection(self.scales) as connection:
            are_checked = False
            for file in files:
                header: list[str] | None = None
                for batch in line_batches(landing.chunks(file)):
                    lines = batch
                    if self.form == "csv" and header is None:
                        header, lines = _split_header(batch, self.delimiter)
                        if header is None:
                            continue
                    if fault := self._header_fault(header):
                        reject = _reject_of_file(fault, lines.first_row - 1)
                        yield from complete(connection, self.name, file, reject, {})
                        break
                    connection.register("line", lines.numbered())
                    said = self._said(header or [], are_checked=are_checked)
                    are_checked = False
                    for rows in complete(connection, self.name, file, said, self.qualities):
                        are_checked |= has_broken(rows["reject_reason"])
                        yield rows

    def _header_fault(self, header: list[str] | None) -> str | None:
        names = self.columns.names(self.scales) if header is not None else []
        found = Counter(header)
        if missing := [name for name in names if found[name] == 0]:
            return f"the header lacks {', '.join(missing)}"
        if repeated := [name for name in names if found[name] > 1]:
            return f"the header names {', '.join(repeated)} twice"
        return None

    def _said(self, header: list[str], *, are_checked: bool) -> str:
        cells = self._csv_cells(header) if self.form == "csv" else self._json_cells(are_checked=are_checked)
        times = {"observed": self.columns.observed_at, "received": self.columns.received_at}
        moments = ", ".join(f"{_joined(columns)} AS {name}_text" for name, columns in times.items())
        return _SAID.format(
            cells=cells,
            moments=moments,
            values=self._values(),
            observed_at=_moment("observed_text", self.timezone),
            received_at=_moment("received_text", self.timezone),
            observed_fault=_time_fault("observed_text", self.timezone),
        )

    def _csv_cells(self, header: list[str]) -> str:
        """SQL: the named cells of every line, and what is wrong with the line."""
        names = self.columns.names(self.scales)
        places = {name: header.index(name) + 1 for name in names}
        cells = ", ".join(
            f"nullif({_cell(place, is_last=place == len(header))}, '') AS {_column(name)}"
            for name, place in places.items()
        )
        return f"""
            SELECT landing_row, line, {cells},
                   CASE
                       WHEN cells IS NULL THEN 'a quotation mark is not closed, or before the end of its cell'
                       WHEN len(cells) <> {len(header)} THEN
                           len(cells) || ' cells where the header has {len(header)}'
                   END AS fault
            FROM ({_split(self.delimiter)})
        """  # noqa: S608 -- built of settings that are quoted

    def _json_cells(self, *, are_checked: bool) -> str:
        names = self.columns.names(self.scales)
        shape = quoted(json.dumps(dict.fromkeys(names, "VARCHAR"), ensure_ascii=False))
        cells = ", ".join(f"said.{_identifier(name)} AS {_column(name)}" for name in names)
        said = checked("line", f"try(json_transform(line, {shape}))", are_checked=are_checked)
        is_empty = " AND ".join(f"said.{_identifier(name)} IS NULL" for name in names)
        return f"""
            SELECT landing_row, line, {cells},
                   CASE
                       WHEN said IS NULL THEN
                           CASE WHEN json_valid(line) THEN 'line is not a JSON object' ELSE '{NOT_JSON}' END
                       WHEN json_type(CASE WHEN {is_empty} THEN line END) <> 'OBJECT' THEN 'line is not a JSON object'
                   END AS fault
            FROM (
                SELECT landing_row, line, {said} AS said
                FROM line WHERE {IS_NOT_BLANK}
            )
        """  # noqa: S608 -- built of settings that are quoted

    def _values(self) -> str:
        """SQL: one row a value, whichever of the two shapes the table has."""
        columns = self.columns
        unit = _column(columns.unit) if columns.unit else "NULL::VARCHAR"
        if columns.quantity is not None and columns.value is not None:
            value = self._number(_column(columns.value))
            said = f"{_column(columns.quantity)} AS quantity_said, {value} AS value_said"
            return f"SELECT *, {said}, {unit} AS unit_said, {self._codes()} FROM timed"  # noqa: S608 -- quoted
        each = ", ".join(
            f"{{'quantity_said': {quoted(scale.said)}, 'value_said': {self._number(_column(scale.said))}}}"
            for scale in self.scales
        )
        return f"""
            SELECT * FROM (
                SELECT *, unnest([{each}], recursive := true), {unit} AS unit_said, {self._codes()} FROM timed
            ) WHERE value_said IS NOT NULL AND fault IS NULL
            UNION ALL
            SELECT *, NULL, NULL, NULL, {self._codes()} FROM timed WHERE fault IS NOT NULL
        """  # noqa: S608 -- built of settings that are quoted

    def _codes(self) -> str:
        quality = _column(self.columns.quality) if self.columns.quality else "NULL::VARCHAR"
        return f"{quality} AS quality_said, {_column(self.columns.sensor_id)} AS sensor_id"

    def _number(self, column: str) -> str:
        """SQL: a number with a decimal point. Where the comma is decimal, a point may group digits: it is refused."""
        if self.form == "ndjson" or self.decimal == ".":
            return column
        refused = f"{column} || ' (with a point, where the comma is decimal)'"
        return f"CASE WHEN contains({column}, '.') THEN {refused} ELSE replace({column}, ',', '.') END"


_SAID: Final = """
    WITH cells AS ({cells}),
    timed AS (SELECT *, {moments} FROM cells),
    value AS ({values})
    SELECT landing_row, sensor_id, quantity_said, {observed_at} AS observed_at, value_said, unit_said, quality_said,
           {received_at} AS received_at, coalesce(fault, {observed_fault}) AS reject_reason,
           line AS source_row
    FROM value
"""


def _day_in(path: Path) -> date | None:
    found = DAY_IN_NAME.search(path.name)
    try:
        return date.fromisoformat(found[1]) if found else None
    except ValueError:
        return None


def _split_header(batch: LineBatch, delimiter: str) -> tuple[list[str] | None, LineBatch]:
    """The names in the first line that is not blank, and the lines below it."""
    for index, line in enumerate(batch.text):
        text = line.as_py().strip("\ufeff \t\r\n")
        if text:
            names = [name.strip() for name in next(csv.reader([text[:LONGEST_HEADER]], delimiter=delimiter))]
            return names, LineBatch(batch.first_row + index + 1, batch.text.slice(index + 1))
    return None, batch


def _reject_of_file(reason: str, row: int) -> str:
    known = {"landing_row": str(row), "reject_reason": quoted(reason[:LONGEST_SOURCE_ROW])}
    return "SELECT " + ", ".join(f"{known.get(name, 'NULL')}::{kind} AS {name}" for name, kind in SAID.items())


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _column(name: str) -> str:
    """SQL: a column of the file; the sign keeps it apart from our own."""
    return _identifier("=" + name)


def _cell(place: int, *, is_last: bool) -> str:
    """SQL: one cell; the last still has the line's end."""
    return f"rtrim(cells[{place}], E'\\r\\n')" if is_last else f"cells[{place}]"


def _split(delimiter: str) -> str:
    """SQL: every line that is not blank, as a list of cells; null when a quotation mark is not closed, or closes before
    the end of its cell (then the cells, put together again, are not the line).
    """
    mark, escaped = quoted(delimiter), re.escape(delimiter)
    pattern = quoted(f'{escaped}("(?:[^"]|"")*"|[^{escaped}]*)')
    is_open = """cell[1] = '"' AND (length(cell) = 1 OR cell[-1] <> '"')"""
    return f"""
        SELECT landing_row, line,
               CASE
                   WHEN NOT contains(line, '"') THEN string_split(line, {mark})
                   WHEN array_to_string(quoted, {mark}) = rtrim(line, E'\\r\\n')
                       AND len(list_filter(quoted, lambda cell: {is_open})) = 0 THEN list_transform(
                       quoted,
                       lambda cell: CASE
                           WHEN cell[1] = '"' THEN replace(substr(cell, 2, length(cell) - 2), '""', '"') ELSE cell
                       END
                   )
               END AS cells
        FROM (
            SELECT landing_row, line,
                   CASE WHEN contains(line, '"') AND (length(line) - length(replace(line, '"', ''))) % 2 = 0
                       THEN regexp_extract_all({mark} || rtrim(line, E'\\r\\n'), {pattern}, 1)
                   END AS quoted
            FROM line WHERE {IS_NOT_BLANK}
        )
    """  # noqa: S608 -- built of a setting that is quoted


def _joined(columns: Sequence[str]) -> str:
    return " || ' ' || ".join(map(_column, columns)) or "NULL::VARCHAR"


def _moment(text: str, timezone: str) -> str:
    """SQL: the instant of a text with an offset, or without one in ``timezone``."""
    if timezone == "UTC":
        return f"try_cast({text} AS TIMESTAMPTZ)"
    local = f"try(try_cast({text} AS TIMESTAMP) AT TIME ZONE {quoted(timezone)})"
    return f"CASE WHEN {has_offset(text)} THEN try_cast({text} AS TIMESTAMPTZ) ELSE {local} END"


def _time_fault(text: str, timezone: str) -> str:
    """SQL: why a local time is not one instant, or null."""
    if timezone == "UTC":
        return "NULL"
    zone, local = quoted(timezone), f"try_cast({text} AS TIMESTAMP)"
    instant = f"({local} AT TIME ZONE {zone})"
    return f"""
        try(CASE
            WHEN {has_offset(text)} OR NOT {local} {BELIEVABLE.replace("TIMESTAMPTZ", "TIMESTAMP")} THEN NULL
            WHEN {instant} AT TIME ZONE {zone} <> {local} THEN 'the clock skipped the local time ' || {text}
            WHEN ({instant} - INTERVAL 1 HOUR) AT TIME ZONE {zone} = {local}
              OR ({instant} + INTERVAL 1 HOUR) AT TIME ZONE {zone} = {local}
                THEN 'the clock showed the local time ' || {text} || ' twice'
        END)
    """
