"""Statistics Sweden's PxWeb API v2 (json-stat2): the configured tables, every selection spelt out.

A call without a selection silently answers with a default subset, so each selection is resolved against the table's
metadata first and sent code by code, in parts below the cell limit, and the answer must have exactly the asked cells.
A snapshot is one landing file, an answer a line. A figure's vintage is the day on which the source says it updated the
table. Source: Statistics Sweden (SCB), CC0.
"""

import math
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from hogland_pipeline.sources.indicators import (
    INDICATOR_VALUE_SCHEMA,
    TOTAL,
    Answer,
    MalformedAnswer,
    as_lines,
    json_object,
    read_lines,
)
from hogland_pipeline.sources.json_stat import Cube, category_codes, read_cube, value_status
from sensors_ingest import http
from sensors_ingest.landing import LandedFile, Landing

CELL_LIMIT: Final = 150_000
SECONDS_PER_CALL: Final = 10 / 30

Selection = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Table:
    """A table with what is read of it.

    ``selection`` has the wanted codes by variable, or ``*`` (all) or ``from(code)``; a variable that is left out is
    summed over by the source. ``units`` registers the unit of each contents code. Only time, region and contents may
    have several codes.
    """

    id: str
    selection: Selection
    units: Mapping[str, str]


@dataclass(frozen=True)
class ScbPxWeb:
    """The configured ``tables``, in a folder of saved answers (``<table>-1.json``) or at the API's address."""

    origin: http.Origin
    tables: tuple[Table, ...]
    name: str = "scb"
    cell_limit: int = CELL_LIMIT
    seconds_per_call: float = SECONDS_PER_CALL
    decoder_version: str = "1"

    def fetch(self, landing: Landing, days: Sequence[date] = ()) -> list[LandedFile]:
        """Land one snapshot. Raises ``SourceUnreachable``; then nothing lands."""
        match self.origin:
            case http.Folder():
                folder = http.folder_path(self.name, self.origin)
                answers = [Answer(path.name, path.read_text("utf-8-sig")) for path in sorted(folder.glob("*.json"))]
                address = folder.name
            case http.HttpOrigin():
                answers = list(self._ask(self.origin))
                address = http.without_secrets(self.origin.url)
        if not answers:
            raise http.SourceUnreachable(self.name, address, "there are no answers of the API")
        return [landing.write(self.name, as_lines(answers), address=address, suffix="ndjson")]

    def decode(self, landing: Landing, files: Iterable[LandedFile]) -> Iterator[pa.RecordBatch]:
        """Figures as ``INDICATOR_VALUE_SCHEMA``, rejects among them. Raises ``MalformedAnswer``."""
        tables = {table.id: table for table in self.tables}
        for file in files:
            for number, answer in read_lines(landing.read(file)):
                table = tables.get(re.split(r"[-.]", answer.address)[0])
                if table is None:
                    raise MalformedAnswer(answer.address, "its name is that of no configured table")
                cube = read_cube(answer.address, json_object(answer))
                figures = _figures(self.name, file, number, table, answer.address, cube)
                if not landing.is_still_sent(file):
                    # An older snapshot was judged by the units of its day, and is not by those of today.
                    figures = figures.filter(pc.is_null(figures["reject_reason"]))
                yield from figures.to_batches()

    def _ask(self, origin: http.HttpOrigin) -> Iterator[Answer]:
        with http.open_session(origin.token) as session:
            for table in self.tables:
                url = f"{origin.url.rstrip('/')}/tables/{table.id}"
                asked = {"lang": "sv", "outputFormat": "json-stat2"}
                wanted = self._resolved(table, self._get(session, f"{url}/metadata", asked))
                for number, part in enumerate(parts(wanted, self.cell_limit), start=1):
                    codes = {f"valueCodes[{variable}]": ",".join(chosen) for variable, chosen in part.items()}
                    content = self._get(session, f"{url}/data", asked | codes)
                    self._check_asked(url, part, content)
                    yield Answer(f"{table.id}-{number}.json", content.body)

    def _get(self, session: http.HttpSession, url: str, params: Mapping[str, str]) -> Answer:
        time.sleep(self.seconds_per_call)
        with http.get(session, self.name, url, params=params) as answer:
            return Answer(url, b"".join(http.body(answer)).decode("utf-8", errors="replace"))

    def _resolved(self, table: Table, metadata: Answer) -> dict[str, list[str]]:
        """The selection in codes that the table has."""
        try:
            content = json_object(metadata)
            known = {name: category_codes(content["dimension"][name]["category"]["index"]) for name in content["id"]}
        except (MalformedAnswer, KeyError, TypeError) as error:
            raise http.SourceUnreachable(self.name, metadata.address, f"its metadata is unreadable ({error})") from None
        resolved = {}
        for variable, wanted in table.selection.items():
            if variable not in known:
                raise http.SourceUnreachable(self.name, metadata.address, f"it has no variable {variable}")
            codes = [code for expression in wanted for code in _matching(expression, known[variable])]
            if not codes or not set(codes) <= set(known[variable]):
                absent = sorted(set(codes) - set(known[variable])) or list(wanted)
                reason = f"variable {variable} has no {', '.join(absent)}"
                raise http.SourceUnreachable(self.name, metadata.address, reason)
            resolved[variable] = codes
        return resolved

    def _check_asked(self, url: str, part: Selection, answer: Answer) -> None:
        """An answer with other cells than asked for is a default subset, or cut off."""
        try:
            cube = read_cube(url, json_object(answer))
        except MalformedAnswer as error:
            raise http.SourceUnreachable(self.name, http.without_secrets(url), error.reason) from None
        several = {name: set(codes) for name, codes in cube.codes.items() if name in part or len(codes) > 1}
        if several != {name: set(codes) for name, codes in part.items()}:
            raise http.SourceUnreachable(
                self.name, http.without_secrets(url), "the answer is not of the cells that were asked for"
            )


def parts(selection: Mapping[str, list[str]], cell_limit: int) -> Iterator[dict[str, list[str]]]:
    """The selection in pieces of at most ``cell_limit`` cells, cut along its longest variable."""
    if math.prod(map(len, selection.values())) <= cell_limit:
        yield dict(selection)
        return
    longest = max(selection, key=lambda variable: len(selection[variable]))
    codes = selection[longest]
    for half in (codes[: len(codes) // 2], codes[len(codes) // 2 :]):
        yield from parts({**selection, longest: half}, cell_limit)


def _matching(expression: str, known: Sequence[str]) -> list[str]:
    if expression == "*":
        return list(known)
    start = re.fullmatch(r"from\((.+)\)", expression)
    if start:
        return [code for code in known if code >= start[1]]
    return [expression]


def _figures(source: str, file: LandedFile, line: int, table: Table, address: str, cube: Cube) -> pa.Table:
    missing = [role for role in ("time", "geo", "metric") if role not in cube.roles]
    if missing:
        raise MalformedAnswer(address, f"no dimension has the role {', '.join(missing)}")
    time_of, area, contents = (cube.roles[role] for role in ("time", "geo", "metric"))
    several = [name for name, codes in cube.codes.items() if name not in cube.roles.values() and len(codes) > 1]
    if several:
        raise MalformedAnswer(address, f"variable {several[0]} has several codes and would be mixed up")
    if not cube.updated:
        raise MalformedAnswer(address, "it does not say when it was updated")
    updated = pl.lit(cube.updated).str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)
    unit = pl.col(contents).replace_strict(cube.units, default=None, return_dtype=pl.String)
    registered = pl.col(contents).replace_strict(table.units, default=None, return_dtype=pl.String)
    figures = cube.cells.select(
        pl.lit(source).alias("source"),
        pl.format("{}.{}", pl.lit(table.id), pl.col(contents)).alias("series_id"),
        _area_id(pl.col(area)).alias("area_id"),
        pl.col(time_of).alias("period"),
        pl.lit(TOTAL).alias("breakdown"),
        # "-" says that there is nothing of it: a zero that was counted.
        pl.when(pl.col("value").is_null() & (pl.col("symbol") == "-")).then(0.0).otherwise("value").alias("value"),
        value_status(),
        unit.alias("unit"),
        updated.dt.convert_time_zone("Europe/Stockholm").dt.to_string("%Y-%m-%d").alias("vintage"),
        updated.alias("released_at"),
        pl.lit(file.received_at).alias("received_at"),
        pl.lit(file.landing_id).alias("landing_id"),
        pl.lit(line, pl.Int64).alias("landing_row"),
        pl.when(unit.is_null() | registered.is_null() | (unit != registered))
        .then(
            pl.format("the unit is '{}' and not '{}' as registered", unit.fill_null(""), registered.fill_null("none"))
        )
        .alias("reject_reason"),
        pl.concat_str(area, time_of, contents, "value", "symbol", separator=" ", ignore_nulls=True).alias("told"),
    )
    told = pl.when(pl.col("reject_reason").is_not_null()).then(pl.col("told")).alias("source_row")
    return figures.with_columns(told).select(INDICATOR_VALUE_SCHEMA.names).to_arrow().cast(INDICATOR_VALUE_SCHEMA)


def _area_id(region: pl.Expr) -> pl.Expr:
    """Statistics Sweden says 00 for the country and two digits for a county; here they are 0000 and 00LL."""
    return pl.when(region.str.len_chars() == 2).then(pl.lit("00") + region).otherwise(region)
