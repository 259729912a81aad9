"""What a number in a payload means, and the form every decoder's result takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sensors_ingest.readings import PHYSICAL_LIMITS

ByteOrder = Literal["big", "little"]
Integers = NDArray[np.int64]
TEXT: Final = pa.string()
NO_INTEGERS: Final = np.zeros(0, np.int64)

# LoRaWAN application payloads are at most 242 bytes in the EU868 region; a longer one is damaged.
LONGEST_PAYLOAD: Final = 242
LONGEST_SOURCE_VALUE: Final = 100
NO_TIME: Final = -1

DECODED, EMPTY, UNKNOWN_TYPE, TRUNCATED, CONTRADICTION, NO_FIELD, UNKNOWN_LAYOUT = range(7)
FAULT_REASONS: Final = (
    "",
    "empty payload",
    "unknown type in payload",
    "truncated payload",
    "one quantity twice with different values in payload",
    "no known quantity in payload",
    "payload of no known layout",
)


@dataclass(frozen=True)
class Field:
    """One quantity of a device: ``value = number * multiplier / divisor + added`` in ``unit``.

    ``width`` counts the bytes of the number, which is an integer or, with ``is_float``, an IEEE float of 4 bytes (of
    an object's number it means nothing). ``sentinels`` are the raw values that mean "no value" (of a float its bits),
    each with the reason. ``source_unit`` is the unit of the raw number. ``doubt`` is kept as the reading's source
    quality, and the reading is unverified: what is said of the number is not certain.
    """

    quantity: str
    width: int
    unit: str
    source_unit: str
    divisor: float = 1
    is_signed: bool = False
    sentinels: tuple[tuple[float, str], ...] = ()
    multiplier: float = 1
    added: float = 0
    is_float: bool = False
    doubt: str | None = None


@dataclass(frozen=True)
class DecodedPayloads:
    """Long form: one entry a decoded number; and per payload its fault and whether the device says it is tilted.

    ``payload`` (int64), ``field`` (int64, index into the decoder's ``fields``), ``raw`` (int64, of a float its bits)
    and ``seconds`` (int64, Unix time of a number the device kept for later, ``NO_TIME`` for one just measured) have
    equal length; ``fault`` (int8, index into ``FAULT_REASONS``) and ``is_tilted`` (bool) have one entry a payload. A
    payload with a fault has no numbers.
    """

    payload: Integers
    field: Integers
    raw: Integers
    seconds: Integers
    fault: NDArray[np.int8]
    is_tilted: NDArray[np.bool_]


@dataclass(frozen=True)
class Numbers:
    """What a profile makes of many uplinks, in long form: one entry a number.

    ``uplink`` and ``field`` index the uplinks and the fields; ``value`` is in the field's unit and means nothing where
    ``reason`` (text, why it is no reading) is set; ``source_value`` is the number as sent; ``seconds`` as in
    ``DecodedPayloads``. ``fault`` (text or null) and ``is_tilted`` have one entry an uplink.
    """

    fields: Sequence[Field]
    uplink: Integers
    field: Integers
    value: NDArray[np.float64]
    source_value: pa.Array
    reason: pa.Array
    seconds: Integers
    fault: pa.Array
    is_tilted: NDArray[np.bool_]


def joined(uplinks: int, parts: Sequence[tuple[Integers, Numbers]]) -> Numbers:
    """The numbers of several profiles as those of one: with each part the places of its uplinks among ``uplinks``. Of
    an uplink in two parts the later one tells the fault and the tilt.
    """
    fields = [field for _, numbers in parts for field in numbers.fields]
    starts = np.cumsum([0, *(len(numbers.fields) for _, numbers in parts)])[:-1]
    indices = (numbers.field + start for start, (_, numbers) in zip(starts, parts, strict=True))
    origin, is_tilted, decoded = np.full(uplinks, -1), np.zeros(uplinks, np.bool_), 0
    for places, numbers in parts:
        origin[places] = np.arange(decoded, decoded + len(places))
        is_tilted[places] = numbers.is_tilted
        decoded += len(places)
    faults = pa.chunked_array([*(numbers.fault for _, numbers in parts), pa.nulls(1, TEXT)], TEXT).combine_chunks()
    return Numbers(
        fields,
        np.concatenate([NO_INTEGERS, *(places[numbers.uplink] for places, numbers in parts)]),
        np.concatenate([NO_INTEGERS, *indices]),
        np.concatenate([np.zeros(0), *(numbers.value for _, numbers in parts)]),
        pa.chunked_array([numbers.source_value for _, numbers in parts], TEXT).combine_chunks(),
        pa.chunked_array([numbers.reason for _, numbers in parts], TEXT).combine_chunks(),
        np.concatenate([NO_INTEGERS, *(numbers.seconds for _, numbers in parts)]),
        faults.take(pa.array(np.where(origin < 0, decoded, origin))),
        is_tilted,
    )


def numbers_of(fields: Sequence[Field], decoded: DecodedPayloads) -> Numbers:
    """``decoded`` in units, with a reason for every number that is no reading."""
    number, source_value = _sent(fields, decoded)
    value = in_unit(fields, decoded.field, number)
    names, sentinel = _sentinels(fields, decoded.field, decoded.raw)
    return Numbers(
        fields,
        decoded.payload,
        decoded.field,
        value,
        source_value,
        pc.coalesce(named([*names, None], sentinel), impossible(fields, decoded.field, value)),
        decoded.seconds,
        named([None, *FAULT_REASONS[1:]], decoded.fault),
        decoded.is_tilted,
    )


def _sent(fields: Sequence[Field], decoded: DecodedPayloads) -> tuple[NDArray[np.float64], pa.Array]:
    """The numbers as sent, and as text."""
    integers = pc.cast(pa.array(decoded.raw), pa.string())
    if not any(field.is_float for field in fields):
        return decoded.raw.astype(np.float64), integers
    is_float = np.array([field.is_float for field in fields], np.bool_)[decoded.field]
    floats = (decoded.raw & 0xFFFFFFFF).astype(np.uint32).view(np.float32)
    with np.errstate(invalid="ignore"):  # a payload may hold any bits, those of a signalling NaN among them
        number = np.where(is_float, floats.astype(np.float64), decoded.raw)
    return number, pc.if_else(pa.array(is_float), pc.cast(pa.array(floats), pa.string()), integers)


def in_unit(fields: Sequence[Field], field: Integers, number: NDArray[np.float64]) -> NDArray[np.float64]:
    """The raw ``number`` in the unit of its field, without the last digits that only arithmetic made."""
    columns = [(each.multiplier, each.divisor, each.added) for each in fields]
    multiplier, divisor, added = np.array(columns, np.float64).reshape(-1, 3)[field].T
    with np.errstate(all="ignore"):  # a payload may hold any float
        value: NDArray[np.float64] = np.round(number * multiplier / divisor + added, 9)
    return value


def impossible(fields: Sequence[Field], field: Integers, value: NDArray[np.float64]) -> pa.Array:
    """Why a value cannot be one of its quantity, or null."""
    limits = [PHYSICAL_LIMITS[each.quantity] for each in fields]
    low, high = np.array(limits, np.float64).reshape(-1, 2)[field].T
    with np.errstate(invalid="ignore"):
        is_within = (low <= value) & (value <= high)
    reasons = [
        f"{each.quantity} beyond what it can be ({least:g} to {most:g} {each.unit})"
        for each, (least, most) in zip(fields, limits, strict=True)
    ]
    reasons += [f"{each.quantity} is not a number" for each in fields]
    index = np.where(np.isfinite(value), field, field + len(fields))
    return named([*reasons, None], np.where(is_within, -1, index))


def named(names: Sequence[str | None], index: NDArray[np.integer], kind: pa.DataType = TEXT) -> pa.Array:
    """``names[index]``, of type ``kind``; −1 is the last, as in numpy."""
    return pa.array(names, kind).take(pa.array(np.where(index < 0, len(names) - 1, index)))


def read_integers(
    payloads: NDArray[np.uint8], rows: Integers, position: Integers, of: Field, byte_order: ByteOrder
) -> Integers:
    """The raw number of ``of`` in each of ``rows``, starting at ``position``."""
    offsets = range(of.width) if byte_order == "big" else reversed(range(of.width))
    raw = np.zeros(len(rows), np.int64)
    for offset in offsets:
        raw = raw << 8 | payloads[rows, position + offset]
    if of.is_signed:
        limit = 1 << (8 * of.width - 1)
        raw = np.where(raw >= limit, raw - 2 * limit, raw)
    return raw


class Found:
    """Numbers as a decoder finds them, step by step."""

    def __init__(self, fault: NDArray[np.int8], is_tilted: NDArray[np.bool_]) -> None:
        self.fault = fault
        self.is_tilted = is_tilted
        self._parts: list[tuple[Integers, Integers, Integers, Integers]] = []

    def add(self, rows: Integers, field: int, raw: Integers, seconds: Integers | None = None) -> None:
        """One number of the field with this index for each of ``rows``."""
        times = np.full(len(rows), NO_TIME) if seconds is None else seconds
        self._parts.append((rows, np.full(len(rows), field), raw, times))

    def settle(self, fields: Sequence[Field]) -> DecodedPayloads:
        """Drop the numbers of faulty payloads and repeats of a number; refuse payloads that contradict themselves.

        Two of the ``fields`` may be one quantity: of equal numbers the one of the first field stays.
        """
        columns = zip(*self._parts, strict=True) if self._parts else 4 * [()]
        payload, index, raw, seconds = (np.concatenate([NO_INTEGERS, *part]) for part in columns)
        quantities = [field.quantity for field in fields]
        first = np.array([quantities.index(quantity) for quantity in quantities], np.int64)
        # Every part is in order, which a stable sort makes use of.
        by_quantity = payload * (1 + len(fields)) + first[index]
        order = (
            np.lexsort((index, seconds, by_quantity))
            if seconds.max(initial=NO_TIME) > NO_TIME or len(set(quantities)) < len(quantities)
            else np.argsort(by_quantity, kind="stable")
        )
        payload, index, raw, seconds = payload[order], index[order], raw[order], seconds[order]
        by_quantity = by_quantity[order]
        is_same = (by_quantity[1:] == by_quantity[:-1]) & (seconds[1:] == seconds[:-1])
        is_same_raw = raw[1:] == raw[:-1]
        contradicting = payload[1:][is_same & ~is_same_raw]
        fault = self.fault
        fault[contradicting[fault[contradicting] == DECODED]] = CONTRADICTION
        is_empty = np.ones(len(fault), np.bool_)
        is_empty[payload] = False
        fault[is_empty & (fault == DECODED)] = NO_FIELD
        keep = fault[payload] == DECODED
        keep[1:] &= ~(is_same & is_same_raw)
        return DecodedPayloads(payload[keep], index[keep], raw[keep], seconds[keep], fault, self.is_tilted)


def _sentinels(fields: Sequence[Field], field: Integers, raw: Integers) -> tuple[list[str], Integers]:
    """All reasons, and for each number the index of its own or −1."""
    names: list[str] = []
    reasons = np.full(len(raw), -1)
    for index, each in enumerate(fields):
        for sentinel, reason in each.sentinels:
            reasons[(field == index) & (raw == sentinel)] = len(names)
            names.append(reason)
    return names, reasons
