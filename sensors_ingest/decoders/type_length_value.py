"""Decode many type-length-value payloads at once: one step a position in the payloads, never one a payload.

A device family is a table of items: type code, width, and which field (if any) the bytes hold. Items without
a field are known and skipped. Unknown types have no known width, so what follows cannot be trusted: the whole
payload is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

# LoRaWAN application payloads are at most 242 bytes in the EU868 region; a longer one is damaged.
LONGEST_PAYLOAD: Final = 242

DECODED, EMPTY, UNKNOWN_TYPE, TRUNCATED, CONTRADICTION, NO_FIELD = range(6)
FAULT_REASONS: Final = (
    "",
    "empty payload",
    "unknown type in payload",
    "truncated payload",
    "one quantity twice with different values in payload",
    "no known quantity in payload",
)


@dataclass(frozen=True)
class Field:
    """One quantity a payload holds: ``value = raw / divisor`` in ``unit``.

    ``width`` counts the bytes of the number itself. ``sentinels`` are the raw values that mean "no value",
    each with the reason. ``source_unit`` is the unit of the raw number.
    """

    quantity: str
    width: int
    unit: str
    source_unit: str
    divisor: int = 1
    is_signed: bool = False
    sentinels: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class Item:
    """``width`` bytes after the type; ``field`` is read from the first of them, None skips them. ``is_tilt``:
    not 0 means tilted.
    """

    width: int
    field: Field | None = None
    is_tilt: bool = False


@dataclass(frozen=True)
class DecodedPayloads:
    """Long form: one entry a decoded number; and per payload its fault and whether the device says it is
    tilted.

    ``payload`` (int64) and ``field`` (int64, index into the decoder's ``fields``) and ``raw`` (int64) have
    equal length; ``fault`` (int8, index into ``FAULT_REASONS``) and ``is_tilted`` (bool) have one entry a
    payload. A payload with a fault has no numbers.
    """

    payload: NDArray[np.int64]
    field: NDArray[np.int64]
    raw: NDArray[np.int64]
    fault: NDArray[np.int8]
    is_tilted: NDArray[np.bool_]


@dataclass(frozen=True)
class TypeLengthValueDecoder:
    """The payload language of one device family. ``type_width`` is the bytes of a type code, itself read
    big-endian.
    """

    items: Mapping[int, Item]
    type_width: Literal[1, 2]
    byte_order: Literal["big", "little"]

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """The distinct fields, in the order of the table."""
        return tuple(dict.fromkeys(item.field for item in self.items.values() if item.field))

    def decode(self, payloads: NDArray[np.uint8], lengths: NDArray[np.int64]) -> DecodedPayloads:
        """Decode a padded matrix (one row a payload, zeros after its length). Never raises on any bytes."""
        count = len(lengths)
        fault = np.where(lengths == 0, EMPTY, DECODED).astype(np.int8)
        is_tilted = np.zeros(count, np.bool_)
        found: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]] = []
        active = np.flatnonzero(lengths > 0)
        position = np.zeros(len(active), np.int64)
        while len(active):
            content = position + self.type_width
            is_typed = content <= lengths[active]
            fault[active[~is_typed]] = TRUNCATED
            active, position, content = active[is_typed], position[is_typed], content[is_typed]
            types = self._types_at(payloads, active, position)
            end = content + self._widths[types]
            is_known, is_whole = self._widths[types] > 0, end <= lengths[active]
            fault[active[~is_known]] = UNKNOWN_TYPE
            fault[active[is_known & ~is_whole]] = TRUNCATED
            keep = is_known & is_whole
            active, content, end, types = active[keep], content[keep], end[keep], types[keep]
            for code in np.unique(types):
                item, chosen = self.items[int(code)], types == code
                rows = active[chosen]
                if item.is_tilt:
                    is_tilted[rows] |= payloads[rows, content[chosen]] != 0
                if item.field:
                    raw = _numbers(payloads, rows, content[chosen], item.field, self.byte_order)
                    found.append((rows, np.full(len(rows), self.fields.index(item.field)), raw))
            has_more = end < lengths[active]
            active, position = active[has_more], end[has_more]
        return _settle(found, fault, is_tilted)

    @cached_property
    def _widths(self) -> NDArray[np.int64]:
        """Width of every possible type; 0 is unknown."""
        widths = np.zeros(256**self.type_width, np.int64)
        for code, item in self.items.items():
            widths[code] = item.width
        return widths

    def _types_at(
        self, payloads: NDArray[np.uint8], rows: NDArray[np.int64], position: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        types = np.zeros(len(rows), np.int64)
        for offset in range(self.type_width):
            types = types << 8 | payloads[rows, position + offset]
        return types


def _numbers(
    payloads: NDArray[np.uint8],
    rows: NDArray[np.int64],
    position: NDArray[np.int64],
    of: Field,
    byte_order: Literal["big", "little"],
) -> NDArray[np.int64]:
    offsets = range(of.width) if byte_order == "big" else reversed(range(of.width))
    raw = np.zeros(len(rows), np.int64)
    for offset in offsets:
        raw = raw << 8 | payloads[rows, position + offset]
    if of.is_signed:
        limit = 1 << (8 * of.width - 1)
        raw = np.where(raw >= limit, raw - 2 * limit, raw)
    return raw


def _settle(
    found: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]],
    fault: NDArray[np.int8],
    is_tilted: NDArray[np.bool_],
) -> DecodedPayloads:
    """Drop the numbers of faulty payloads and repeats of the same number; refuse payloads that contradict
    themselves.
    """
    nothing = np.zeros(0, np.int64)
    payload, index, raw = (
        (np.concatenate([nothing, *part]) for part in zip(*found, strict=True)) if found else 3 * [nothing]
    )
    order = np.lexsort((raw, index, payload))
    payload, index, raw = payload[order], index[order], raw[order]
    is_same_field = (payload[1:] == payload[:-1]) & (index[1:] == index[:-1])
    is_same_raw = raw[1:] == raw[:-1]
    contradicting = payload[1:][is_same_field & ~is_same_raw]
    fault[contradicting[fault[contradicting] == DECODED]] = CONTRADICTION
    is_empty = np.ones(len(fault), np.bool_)
    is_empty[payload] = False
    fault[is_empty & (fault == DECODED)] = NO_FIELD
    keep = fault[payload] == DECODED
    keep[1:] &= ~(is_same_field & is_same_raw)
    return DecodedPayloads(payload[keep], index[keep], raw[keep], fault, is_tilted)
