"""From uplink messages to readings, in bulk: DuckDB reads the JSON, numpy the payload bytes.

What a network server puts around an uplink is in ``envelopes.py``, what a device puts into it in ``decoders``. A
reading's time is that of the gateway that heard it first; when no gateway has a believable clock it is the network's,
and the reading says so (``unverified``, ``network_time``). Every message is decoded by itself; when one uplink comes
again with other gateways, its key lets the warehouse see that it is the same measurement.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Final

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sensors_ingest.candidates import RECEIPT_AHEAD
from sensors_ingest.decoders.codec_object import Path, ReadObjects, columns_at
from sensors_ingest.decoders.fields import LONGEST_PAYLOAD, NO_TIME, TEXT, Field, Integers, Numbers, joined, named
from sensors_ingest.decoders.profile import Profile
from sensors_ingest.decoders.profiles import PROFILES
from sensors_ingest.devices import Device
from sensors_ingest.envelopes import PUSHED_LINE, THE_THINGS_STACK, Envelope
from sensors_ingest.landing import LandedFile, Landing
from sensors_ingest.lines import NOT_JSON, LineBatch, has_broken, line_batches
from sensors_ingest.readings import CANONICAL_UNITS, PHYSICAL_LIMITS, READING_SCHEMA, UTC_TIMESTAMP, WORD, repeated

LONGEST_SOURCE_ROW: Final = 4000
SECOND: Final = 1_000_000
FIVE_MINUTES: Final = 300 * SECOND
A_WEEK: Final = 7 * 86_400 * SECOND
# A measurement a device kept is believed from this century on and when it is not ahead of its receipt.
FIRST_KEPT_SECOND: Final = 946_684_800
CLOCKS_DIFFER_BY_SECONDS: Final = 300
# Of every so many uplinks of a device one tells its signal: it changes with the weather and the antenna, not by the
# minute. Its counter tells which, so it is the same one however deliveries are cut and in whatever order they come.
SIGNAL_EVERY: Final = 6

SIGNALS: Final = tuple(
    Field(quantity, 0, CANONICAL_UNITS[quantity], CANONICAL_UNITS[quantity])
    for quantity in ("signal_rssi", "signal_snr")
)
_UPLINK_COLUMNS: Final = ["sensor_id", "uplink_key", "observed_at", "received_at", "landing_row"]


def _is_set(moment: str) -> str:
    """SQL: the server sends the year 1 for "not set"; beyond this century it is as little a time."""
    return f"{moment} BETWEEN timestamptz '2000-01-01 00:00:00+00' AND timestamptz '2100-01-01 00:00:00+00'"


# A gateway clock is believed when it is not ahead of the network by more than five minutes (clocks differ) nor a
# week behind it (gateways keep uplinks while offline; a clock that lost its time starts in 1970). Microseconds are
# compared and cut: intervals and date_trunc ask the calendar of the time zone, a fifth of all the parsing.
def _parse_sql(envelope: Envelope, paths: Sequence[Path], *, are_pushed: bool, are_checked: bool) -> str:
    lowest_rssi, highest_rssi = PHYSICAL_LIMITS["signal_rssi"]
    lowest_snr, highest_snr = PHYSICAL_LIMITS["signal_snr"]
    return f"""
    WITH {envelope.messages(with_objects=bool(paths), are_pushed=are_pushed, are_checked=are_checked)},
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
               CASE WHEN counter % {SIGNAL_EVERY} = 0 THEN list_max(list_filter(
                   signals,
                   lambda signal: signal.rssi BETWEEN {lowest_rssi} AND {highest_rssi}
                       AND signal.snr BETWEEN {lowest_snr} AND {highest_snr}
               )) END AS best,
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
    ),
    judged AS (
        SELECT landing_row,
               sensor_id,
               device.profile,
               CASE
                   WHEN device.reads_payload AND coalesce(encoded, '') <> '' THEN 'payload'
                   WHEN device.reads_object AND coalesce(object, 'null') <> 'null' THEN 'object'
               END AS form,
               payload,
               CASE WHEN form = 'object' THEN object END AS object,
               port,
               uplink_key,
               make_timestamptz(epoch_us(coalesce(gateway_at, latest_at)) // {SECOND} * {SECOND}) AS observed_at,
               gateway_at IS NULL AS is_network_time,
               received_at,
               best.rssi AS signal_rssi,
               best.snr AS signal_snr,
               CASE
                   WHEN NOT is_json THEN '{NOT_JSON}'
                   WHEN refusal IS NOT NULL THEN refusal
                   WHEN sensor_id IS NULL THEN 'uplink without device EUI'
                   WHEN device.profile IS NULL THEN 'unknown device ' || sensor_id
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
    )
    SELECT {", ".join(["* EXCLUDE (object)", *columns_at(paths)])} FROM judged
"""  # noqa: S608 -- built of constants


def decode(
    feed: str,
    devices: Sequence[Device],
    landing: Landing,
    files: Iterable[LandedFile],
    envelope: Envelope = THE_THINGS_STACK,
    profiles: Mapping[str, Profile] = PROFILES,
) -> Iterator[pa.RecordBatch]:
    """Candidate readings (``READING_SCHEMA``) of NDJSON landing files, in batches; what cannot be decoded is
    one reject row.
    """
    names = sorted({device.decoder for device in devices})
    used = [profiles[name] for name in names]
    parse = {
        (are_pushed, are_checked): _parse_sql(envelope, _paths(used), are_pushed=are_pushed, are_checked=are_checked)
        for are_pushed, are_checked in product((False, True), repeat=2)
    }
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        # A query reads one batch of lines, of which one thread is as soon through as two, for a tenth less work.
        connection.execute("SET threads = 1")
        connection.register("device", _device_table(devices, names, used))
        are_checked = False
        for file in files:
            for lines in line_batches(landing.chunks(file)):
                are_pushed = bool(pc.any(pc.starts_with(lines.text, PUSHED_LINE)).as_py())
                uplinks = _parse(connection, parse[are_pushed, are_checked], lines)
                are_checked = has_broken(uplinks["reject_reason"])
                yield from _readings(feed, file, lines, uplinks, used).to_batches()


def _device_table(devices: Sequence[Device], names: Sequence[str], used: Sequence[Profile]) -> pa.Table:
    """The devices, each with the place of its profile among ``used``."""
    places = [names.index(device.decoder) for device in devices]
    return pa.table(
        {
            "sensor_id": pa.array([device.sensor_id for device in devices], pa.string()),
            "profile": pa.array(places, pa.int64()),
            "reads_payload": pa.array([used[place].payload is not None for place in places], pa.bool_()),
            "reads_object": pa.array([used[place].codec_object is not None for place in places], pa.bool_()),
        }
    )


def _parse(connection: duckdb.DuckDBPyConnection, parse: str, lines: LineBatch) -> pa.Table:
    """One row an uplink (or a line that is none, with its reject reason)."""
    connection.register("line", lines.numbered())
    uplinks = connection.sql(parse).to_arrow_table().combine_chunks()
    connection.unregister("line")
    return uplinks


def _readings(
    feed: str, file: LandedFile, lines: LineBatch, uplinks: pa.Table, profiles: Sequence[Profile]
) -> pa.Table:
    """The readings of parsed ``uplinks`` in the order of their lines, and a reject for each that has none."""
    parts = [_signals(uplinks), *_payload_numbers(uplinks, profiles), *_object_numbers(uplinks, profiles)]
    numbers = joined(len(uplinks), parts)
    refusals = _refusals(uplinks, numbers.fault)
    refused = np.flatnonzero(pc.is_valid(refusals))
    count = len(refused)
    # A refused uplink is a row without a number; its field is -1, which names nothing.
    uplink = np.concatenate([refused, numbers.uplink])
    order = np.argsort(uplinks["landing_row"].to_numpy()[uplink], kind="stable")
    uplink = uplink[order]
    field = np.concatenate([np.full(count, -1), numbers.field])[order]
    seconds = np.concatenate([np.full(count, NO_TIME), numbers.seconds])[order]
    value = np.concatenate([np.zeros(count), numbers.value])[order]
    source_value = pa.concat_arrays([pa.nulls(count, TEXT), numbers.source_value]).take(pa.array(order))
    reason = pa.concat_arrays([refusals.take(pa.array(refused)), numbers.reason]).take(pa.array(order))
    of = _received(file, uplinks.select(_UPLINK_COLUMNS).take(pa.array(uplink)))
    observed_at, kept_reason = _times(of, seconds)
    reject_reason = pc.coalesce(reason, kept_reason)
    is_rejected = pc.is_valid(reject_reason).to_numpy(zero_copy_only=False)
    is_network_time = uplinks["is_network_time"].to_numpy()[uplink] & (seconds == NO_TIME)
    columns = {
        "feed": repeated(feed, len(of)),
        "sensor_id": of["sensor_id"],
        "observed_at": observed_at,
        "value": pa.array(value, mask=is_rejected),
        "source_value": source_value,
        "received_at": of["received_at"],
        "precedence": pa.array(np.zeros(len(of), np.int16)),
        "uplink_key": _keys(of, seconds),
        "landing_id": repeated(file.landing_id, len(of)),
        "landing_row": of["landing_row"],
        "reject_reason": reject_reason,
        "source_row": _source_rows(lines, of, is_rejected),
    }
    columns |= _words(numbers.fields, field, numbers.is_tilted[uplink], is_network_time)
    arrays = [columns[column.name].cast(column.type) for column in READING_SCHEMA]
    return pa.Table.from_arrays(arrays, schema=READING_SCHEMA)


def _signals(uplinks: pa.Table) -> tuple[Integers, Numbers]:
    """How its best gateway received an uplink is two numbers of it, whatever its payload holds."""
    is_heard = pc.and_(pc.is_valid(uplinks["signal_rssi"]), pc.is_null(uplinks["reject_reason"]))
    heard = np.flatnonzero(is_heard)
    count = len(heard)
    value = np.concatenate([uplinks[field.quantity].filter(is_heard).to_numpy() for field in SIGNALS])
    return heard, Numbers(
        SIGNALS,
        np.tile(np.arange(count), len(SIGNALS)),
        np.repeat(np.arange(len(SIGNALS)), count),
        value,
        pc.cast(pa.array(value), TEXT),
        pa.nulls(len(value), TEXT),
        np.full(len(value), NO_TIME),
        pa.nulls(count, TEXT),
        np.zeros(count, np.bool_),
    )


def _payload_numbers(uplinks: pa.Table, profiles: Sequence[Profile]) -> Iterator[tuple[Integers, Numbers]]:
    """What each profile makes of the payloads of its devices, with the places of these uplinks."""
    with_payload, profile_of = _accepted(uplinks, "payload")
    for place, profile in enumerate(profiles):
        mine = with_payload[profile_of == place]
        if len(mine):
            sent = uplinks.select(["payload", "port"]).take(pa.array(mine))
            yield mine, profile.decode_payloads(sent["payload"], sent["port"].to_numpy().astype(np.int64))


def _object_numbers(uplinks: pa.Table, profiles: Sequence[Profile]) -> Iterator[tuple[Integers, Numbers]]:
    """What each profile makes of the decoded objects of its devices, with the places of these uplinks."""
    with_object, profile_of = _accepted(uplinks, "object")
    for place, profile in enumerate(profiles):
        mine = with_object[profile_of == place]
        if len(mine):
            objects = ReadObjects.of(uplinks, mine, _paths(profiles))
            yield mine, profile.decode_objects(objects)


def _paths(profiles: Sequence[Profile]) -> list[Path]:
    """Where in decoded objects the profiles look."""
    return sorted({path for profile in profiles if profile.codec_object for path in profile.codec_object.paths})


def _accepted(uplinks: pa.Table, form: str) -> tuple[Integers, Integers]:
    """The places of accepted uplinks in this form, and those of their profiles."""
    places = np.flatnonzero(pc.and_(pc.is_null(uplinks["reject_reason"]), pc.equal(uplinks["form"], form)))
    return places, uplinks["profile"].take(pa.array(places)).to_numpy()


def _words(
    fields: Sequence[Field], field: Integers, is_tilted: NDArray[np.bool_], is_network_time: NDArray[np.bool_]
) -> dict[str, pa.Array]:
    """What is said of each number in words; of a row without one, nothing."""
    is_number = field >= 0
    is_tilted = is_tilted & np.array([*(each.quantity == "distance" for each in fields), False])[field]
    is_doubted = np.array([*(each.doubt is not None for each in fields), False])[field]
    is_network_time = is_network_time & is_number
    quality = np.select([~is_number, is_tilted, is_doubted | is_network_time], [3, 2, 1], 0)
    source_quality = np.select([is_tilted, is_doubted, is_network_time], [1, field + 3, 2], 0)
    return {
        "quantity": named([*(each.quantity for each in fields), None], field, WORD),
        "unit": named([*(each.unit for each in fields), None], field, WORD),
        "source_unit": named([*(each.source_unit for each in fields), None], field, WORD),
        "quality": named(["good", "unverified", "suspect", None], quality, WORD),
        "source_quality": named([None, "tilt", "network_time", *(each.doubt for each in fields)], source_quality, WORD),
    }


def _received(file: LandedFile, of: pa.Table) -> pa.Table:
    """``of`` with the time of receipt of its file where there is none, or one that is ahead of our own."""
    place = of.schema.get_field_index("received_at")
    told, kind = of.column(place), of.schema.field(place).type
    is_believed = pc.less_equal(told, pa.scalar(file.fetched_at + RECEIPT_AHEAD, kind))
    received = pc.if_else(pc.fill_null(is_believed, fill_value=False), told, pa.scalar(file.received_at, kind))
    return of.set_column(place, "received_at", received)


def _times(of: pa.Table, seconds: Integers) -> tuple[pa.Array, pa.Array]:
    """When each number was measured, and why that cannot be believed: only a device that kept it can be wrong."""
    received = pc.cast(of["received_at"], pa.int64()).to_numpy() // 1_000_000
    is_kept = seconds != NO_TIME
    is_believed = (seconds >= FIRST_KEPT_SECOND) & (seconds <= received + CLOCKS_DIFFER_BY_SECONDS)
    kept_at = pa.array(seconds * 1_000_000, mask=~(is_kept & is_believed)).cast(UTC_TIMESTAMP)
    observed_at = pc.if_else(pa.array(is_kept), kept_at, of["observed_at"].combine_chunks().cast(UTC_TIMESTAMP))
    return observed_at, named(
        ["kept measurement without a believable time", None], np.where(is_kept & ~is_believed, 0, -1)
    )


def _keys(of: pa.Table, seconds: Integers) -> pa.Array:
    """The key of each number's message, and its second where one message holds several measurements of a quantity:
    a reading's ``uplink_key`` names one measurement, which is the same however often its message comes.
    """
    key = of["uplink_key"].combine_chunks()
    is_kept = seconds != NO_TIME
    if not is_kept.any():
        return key
    kept = pa.array(seconds, mask=~is_kept).cast(TEXT)
    return pc.coalesce(pc.binary_join_element_wise(key, kept, "@"), key)


def _refusals(uplinks: pa.Table, faults: pa.Array) -> pa.Array:
    """Why an uplink has no readings, or null; of one that could not be decoded with its bytes where it has them."""
    is_faulty = pc.is_valid(faults).to_numpy(zero_copy_only=False)
    faulty = uplinks.select(["payload", "form"]).filter(pa.array(is_faulty))
    payload_hex = pl.Series(faulty["payload"], dtype=pl.Binary).bin.encode("hex").to_arrow().cast(TEXT)
    is_payload = pc.equal(faulty["form"], "payload").combine_chunks()
    reasons = faults.drop_null()
    reasons = pc.if_else(is_payload, pc.binary_join_element_wise(reasons, payload_hex, " 0x"), reasons)
    return pc.coalesce(uplinks["reject_reason"].combine_chunks(), _at(is_faulty, reasons))


def _source_rows(lines: LineBatch, of: pa.Table, is_rejected: NDArray[np.bool_]) -> pa.Array:
    """On rejects, what the source said."""
    index = of["landing_row"].to_numpy()[is_rejected] - lines.first_row
    said = pc.utf8_trim_whitespace(lines.text.take(pa.array(index)))
    return _at(is_rejected, pc.utf8_slice_codeunits(said, 0, LONGEST_SOURCE_ROW))


def _at(places: NDArray[np.bool_], values: pa.Array) -> pa.Array:
    """``values`` one after the other where ``places`` is true, and nulls elsewhere."""
    return values.take(pa.array(np.cumsum(places) - 1, mask=~places))
