# ruff: noqa: S608 - SQL is put together from constants and quoted settings
"""From what a feed said to candidate readings: units, sentinels, times and qualities, in bulk and the same for all.

A feed's SQL yields one row a value with the columns of ``SAID``, all as the source wrote it; what it knows to be wrong
already carries a ``reject_reason``. ``complete`` turns them into ``READING_SCHEMA``.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa

from sensors_ingest.landing import LandedFile
from sensors_ingest.readings import QUALITIES, READING_SCHEMA, repeated
from sensors_ingest.units import Scale

LONGEST_SOURCE_ROW: Final = 4000
ROWS_PER_BATCH: Final = 100_000
# Observations are not older than weather stations, and further off is a misread date.
FIRST_BELIEVABLE: Final = datetime(1850, 1, 1, tzinfo=UTC)
LAST_BELIEVABLE: Final = datetime(2100, 1, 1, tzinfo=UTC)
BELIEVABLE: Final = f"BETWEEN TIMESTAMPTZ '{FIRST_BELIEVABLE:%Y-%m-%d}' AND TIMESTAMPTZ '{LAST_BELIEVABLE:%Y-%m-%d}'"
# A time of receipt decides which value is the latest, for ever: one from before the feeds or the future is no time.
FIRST_RECEIPT: Final = datetime(2000, 1, 1, tzinfo=UTC)
RECEIPT_AHEAD: Final = timedelta(days=1)

SAID: Final = {
    "landing_row": "BIGINT",  # from 1
    "sensor_id": "VARCHAR",
    "quantity_said": "VARCHAR",  # the name in a Scale
    "observed_at": "TIMESTAMPTZ",  # null when it cannot be read
    "value_said": "VARCHAR",
    "unit_said": "VARCHAR",  # null for the scale's default
    "quality_said": "VARCHAR",
    "received_at": "TIMESTAMPTZ",  # null for when the file was received
    "reject_reason": "VARCHAR",
    "source_row": "VARCHAR",  # what a reject keeps
}


def open_connection(scales: Sequence[Scale]) -> duckdb.DuckDBPyConnection:
    """A database in memory, in UTC, with the table ``scale``: a row for each quantity and unit that a feed may say."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    # A query reads one batch of lines, of which one thread is as soon through as two, for a tenth less work.
    connection.execute("SET threads = 1")
    # DuckDB knows not how long an Arrow table is: it would hash a batch to look up the few rows of ``scale`` in it.
    connection.execute("SET disabled_optimizers = 'build_side_probe_side'")
    rows = [
        {
            "said": scale.said,
            "unit_said": said,
            "source_unit": unit,
            "quantity": scale.quantity,
            "unit": scale.unit,
            "factor": scale.conversions[unit][0],
            "shift": scale.conversions[unit][1],
            "sentinels": list(map(float, scale.sentinels)),
            "lowest": scale.lowest,
            "highest": scale.highest,
        }
        for scale in scales
        for said, unit in _units_said(scale)
    ]
    connection.register("scale_rows", pa.Table.from_pylist(rows, schema=_SCALE_SCHEMA))
    for name in _WORDS:
        connection.execute(f"CREATE TYPE {name} AS ENUM (SELECT DISTINCT {name} FROM scale_rows)")
    connection.execute(f"CREATE TYPE quality AS ENUM ({', '.join(map(quoted, QUALITIES))})")
    words = ", ".join(f"{name}::{name} AS {name}" for name in _WORDS)
    connection.execute(f"CREATE TEMP TABLE scale AS SELECT * REPLACE ({words}) FROM scale_rows")
    connection.unregister("scale_rows")
    connection.execute("SET VARIABLE quantities_said = (SELECT list(DISTINCT said) FROM scale)")
    return connection


_WORDS: Final = ("quantity", "unit", "source_unit")
_SCALE_SCHEMA: Final = pa.schema(
    [
        ("said", pa.string()),
        ("unit_said", pa.string()),
        ("source_unit", pa.string()),
        ("quantity", pa.string()),
        ("unit", pa.string()),
        ("factor", pa.float64()),
        ("shift", pa.float64()),
        ("sentinels", pa.list_(pa.float64())),
        ("lowest", pa.float64()),
        ("highest", pa.float64()),
    ]
)


def _units_said(scale: Scale) -> Iterator[tuple[str, str]]:
    yield from ((unit, unit) for unit in scale.conversions)
    if scale.default_unit is not None:
        yield "", scale.default_unit


def complete(
    connection: duckdb.DuckDBPyConnection,
    feed: str,
    file: LandedFile,
    said: str,
    qualities: Mapping[str, str],
) -> Iterator[pa.RecordBatch]:
    """Candidate readings of the query ``said``. Codes that are not in ``qualities`` are ``unverified``."""
    query = _COMPLETE.format(said=said, quality=_quality(qualities), believable=BELIEVABLE, longest=LONGEST_SOURCE_ROW)
    receipts = {"first_receipt": FIRST_RECEIPT, "last_receipt": file.fetched_at + RECEIPT_AHEAD}
    parameters = {"received_at": file.received_at, **receipts}
    for batch in connection.execute(query, parameters).to_arrow_reader(ROWS_PER_BATCH):
        rows = batch.num_rows
        columns = dict(zip(batch.schema.names, batch.columns, strict=True)) | {
            "feed": repeated(feed, rows),
            "landing_id": repeated(file.landing_id, rows),
            "precedence": pa.array(np.zeros(rows, np.int16)),
            "uplink_key": pa.nulls(rows, pa.string()),
        }
        arrays = [columns[field.name].cast(field.type) for field in READING_SCHEMA]
        yield pa.RecordBatch.from_arrays(arrays, schema=READING_SCHEMA)


_COMPLETE: Final = """
    WITH said AS ({said}),
    scaled AS (
        SELECT said.*, scale.quantity, scale.unit, scale.source_unit, factor, shift, sentinels, lowest, highest,
               try_cast(value_said AS DOUBLE) AS number,
               CASE WHEN scale.quantity IS NOT NULL THEN round(number * factor + shift, 6) END AS scaled
        FROM said LEFT JOIN scale
          ON scale.said = said.quantity_said AND scale.unit_said = coalesce(said.unit_said, '')
    ),
    judged AS (
        SELECT * EXCLUDE (reject_reason),
               CASE
                   WHEN reject_reason IS NOT NULL THEN reject_reason
                   WHEN coalesce(sensor_id, '') = '' THEN 'no sensor'
                   WHEN quantity_said IS NULL THEN 'no quantity'
                   WHEN NOT coalesce(observed_at {believable}, false) THEN 'the time cannot be read'
                   WHEN number IS NULL AND coalesce(trim(value_said), '') = '' THEN 'no value'
                   WHEN number IS NULL OR NOT isfinite(coalesce(scaled, number))
                       THEN 'value ' || left(value_said, 100) || ' is not a number'
                   WHEN quantity IS NULL AND NOT list_contains(getvariable('quantities_said'), quantity_said)
                       THEN 'quantity ' || left(quantity_said, 100) || ' is not one of this feed'
                   WHEN quantity IS NULL
                       THEN concat('unit ', coalesce(left(unit_said, 100), '(none)'), ' of ', quantity_said, ' unknown')
                   WHEN list_contains(sentinels, number) THEN 'sentinel ' || value_said || ' (no value)'
                   WHEN scaled < lowest OR scaled > highest
                       THEN 'value ' || value_said || ' is not between ' || coalesce(lowest::VARCHAR, 'any')
                            || ' and ' || coalesce(highest::VARCHAR, 'any') || ' ' || unit
               END AS reject_reason
        FROM scaled
    )
    SELECT nullif(sensor_id, '') AS sensor_id, quantity,
           CASE WHEN observed_at {believable} THEN observed_at END AS observed_at,
           CASE WHEN reject_reason IS NULL THEN scaled END AS value, unit, value_said AS source_value,
           source_unit, {quality} AS quality, quality_said AS source_quality,
           CASE WHEN received_at BETWEEN $first_receipt AND $last_receipt THEN received_at ELSE $received_at END
               AS received_at,
           landing_row, reject_reason,
           CASE WHEN reject_reason IS NOT NULL THEN left(trim(source_row, E' \\t\\r\\n'), {longest}) END AS source_row
    FROM judged
"""


def _quality(qualities: Mapping[str, str]) -> str:
    words = {code.lower(): f"{quoted(quality)}::quality" for code, quality in qualities.items()}
    cases = "".join(f" WHEN {quoted(code)} THEN {word}" for code, word in words.items())
    unknown = "'unverified'::quality"
    return f"CASE lower(quality_said){cases} ELSE {unknown} END" if cases else unknown


def quoted(text: str) -> str:
    """``text`` as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def has_offset(text: str) -> str:
    """SQL: whether the time of day ``text`` says how far it is from UTC."""
    signs = " OR ".join(f"{text}[-{place}] IN ('+', '-')" for place in (6, 5, 3))
    return f"(length({text}) > 16 AND (right({text}, 1) IN ('Z', 'z') OR {signs}))"


def moment(text: str) -> str:
    """SQL: the instant that ``text`` tells, within ``BELIEVABLE``; null without an offset, which none may guess."""
    return f"CASE WHEN {has_offset(text)} AND try_cast({text} AS TIMESTAMPTZ) {BELIEVABLE} THEN {text}::TIMESTAMPTZ END"


def fingerprint(*parts: object) -> str:
    """A short name for settings on which decoding depends: files decoded with others are decoded again."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]
