"""SMHI metobs: open hourly and daily observations of weather stations, no key.

``latest-months`` is JSON, ``corrected-archive`` CSV; they overlap by about a month and the archive wins
(``precedence`` 1). The same tree is read from the address (below ``/api/version/1.0/``) and from a folder. A
station that lacks a parameter or a period answers 404: routine. Times are UTC. A missing observation is
missing, never zero.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import product
from typing import Final

import duckdb
import polars as pl
import pyarrow as pa

from sensors_ingest import http
from sensors_ingest.candidates import FIRST_BELIEVABLE, FIRST_RECEIPT, LAST_BELIEVABLE, RECEIPT_AHEAD
from sensors_ingest.landing import LandedFile, Landing
from sensors_ingest.lines import line_batches
from sensors_ingest.readings import READING_SCHEMA

API_PATH: Final = "/api/version/1.0/"
# Period and its format, in the order they are fetched.
PERIODS: Final = (("latest-months", "json"), ("corrected-archive", "csv"))
ADDRESS_PATTERN: Final = re.compile(r"parameter/(\d+)/station/(\d+)/period/([a-z-]+)/data\.(json|csv)$")
HEADER_PATTERN: Final = r"^(Datum|Från Datum)"
QUALITIES: Final = {"G": "good", "Y": "suspect"}


@dataclass(frozen=True)
class Parameter:
    """What SMHI's parameter number means here: ``value = source value × factor`` in ``unit``."""

    quantity: str
    unit: str
    source_unit: str
    factor: float = 1.0


# Daily means and sums are dated by the start of their interval, hourly precipitation by the end of its hour.
PARAMETERS: Final = {
    1: Parameter("air_temperature", "degC", "degC"),
    2: Parameter("air_temperature_daily_mean", "degC", "degC"),
    5: Parameter("precipitation_daily", "mm", "mm"),
    6: Parameter("relative_humidity", "percent", "percent"),
    7: Parameter("precipitation_hourly", "mm", "mm"),
    8: Parameter("snow_depth", "cm", "m", factor=100.0),
}


@dataclass(frozen=True)
class Series:
    """One parameter of one station."""

    parameter: int
    station: int

    def __post_init__(self) -> None:
        if self.parameter not in PARAMETERS:
            known = ", ".join(map(str, PARAMETERS))
            raise ValueError(f"SMHI parameter {self.parameter} is not known here; known are {known}.")


@dataclass(frozen=True)
class Smhi:
    """The configured ``series`` of SMHI metobs; every fetch brings their whole windows, whatever the days."""

    name: str
    origin: http.Origin
    series: tuple[Series, ...]
    decoder_version: str = "1"

    def fetch(self, landing: Landing, days: Sequence[date] = ()) -> list[LandedFile]:
        """Land both periods of every series, those that exist. Raises ``SourceUnreachable``, also when none
        does.
        """
        match self.origin:
            case http.Folder():
                files = self._land_files(landing, self.origin)
            case http.HttpOrigin():
                files = self._land_answers(landing, self.origin)
        if not files:
            raise http.SourceUnreachable(self.name, self._address, "none of the configured series has any data")
        return files

    def decode(self, landing: Landing, files: Iterable[LandedFile]) -> Iterator[pa.RecordBatch]:
        """Candidate readings of ``files``, rejects among them (``READING_SCHEMA``). Never raises on their
        content.
        """
        for file in files:
            yield from _decode_file(self.name, landing, file).to_batches()

    @property
    def _address(self) -> str:
        match self.origin:
            case http.Folder(path):
                return str(path)
            case http.HttpOrigin(url=url):
                return http.without_secrets(url)

    def _paths(self) -> Iterator[tuple[str, str]]:
        """Path below the API's root and format of every file to fetch."""
        for series, (period, form) in product(self.series, PERIODS):
            yield f"parameter/{series.parameter}/station/{series.station}/period/{period}/data.{form}", form

    def _land_files(self, landing: Landing, origin: http.Folder) -> list[LandedFile]:
        folder = http.folder_path(self.name, origin)
        return [
            landing.write(self.name, [(folder / path).read_bytes()], address=path, suffix=form)
            for path, form in self._paths()
            if (folder / path).is_file()
        ]

    def _land_answers(self, landing: Landing, origin: http.HttpOrigin) -> list[LandedFile]:
        landed = []
        newest = {file.address: file for file in landing.sent_snapshot(self.name)}
        with http.open_session(origin.token) as session:
            for path, form in self._paths():
                url = origin.url.rstrip("/") + API_PATH + path
                address = http.without_secrets(url)
                earlier = newest.get(address)
                headers = http.if_changed(earlier.etag, earlier.source_time) if earlier else {}
                with http.get(session, self.name, url, headers=headers, expected=(304, 404)) as answer:
                    if answer.status_code == 304 and earlier:
                        landed.append(earlier)
                    elif answer.status_code == 200:
                        file = landing.write(
                            self.name,
                            http.body(answer),
                            address=address,
                            suffix=form,
                            source_time=http.last_modified(answer),
                            etag=answer.headers.get("ETag"),
                        )
                        landed.append(file)
        return landed


def _decode_file(feed: str, landing: Landing, file: LandedFile) -> pa.Table:
    match = ADDRESS_PATTERN.search(file.address)
    if match is None or int(match[1]) not in PARAMETERS:
        rows = _whole_file_reject("the address names no known parameter, station and period")
        return _complete(feed, file, rows, Parameter("", "", ""), "", 0)
    parameter, station, period, form = int(match[1]), match[2], match[3], match[4]
    rows = _json_rows(landing, file, station) if form == "json" else _csv_rows(landing, file, station)
    return _complete(feed, file, rows, PARAMETERS[parameter], station, int(period == "corrected-archive"))


# What both formats become before units and qualities: one row an observation, all as the source wrote it.
_RAW: Final[dict[str, pl.DataType]] = {
    "landing_row": pl.Int64(),
    "observed_at": pl.Datetime("us", "UTC"),
    "source_value": pl.String(),
    "source_quality": pl.String(),
    "received_at": pl.Datetime("us", "UTC"),
    "reject_reason": pl.String(),
    "source_row": pl.String(),
}


def _whole_file_reject(reason: str) -> pl.DataFrame:
    nothing = dict.fromkeys(_RAW, None)
    return pl.DataFrame([nothing | {"landing_row": 1, "reject_reason": reason}], schema=_RAW)


_JSON_SHAPE: Final = (
    '{"value":[{"date":"BIGINT","from":"BIGINT","value":"VARCHAR","quality":"VARCHAR"}],'
    '"updated":"BIGINT","station":{"key":"VARCHAR"}}'
)
_EXAMINE_JSON: Final = """
    SELECT is_json, json_type(body, '$.value'), json_extract_string(body, '$.station.key')
    FROM (SELECT json_valid($body) AS is_json, CASE WHEN json_valid($body) THEN $body END AS body)
"""
# Intervals start a second after the full hour (06:00:01): cut to the minute.
_READ_JSON: Final = """
    WITH document AS (
        SELECT json_transform($body, $shape) AS said,
               coalesce(try_cast(json_extract($body, '$.value') AS JSON[]), []) AS items
    ),
    item AS (
        SELECT generate_subscripts(items, 1) AS landing_row, unnest(items)::VARCHAR AS source_row,
               unnest(said.value) AS observation, said.updated AS updated
        FROM document
    )
    SELECT landing_row,
           try(make_timestamp_ms(coalesce(observation.date, observation."from") // 60000 * 60000)) AS
           observed_at, observation.value AS source_value, observation.quality AS source_quality,
           try(make_timestamp_ms(updated)) AS received_at, source_row FROM item WHERE source_row <> 'null'
           ORDER BY landing_row
"""


def _json_rows(landing: Landing, file: LandedFile, station: str) -> pl.DataFrame:
    body = landing.read(file).decode("utf-8-sig", errors="replace")
    with duckdb.connect() as connection:
        is_json, kind, key = connection.execute(_EXAMINE_JSON, {"body": body}).fetchall()[0]
        if not is_json or kind not in ("ARRAY", "NULL"):
            return _whole_file_reject("the file is not a JSON object with a list named value")
        if key not in (None, station):
            return _whole_file_reject(f"the file is of station {key}, not {station}")
        rows = connection.execute(_READ_JSON, {"body": body, "shape": _JSON_SHAPE}).to_arrow_table()
    return pl.DataFrame(rows).with_columns(pl.col("observed_at", "received_at").dt.replace_time_zone("UTC"))


def _csv_rows(landing: Landing, file: LandedFile, station: str) -> pl.DataFrame:
    lines = pl.concat(
        [pl.DataFrame({"line": pl.Series(batch.text)}) for batch in line_batches(landing.chunks(file))]
        or [pl.DataFrame({"line": []}, schema={"line": pl.String})]
    )
    lines = lines.with_columns(pl.col("line").str.strip_chars("\ufeff\r\n ")).with_row_index("landing_row", 1)
    header = lines.filter(pl.col("line").str.contains(HEADER_PATTERN)).head(1)
    if header.is_empty():
        return _whole_file_reject("no header line that starts with Datum or Från Datum")
    header_row, header_line = header.row(0)
    said = lines.filter(pl.col("landing_row") == 2)["line"].str.split(";").to_list()
    if header_row > 2 and said[0][1:2] != [station]:
        return _whole_file_reject(f"the file is of station {';'.join(said[0][1:2])}, not {station}")
    names = header_line.split(";")
    if "Kvalitet" not in names[2:]:
        return _whole_file_reject(f"the header has no column Kvalitet: {header_line}")
    return _csv_observations(lines.filter((pl.col("landing_row") > header_row) & (pl.col("line") != "")), names)


def _csv_observations(lines: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """The value stands before ``Kvalitet``; the time is one column (intervals: the start) or a date and a
    time column.
    """
    quality = names.index("Kvalitet")
    cells = pl.col("line").str.split(";")
    start = cells.list.get(0, null_on_oob=True)
    time = start if names[0].startswith("Från") else start + " " + cells.list.get(1, null_on_oob=True)
    observed_at = time.str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", time_zone="UTC", strict=False)
    return lines.select(
        pl.col("landing_row").cast(pl.Int64),
        observed_at.dt.truncate("1m").alias("observed_at"),
        cells.list.get(quality - 1, null_on_oob=True).alias("source_value"),
        cells.list.get(quality, null_on_oob=True).alias("source_quality"),
        pl.lit(None, _RAW["received_at"]).alias("received_at"),
        pl.col("line").alias("source_row"),
    )


def _complete(
    feed: str, file: LandedFile, rows: pl.DataFrame, parameter: Parameter, station: str, precedence: int
) -> pa.Table:
    """Units, qualities and rejects: the part that both formats share."""
    said = pl.col("source_value").str.strip_chars()
    number = said.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
    scaled = (number * parameter.factor).round(6)
    is_believable = pl.col("observed_at").is_between(FIRST_BELIEVABLE, LAST_BELIEVABLE)
    is_receipt = pl.col("received_at").is_between(FIRST_RECEIPT, file.fetched_at + RECEIPT_AHEAD)
    missing = pl.lit(None, pl.String)
    found = pl.col("reject_reason") if "reject_reason" in rows.columns else missing
    reason = (
        pl.when(found.is_not_null())
        .then(found)
        .when(~is_believable.fill_null(False))
        .then(pl.lit("the time cannot be read"))
        .when(said.fill_null("") == "")
        .then(pl.lit("no value"))
        .when(number.is_null() | ~scaled.is_finite())
        .then(pl.lit("value ") + said + pl.lit(" is not a number"))
    )
    is_reject = pl.col("reject_reason").is_not_null()
    quality = pl.col("source_quality").replace_strict(QUALITIES, default="unverified", return_dtype=pl.String)
    complete = (
        rows.with_columns(scaled.alias("scaled"), reason.alias("reject_reason"))
        .with_columns(
            pl.lit(feed).alias("feed"),
            pl.when(is_believable).then("observed_at").alias("observed_at"),
            pl.lit(station or None, pl.String).alias("sensor_id"),
            pl.lit(parameter.quantity or None, pl.String).alias("quantity"),
            pl.when(~is_reject).then("scaled").alias("value"),
            pl.lit(parameter.unit or None, pl.String).alias("unit"),
            pl.lit(parameter.source_unit or None, pl.String).alias("source_unit"),
            quality.alias("quality"),
            pl.when(is_receipt).then("received_at").otherwise(pl.lit(file.received_at)).alias("received_at"),
            pl.lit(precedence, pl.Int16).alias("precedence"),
            missing.alias("uplink_key"),
            pl.lit(file.landing_id).alias("landing_id"),
            pl.when(is_reject).then(pl.col("source_row")).alias("source_row"),
        )
        .select(READING_SCHEMA.names)
    )
    return complete.to_arrow().cast(READING_SCHEMA)
