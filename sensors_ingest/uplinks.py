"""From The Things Stack's uplink messages to readings, in bulk: DuckDB reads the JSON, numpy the payload
bytes.

Both envelopes are read: ``{"result": {...}}`` as the Storage Integration sends it and the bare uplink of a
webhook. The server omits fields that are empty, 0 or false. A reading's time is that of the gateway that
heard it first; when no gateway has a believable clock it is the network's, and the reading says so
(``unverified``, ``network_time``).
"""

import json
from collections.abc import Iterator, Sequence
from typing import Final

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sensors_ingest.decoders.profiles import PROFILES
from sensors_ingest.decoders.type_length_value import (
    DECODED,
    FAULT_REASONS,
    LONGEST_PAYLOAD,
    DecodedPayloads,
    TypeLengthValueDecoder,
)
from sensors_ingest.devices import Device
from sensors_ingest.landing import LandedFile, Landing
from sensors_ingest.lines import LineBatch, line_batches
from sensors_ingest.readings import READING_SCHEMA

LONGEST_SOURCE_ROW: Final = 4000
# DuckDB shares an Arrow table among its threads by its chunks.
LINES_PER_CHUNK: Final = 8192

_UPLINK_COLUMNS: Final = ["sensor_id", "uplink_key", "observed_at", "received_at", "landing_row"]

_UPLINK: Final = {
    "end_device_ids": {"dev_eui": "VARCHAR"},
    "received_at": "VARCHAR",
    "simulated": "BOOLEAN",
    "uplink_message": {
        "session_key_id": "VARCHAR",
        "f_cnt": "UBIGINT",
        "frm_payload": "VARCHAR",
        "received_at": "VARCHAR",
        "rx_metadata": [{"gps_time": "VARCHAR", "time": "VARCHAR"}],
    },
}
_LINE: Final = {
    "result": _UPLINK,
    **_UPLINK,
    "error": {"message": "VARCHAR"},
    "message": "VARCHAR",
}


def _is_set(moment: str) -> str:
    """SQL: the server sends the year 1 for "not set"; beyond this century it is as little a time."""
    return f"{moment} BETWEEN timestamptz '2000-01-01 00:00:00+00' AND timestamptz '2100-01-01 00:00:00+00'"


# A gateway clock is believed when it is not ahead of the network by more than five minutes (clocks differ) nor a
# week behind it (gateways keep uplinks while offline; a clock that lost its time starts in 1970).
_PARSE: Final = f"""
    CREATE OR REPLACE TEMP TABLE uplink AS
    WITH said AS (
        SELECT landing_row,
               json_valid(line) AS is_json,
               json_transform(CASE WHEN json_valid(line) THEN line END, '{json.dumps(_LINE)}') AS said
        FROM line
        WHERE is_json OR regexp_matches(line, '\\S')
    ),
    opened AS (
        SELECT landing_row,
               is_json,
               coalesce(said.error.message, said.message) AS error_message,
               coalesce(said.result.uplink_message, said.uplink_message) AS message,
               upper(coalesce(said.result.end_device_ids.dev_eui, said.end_device_ids.dev_eui)) AS sensor_id,
               coalesce(said.result.simulated, said.simulated, false) AS is_simulated,
               try_cast(coalesce(said.result.received_at, said.received_at) AS timestamptz) AS said_at
        FROM said
    ),
    timed AS (
        SELECT *,
               try_cast(message.received_at AS timestamptz) AS network_said_at,
               CASE WHEN {_is_set("said_at")} THEN said_at END AS stack_at,
               CASE WHEN {_is_set("network_said_at")} THEN network_said_at END AS network_at,
               coalesce(network_at, stack_at) AS latest_at
        FROM opened
    ),
    heard AS (
        SELECT *,
               list_min(list_filter(
                   list_transform(
                       list_concat(
                           list_transform(message.rx_metadata, lambda gateway: gateway.gps_time),
                           list_transform(message.rx_metadata, lambda gateway: gateway.time)
                       ),
                       lambda clock: try_cast(clock AS timestamptz)
                   ),
                   lambda clock: clock BETWEEN latest_at - INTERVAL 168 HOUR AND latest_at + INTERVAL 5 MINUTE
               )) AS gateway_at,
               try(from_base64(message.frm_payload)) AS payload
        FROM timed
    )
    SELECT landing_row,
           sensor_id,
           device.decoder,
           payload,
           sensor_id || '/' || coalesce(message.session_key_id, '') || '/' || coalesce(message.f_cnt, 0)
               AS uplink_key,
           date_trunc('second', coalesce(gateway_at, latest_at)) AS observed_at,
           gateway_at IS NULL AS is_network_time,
           coalesce(stack_at, network_at) AS received_at,
           CASE
               WHEN NOT is_json THEN 'line is not valid JSON'
               WHEN message IS NULL AND error_message IS NOT NULL
                   THEN 'server error instead of an uplink: ' || error_message
               WHEN message IS NULL THEN 'no uplink_message in line'
               WHEN sensor_id IS NULL THEN 'uplink without device EUI'
               WHEN device.decoder IS NULL THEN 'unknown device ' || sensor_id
               WHEN is_simulated THEN 'simulated uplink'
               WHEN latest_at IS NULL THEN 'uplink without a believable time'
               WHEN coalesce(message.frm_payload, '') = '' THEN 'uplink without payload'
               WHEN payload IS NULL THEN 'payload is not valid base64: ' || left(message.frm_payload, 100)
               WHEN octet_length(payload) > {LONGEST_PAYLOAD}
                   THEN 'payload of ' || octet_length(payload) || ' bytes'
           END AS reject_reason
    FROM heard LEFT JOIN device USING (sensor_id)
"""  # noqa: S608 -- built of constants

# One uplink delivered twice may carry other gateways, whose clocks differ: the first delivery's time holds,
# so that the repeat is a duplicate and not a second measurement.
_REMEMBER: Final = """
    INSERT INTO first_time
    SELECT uplink_key, arg_min(observed_at, landing_row)
    FROM uplink ANTI JOIN first_time USING (uplink_key)
    WHERE reject_reason IS NULL
    GROUP BY uplink_key
"""
_SETTLED: Final = """
    SELECT uplink.* REPLACE (coalesce(first_time.observed_at, uplink.observed_at) AS observed_at)
    FROM uplink LEFT JOIN first_time USING (uplink_key)
    ORDER BY landing_row
"""


def decode(
    feed: str, devices: Sequence[Device], landing: Landing, files: Sequence[LandedFile]
) -> Iterator[pa.RecordBatch]:
    """Candidate readings (``READING_SCHEMA``) of NDJSON landing files, in batches; what cannot be decoded is
    one reject row.
    """
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        known = pa.table(
            {"sensor_id": [d.sensor_id for d in devices], "decoder": [d.decoder for d in devices]},
            schema=pa.schema([("sensor_id", pa.string()), ("decoder", pa.string())]),
        )
        connection.register("device", known)
        connection.execute("CREATE TEMP TABLE first_time (uplink_key VARCHAR, observed_at TIMESTAMPTZ)")
        for file in files:
            for lines in line_batches(landing.chunks(file)):
                yield from _readings(feed, file, lines, _parse(connection, lines)).to_batches()


def _parse(connection: duckdb.DuckDBPyConnection, lines: LineBatch) -> pa.Table:
    """One row an uplink (or a line that is none, with its reject reason), in file order."""
    starts = range(0, len(lines.text), LINES_PER_CHUNK)
    text = pa.chunked_array([lines.text.slice(start, LINES_PER_CHUNK) for start in starts], pa.large_string())
    numbers = pa.array(np.arange(lines.first_row, lines.first_row + len(lines.text)))
    connection.register("line", pa.table({"line": text, "landing_row": numbers}))
    connection.execute(_PARSE)
    connection.unregister("line")
    connection.execute(_REMEMBER)
    return connection.sql(_SETTLED).to_arrow_table().combine_chunks()


def _readings(feed: str, file: LandedFile, lines: LineBatch, uplinks: pa.Table) -> pa.Table:
    """The readings of parsed ``uplinks``, and a reject for each that has none."""
    parts = [_rejects(uplinks.filter(pc.is_valid(uplinks["reject_reason"])))]
    for name, decoder in PROFILES.items():
        is_mine = pc.and_(pc.equal(uplinks["decoder"], name), pc.is_null(uplinks["reject_reason"]))
        mine = uplinks.filter(is_mine)
        if len(mine):
            decoded = decoder.decode(*_byte_matrix(mine["payload"].combine_chunks()))
            parts += [_measured(mine, decoder, decoded), _refused(mine, decoded)]
    return _complete(feed, file, lines, pa.concat_tables(parts, promote_options="default"))


def _byte_matrix(payloads: pa.Array) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Payloads as a matrix padded with zeros, and their lengths."""
    if isinstance(payloads, pa.ChunkedArray):
        payloads = pa.concat_arrays(payloads.chunks)
    payloads = payloads.cast(pa.large_binary())
    offsets = np.frombuffer(payloads.buffers()[1], np.int64)[payloads.offset :][: len(payloads) + 1]
    lengths = np.diff(offsets)
    matrix = np.zeros((len(lengths), max(int(lengths.max(initial=0)), 1)), np.uint8)
    data = payloads.buffers()[2]
    content = np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]] if data else np.zeros(0, np.uint8)
    # Row by row, the cells before each row's length are filled in order: exactly the order of the bytes.
    matrix[np.arange(matrix.shape[1]) < lengths[:, None]] = content
    return matrix, lengths


def _measured(uplinks: pa.Table, decoder: TypeLengthValueDecoder, decoded: DecodedPayloads) -> pa.Table:
    """One row a decoded number; a sentinel is a reject that keeps its sensor, quantity and time."""
    fields, field, raw = decoder.fields, decoded.field, decoded.raw
    of = uplinks.select(_UPLINK_COLUMNS).take(decoded.payload)
    is_network_time = uplinks["is_network_time"].to_numpy()[decoded.payload]
    is_distance = np.array([f.quantity == "distance" for f in fields])[field]
    is_tilted = decoded.is_tilted[decoded.payload] & is_distance
    reason = _sentinel_reasons(decoder, decoded)
    value = raw / np.array([f.divisor for f in fields])[field]
    columns = {
        "quantity": _named([f.quantity for f in fields], field),
        "value": pa.array(value, mask=reason >= 0),
        "unit": _named([f.unit for f in fields], field),
        "source_value": pa.array(raw).cast(pa.string()),
        "source_unit": _named([f.source_unit for f in fields], field),
        "quality": _named(["good", "unverified", "suspect"], np.where(is_tilted, 2, is_network_time)),
        "source_quality": _named([None, "network_time", "tilt"], np.where(is_tilted, 2, is_network_time)),
        "reject_reason": _named([*_all_sentinel_reasons(decoder), None], reason),
    }
    return pa.Table.from_arrays([*of.columns, *columns.values()], names=[*of.column_names, *columns])


def _all_sentinel_reasons(decoder: TypeLengthValueDecoder) -> list[str]:
    return [reason for field in decoder.fields for _, reason in field.sentinels]


def _sentinel_reasons(decoder: TypeLengthValueDecoder, decoded: DecodedPayloads) -> NDArray[np.int64]:
    """For each number the index of its reason in ``_all_sentinel_reasons``, or −1."""
    reasons = np.full(len(decoded.raw), -1)
    number = 0
    for index, field in enumerate(decoder.fields):
        for sentinel, _ in field.sentinels:
            reasons[(decoded.field == index) & (decoded.raw == sentinel)] = number
            number += 1
    return reasons


def _refused(uplinks: pa.Table, decoded: DecodedPayloads) -> pa.Table:
    """One reject for every payload that could not be decoded, naming its bytes."""
    is_faulty = decoded.fault != DECODED
    faulty = uplinks.filter(pa.array(is_faulty))
    faults = _named(FAULT_REASONS, decoded.fault[is_faulty])
    payload_hex = pl.Series(faulty["payload"], dtype=pl.Binary).bin.encode("hex").to_arrow().cast(pa.string())
    reasons = pc.binary_join_element_wise(faults, payload_hex, " 0x")
    return _rejects(faulty.set_column(faulty.column_names.index("reject_reason"), "reject_reason", reasons))


def _rejects(uplinks: pa.Table) -> pa.Table:
    return uplinks.select([*_UPLINK_COLUMNS, "reject_reason"])


def _named(names: Sequence[str | None], index: NDArray[np.integer]) -> pa.Array:
    """``names[index]``; −1 is the last, as in numpy."""
    return pa.array(names, pa.string()).take(pa.array(np.where(index < 0, len(names) - 1, index)))


def _complete(feed: str, file: LandedFile, lines: LineBatch, rows: pa.Table) -> pa.Table:
    """``rows`` in ``READING_SCHEMA`` and file order, with what the file knows and, on rejects, what the
    source said.
    """
    count = len(rows)
    is_rejected = pc.is_valid(rows["reject_reason"])
    index = pc.subtract(rows["landing_row"], lines.first_row)
    said = lines.text.take(pc.if_else(is_rejected, index, None).combine_chunks())
    added = {
        "feed": pa.repeat(feed, count),
        "landing_id": pa.repeat(file.landing_id, count),
        "precedence": pa.repeat(pa.scalar(0, pa.int16()), count),
        "received_at": pc.fill_null(rows["received_at"], pa.scalar(file.received_at, rows["received_at"].type)),
        "source_row": pc.utf8_slice_codeunits(pc.utf8_trim_whitespace(said), 0, LONGEST_SOURCE_ROW),
    }
    known = {name: rows[name] for name in rows.column_names} | added
    arrays = [
        known[field.name].cast(field.type) if field.name in known else pa.nulls(count, field.type)
        for field in READING_SCHEMA
    ]
    return pa.Table.from_arrays(arrays, schema=READING_SCHEMA).sort_by("landing_row")
