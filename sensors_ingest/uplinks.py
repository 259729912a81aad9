"""From uplink messages to readings, in bulk: DuckDB reads the JSON, numpy the payload bytes.

What a network server puts around an uplink is in ``envelopes.py``, what a device puts into it in ``decoders``. A
reading's time is that of the gateway that heard it first; when no gateway has a believable clock it is the network's,
and the reading says so (``unverified``, ``network_time``). Every message is decoded by itself; when one uplink comes
again with other gateways, its key lets the warehouse see that it is the same measurement.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from sensors_ingest.decoders.fields import LONGEST_PAYLOAD, NO_TIME, Numbers, named
from sensors_ingest.decoders.profile import Profile
from sensors_ingest.decoders.profiles import PROFILES
from sensors_ingest.devices import Device
from sensors_ingest.envelopes import THE_THINGS_STACK, Envelope
from sensors_ingest.landing import LandedFile, Landing
from sensors_ingest.lines import LineBatch, line_batches
from sensors_ingest.readings import CANONICAL_UNITS, PHYSICAL_LIMITS, READING_SCHEMA, UTC_TIMESTAMP, WORD, repeated

LONGEST_SOURCE_ROW: Final = 4000
# DuckDB shares an Arrow table among its threads by its chunks.
LINES_PER_CHUNK: Final = 8192
SECOND: Final = 1_000_000
FIVE_MINUTES: Final = 300 * SECOND
A_WEEK: Final = 7 * 86_400 * SECOND
# A measurement a device kept is believed from this century on and when it is not ahead of its receipt.
FIRST_KEPT_SECOND: Final = 946_684_800
CLOCKS_DIFFER_BY_SECONDS: Final = 300
# Of every so many uplinks of a device one tells its signal: it changes with the weather and the antenna, not by the
# minute. Its counter tells which, so it is the same one however deliveries are cut and in whatever order they come.
SIGNAL_EVERY: Final = 6

SIGNALS: Final = ("signal_rssi", "signal_snr")
_UPLINK_COLUMNS: Final = ["sensor_id", "uplink_key", "observed_at", "received_at", "landing_row"]


def _is_set(moment: str) -> str:
    """SQL: the server sends the year 1 for "not set"; beyond this century it is as little a time."""
    return f"{moment} BETWEEN timestamptz '2000-01-01 00:00:00+00' AND timestamptz '2100-01-01 00:00:00+00'"


# A gateway clock is believed when it is not ahead of the network by more than five minutes (clocks differ) nor a
# week behind it (gateways keep uplinks while offline; a clock that lost its time starts in 1970). Microseconds are
# compared and cut: intervals and date_trunc ask the calendar of the time zone, a fifth of all the parsing.
def _parse_sql(envelope: Envelope, *, with_objects: bool) -> str:
    lowest_rssi, highest_rssi = PHYSICAL_LIMITS["signal_rssi"]
    lowest_snr, highest_snr = PHYSICAL_LIMITS["signal_snr"]
    return f"""
    WITH {envelope.messages(with_objects=with_objects)},
    timed AS (
        SELECT *,
               try_cast(network_time AS timestamptz) AS network_said_at,
               try_cast(server_time AS timestamptz) AS server_said_at,
               try_cast(received_time AS timestamptz) AS received_said_at,
               CASE WHEN {_is_set("server_said_at")} THEN server_said_at END AS server_at,
               CASE WHEN {_is_set("network_said_at")} THEN network_said_at END AS network_at,
               coalesce(network_at, server_at) AS latest_at,
               epoch_us(latest_at) AS latest_us,
               -- The gateway that heard it best: structs are compared field by field.
               list_max(list_filter(
                   signals,
                   lambda signal: signal.rssi BETWEEN {lowest_rssi} AND {highest_rssi}
                       AND signal.snr BETWEEN {lowest_snr} AND {highest_snr}
               )) AS best,
               CASE WHEN {_is_set("received_said_at")} THEN received_said_at ELSE latest_at END AS received_at
        FROM opened
    ),
    heard AS (
        SELECT *,
               list_min(list_filter(
                   list_transform(clocks, lambda clock: try_cast(clock AS timestamptz)),
                   lambda clock: epoch_us(clock) BETWEEN latest_us - {A_WEEK} AND latest_us + {FIVE_MINUTES}
               )) AS gateway_at,
               try(from_base64(encoded)) AS payload
        FROM timed
    )
    SELECT landing_row,
           sensor_id,
           device.decoder,
           CASE
               WHEN device.reads_payload AND coalesce(encoded, '') <> '' THEN 'payload'
               WHEN device.reads_object AND coalesce(object, 'null') <> 'null' THEN 'object'
           END AS form,
           payload,
           object,
           port,
           uplink_key,
           make_timestamptz(epoch_us(coalesce(gateway_at, latest_at)) // {SECOND} * {SECOND}) AS observed_at,
           gateway_at IS NULL AS is_network_time,
           received_at,
           CASE WHEN counter % {SIGNAL_EVERY} = 0 THEN best.rssi END AS signal_rssi,
           CASE WHEN counter % {SIGNAL_EVERY} = 0 THEN best.snr END AS signal_snr,
           CASE
               WHEN NOT is_json THEN 'line is not valid JSON'
               WHEN refusal IS NOT NULL THEN refusal
               WHEN sensor_id IS NULL THEN 'uplink without device EUI'
               WHEN device.decoder IS NULL THEN 'unknown device ' || sensor_id
               WHEN is_simulated THEN 'simulated uplink'
               WHEN latest_at IS NULL THEN 'uplink without a believable time'
               WHEN form IS NULL AND device.reads_payload THEN 'uplink without payload'
               WHEN form IS NULL THEN 'uplink without decoded object'
               WHEN form = 'object' THEN NULL
               WHEN payload IS NULL THEN 'payload is not valid base64: ' || left(encoded, 100)
               WHEN octet_length(payload) > {LONGEST_PAYLOAD}
                   THEN 'payload of ' || octet_length(payload) || ' bytes'
           END AS reject_reason
    FROM heard LEFT JOIN device USING (sensor_id)
"""  # noqa: S608 -- built of constants


def decode(
    feed: str,
    devices: Sequence[Device],
    landing: Landing,
    files: Sequence[LandedFile],
    envelope: Envelope = THE_THINGS_STACK,
    profiles: Mapping[str, Profile] = PROFILES,
) -> Iterator[pa.RecordBatch]:
    """Candidate readings (``READING_SCHEMA``) of NDJSON landing files, in batches; what cannot be decoded is
    one reject row.
    """
    used = {device.decoder: profiles[device.decoder] for device in devices}
    parse = _parse_sql(envelope, with_objects=any(profile.codec_object for profile in used.values()))
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("device", _device_table(devices, used))
        for file in files:
            for lines in line_batches(landing.chunks(file)):
                yield from _readings(feed, file, lines, _parse(connection, parse, lines), used).to_batches()


def _device_table(devices: Sequence[Device], used: Mapping[str, Profile]) -> pa.Table:
    return pa.table(
        {
            "sensor_id": pa.array([device.sensor_id for device in devices], pa.string()),
            "decoder": pa.array([device.decoder for device in devices], pa.string()),
            "reads_payload": pa.array([used[device.decoder].payload is not None for device in devices], pa.bool_()),
            "reads_object": pa.array([used[device.decoder].codec_object is not None for device in devices], pa.bool_()),
        }
    )


def _parse(connection: duckdb.DuckDBPyConnection, parse: str, lines: LineBatch) -> pa.Table:
    """One row an uplink (or a line that is none, with its reject reason), in file order."""
    starts = range(0, len(lines.text), LINES_PER_CHUNK)
    text = pa.chunked_array([lines.text.slice(start, LINES_PER_CHUNK) for start in starts], pa.large_string())
    numbers = pa.array(np.arange(lines.first_row, lines.first_row + len(lines.text)))
    connection.register("line", pa.table({"line": text, "landing_row": numbers}))
    # A relation is read by every thread; what ``execute`` returns, by one.
    uplinks = connection.sql(parse).to_arrow_table().combine_chunks()
    connection.unregister("line")
    return uplinks


def _readings(
    feed: str, file: LandedFile, lines: LineBatch, uplinks: pa.Table, profiles: Mapping[str, Profile]
) -> pa.Table:
    """The readings of parsed ``uplinks``, and a reject for each that has none."""
    is_accepted = pc.is_null(uplinks["reject_reason"])
    parts = [_rejects(uplinks.filter(pc.invert(is_accepted)))]
    parts += [_signal(uplinks.filter(pc.and_(pc.is_valid(uplinks[name]), is_accepted)), name) for name in SIGNALS]
    for name, profile in profiles.items():
        mine = uplinks.filter(pc.and_(pc.equal(uplinks["decoder"], name), is_accepted))
        with_payload, with_object = (mine.filter(pc.equal(mine["form"], form)) for form in ("payload", "object"))
        if len(with_payload):
            ports = with_payload["port"].to_numpy().astype(np.int64)
            numbers = profile.decode_payloads(with_payload["payload"].combine_chunks(), ports)
            parts += [_measured(with_payload, numbers), _refused(with_payload, numbers)]
        if len(with_object):
            numbers = profile.decode_objects(with_object["object"].combine_chunks())
            parts += [_measured(with_object, numbers), _refused(with_object, numbers)]
    return _complete(feed, file, lines, pa.concat_tables(parts, promote_options="default"))


def _signal(uplinks: pa.Table, quantity: str) -> pa.Table:
    """One row an uplink: how its best gateway received it, whatever its payload holds."""
    of = uplinks.select(_UPLINK_COLUMNS)
    is_network_time = uplinks["is_network_time"]
    unit = repeated(CANONICAL_UNITS[quantity], len(of))
    columns = {
        "quantity": repeated(quantity, len(of)),
        "value": uplinks[quantity],
        "unit": unit,
        "source_value": uplinks[quantity].cast(pa.string()),
        "source_unit": unit,
        "quality": pc.if_else(is_network_time, "unverified", "good").cast(WORD),
        "source_quality": pc.if_else(is_network_time, "network_time", pa.scalar(None, pa.string())).cast(WORD),
        "reject_reason": pa.nulls(len(of), pa.string()),
    }
    return pa.Table.from_arrays([*of.columns, *columns.values()], names=[*of.column_names, *columns])


def _measured(uplinks: pa.Table, numbers: Numbers) -> pa.Table:
    """One row a number; one that is no reading is a reject that keeps its sensor, quantity and time."""
    fields, field = numbers.fields, numbers.field
    of = uplinks.select(_UPLINK_COLUMNS).take(numbers.uplink)
    observed_at, kept_reason = _times(of, numbers)
    is_network_time = uplinks["is_network_time"].to_numpy()[numbers.uplink] & (numbers.seconds == NO_TIME)
    is_distance = np.array([each.quantity == "distance" for each in fields])[field]
    is_tilted = numbers.is_tilted[numbers.uplink] & is_distance
    doubts = [each.doubt for each in fields]
    is_doubted = np.array([doubt is not None for doubt in doubts])[field]
    source_quality = np.select([is_tilted, is_doubted, is_network_time], [1, field + 3, 2], 0)
    reason = pc.coalesce(numbers.reason, kept_reason)
    columns = {
        "quantity": named([each.quantity for each in fields], field, WORD),
        "value": pc.if_else(pc.is_null(reason), pa.array(numbers.value), None),
        "unit": named([each.unit for each in fields], field, WORD),
        "source_value": numbers.source_value,
        "source_unit": named([each.source_unit for each in fields], field, WORD),
        "quality": named(["good", "unverified", "suspect"], np.where(is_tilted, 2, is_doubted | is_network_time), WORD),
        "source_quality": named([None, "tilt", "network_time", *doubts], source_quality, WORD),
        "reject_reason": reason,
    }
    of = of.set_column(of.column_names.index("observed_at"), "observed_at", observed_at)
    of = of.set_column(of.column_names.index("uplink_key"), "uplink_key", _keys(of, numbers))
    return pa.Table.from_arrays([*of.columns, *columns.values()], names=[*of.column_names, *columns])


def _times(of: pa.Table, numbers: Numbers) -> tuple[pa.Array, pa.Array]:
    """When each number was measured, and why that cannot be believed: only a device that kept it can be wrong."""
    received = pc.cast(of["received_at"], pa.int64()).to_numpy() // 1_000_000
    is_kept = numbers.seconds != NO_TIME
    is_believed = (numbers.seconds >= FIRST_KEPT_SECOND) & (numbers.seconds <= received + CLOCKS_DIFFER_BY_SECONDS)
    kept_at = pa.array(numbers.seconds * 1_000_000, mask=~(is_kept & is_believed)).cast(UTC_TIMESTAMP)
    observed_at = pc.if_else(pa.array(is_kept), kept_at, of["observed_at"].combine_chunks().cast(UTC_TIMESTAMP))
    return observed_at, named(
        ["kept measurement without a believable time", None], np.where(is_kept & ~is_believed, 0, -1)
    )


def _keys(of: pa.Table, numbers: Numbers) -> pa.Array:
    """The key of each number's message, and its second where one message holds several measurements of a quantity:
    a reading's ``uplink_key`` names one measurement, which is the same however often its message comes.
    """
    key = of["uplink_key"].combine_chunks()
    is_kept = numbers.seconds != NO_TIME
    if not is_kept.any():
        return key
    seconds = pa.array(numbers.seconds, mask=~is_kept).cast(pa.string())
    return pc.coalesce(pc.binary_join_element_wise(key, seconds, "@"), key)


def _refused(uplinks: pa.Table, numbers: Numbers) -> pa.Table:
    """One reject for every uplink that could not be decoded, naming its bytes where it has them."""
    is_faulty = pc.is_valid(numbers.fault)
    faulty = uplinks.filter(is_faulty)
    payload_hex = pl.Series(faulty["payload"], dtype=pl.Binary).bin.encode("hex").to_arrow().cast(pa.string())
    is_payload = pc.equal(faulty["form"], "payload").combine_chunks()
    faults = numbers.fault.filter(is_faulty)
    reasons = pc.if_else(is_payload, pc.binary_join_element_wise(faults, payload_hex, " 0x"), faults)
    return _rejects(faulty.set_column(faulty.column_names.index("reject_reason"), "reject_reason", reasons))


def _rejects(uplinks: pa.Table) -> pa.Table:
    return uplinks.select([*_UPLINK_COLUMNS, "reject_reason"])


def _complete(feed: str, file: LandedFile, lines: LineBatch, rows: pa.Table) -> pa.Table:
    """``rows`` in ``READING_SCHEMA`` and file order, with what the file knows and, on rejects, what the
    source said.
    """
    count = len(rows)
    is_rejected = pc.is_valid(rows["reject_reason"])
    index = pc.subtract(rows["landing_row"], lines.first_row)
    said = lines.text.take(pc.if_else(is_rejected, index, None).combine_chunks())
    added = {
        "feed": repeated(feed, count),
        "landing_id": repeated(file.landing_id, count),
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
