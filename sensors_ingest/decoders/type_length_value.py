"""Decode many type-length-value payloads at once: one step a position in the payloads, never one a payload.

A device family is a table of items: type code, width, and what the bytes hold. Items without a number are known and
skipped. Unknown types have no known width, so what follows cannot be trusted: the whole payload is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sensors_ingest.decoders.fields import (
    DECODED,
    EMPTY,
    TRUNCATED,
    UNKNOWN_TYPE,
    ByteOrder,
    DecodedPayloads,
    Field,
    Found,
    Integers,
    read_integers,
)

KEPT_TIME: Field = Field("time", 4, "s", "s")


@dataclass(frozen=True)
class Item:
    """``width`` bytes after the type; ``field`` is read from the first of them, None skips them. ``is_tilt``: not 0
    means tilted. ``again`` are the fields of an item that comes several times, from the second time on; when it comes
    once more than that, it is skipped.

    ``kept`` are the numbers (offset, field) of a measurement the device kept while it had no connection; the item
    then starts with its Unix time, 4 bytes.
    """

    width: int
    field: Field | None = None
    is_tilt: bool = False
    again: tuple[Field, ...] = ()
    kept: tuple[tuple[int, Field], ...] = ()


@dataclass(frozen=True)
class TypeLengthValueDecoder:
    """The payload language of one device family. ``type_width`` is the bytes of a type code, itself read
    big-endian.
    """

    items: Mapping[int, Item]
    type_width: Literal[1, 2]
    byte_order: ByteOrder

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """The distinct fields, in the order of the table."""
        of_items = ([item.field, *item.again, *(field for _, field in item.kept)] for item in self.items.values())
        return tuple(dict.fromkeys(field for fields in of_items for field in fields if field))

    def decode(self, payloads: NDArray[np.uint8], lengths: Integers, ports: Integers) -> DecodedPayloads:
        """Decode a padded matrix (one row a payload, zeros after its length), whatever the port. Never raises."""
        fault = np.where(lengths == 0, EMPTY, DECODED).astype(np.int8)
        found = Found(fault, np.zeros(len(lengths), np.bool_))
        came = {code: np.zeros(len(lengths), np.int64) for code, item in self.items.items() if item.again}
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
            for code in np.unique(types).tolist():
                chosen = types == code
                self._read(self.items[code], payloads, active[chosen], content[chosen], came.get(code), found)
            has_more = end < lengths[active]
            active, position = active[has_more], end[has_more]
        return found.settle(self.fields)

    def _read(
        self,
        item: Item,
        payloads: NDArray[np.uint8],
        rows: Integers,
        content: Integers,
        came: Integers | None,
        found: Found,
    ) -> None:
        """``came`` counts how often an item came before in each payload, for one that may come several times."""
        if item.is_tilt:
            found.is_tilted[rows] |= payloads[rows, content] != 0
        if item.field:
            raw = read_integers(payloads, rows, content, item.field, self.byte_order)
            for turn, field in enumerate((item.field, *item.again)):
                mine = slice(None) if came is None else came[rows] == turn
                found.add(rows[mine], self.fields.index(field), raw[mine])
        if came is not None:
            came[rows] += 1
        if item.kept:
            seconds = read_integers(payloads, rows, content, KEPT_TIME, self.byte_order)
            for offset, field in item.kept:
                raw = read_integers(payloads, rows, content + offset, field, self.byte_order)
                found.add(rows, self.fields.index(field), raw, seconds)

    @cached_property
    def _widths(self) -> Integers:
        """Width of every possible type; 0 is unknown."""
        widths = np.zeros(256**self.type_width, np.int64)
        for code, item in self.items.items():
            widths[code] = item.width
        return widths

    def _types_at(self, payloads: NDArray[np.uint8], rows: Integers, position: Integers) -> Integers:
        types = np.zeros(len(rows), np.int64)
        for offset in range(self.type_width):
            types = types << 8 | payloads[rows, position + offset]
        return types
