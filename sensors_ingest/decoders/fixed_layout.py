"""Decode many payloads whose numbers stand at fixed places, all payloads of one layout at once."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sensors_ingest.decoders.fields import (
    DECODED,
    EMPTY,
    UNKNOWN_LAYOUT,
    ByteOrder,
    DecodedPayloads,
    Field,
    Found,
    Integers,
    read_integers,
)

TIME: Final = Field("time", 4, "s", "s")


@dataclass(frozen=True)
class Where:
    """The byte at ``offset``, of which ``mask`` counts, is one of ``values``."""

    offset: int
    values: Collection[int]
    mask: int = 0xFF

    def holds(self, payloads: NDArray[np.uint8], rows: Integers, start: Integers) -> NDArray[np.bool_]:
        """For each of ``rows``, whose record starts at ``start``."""
        return np.isin(payloads[rows, start + self.offset] & self.mask, list(self.values))


@dataclass(frozen=True)
class Place:
    """A number at ``offset``; with ``where`` only in payloads for which that holds."""

    offset: int
    field: Field
    where: tuple[Where, ...] = ()


@dataclass(frozen=True)
class Layout:
    """``length`` bytes (with ``repeats`` several times that) on ``port`` (None: any), with numbers at ``places``.

    A layout with ``time_offset`` is a measurement the device kept for later, of which that is the Unix time, 4 bytes.
    Conditions and places lie inside ``length``.
    """

    length: int
    places: tuple[Place, ...]
    port: int | None = None
    where: tuple[Where, ...] = ()
    time_offset: int | None = None
    repeats: bool = False


@dataclass(frozen=True)
class FixedLayoutDecoder:
    """The payloads of one device family; the first layout that fits a payload is its own."""

    layouts: tuple[Layout, ...]
    byte_order: ByteOrder

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """The distinct fields, in the order of the layouts."""
        return tuple(dict.fromkeys(place.field for layout in self.layouts for place in layout.places))

    def decode(self, payloads: NDArray[np.uint8], lengths: Integers, ports: Integers) -> DecodedPayloads:
        """Decode a padded matrix (one row a payload, zeros after its length). Never raises on any bytes."""
        fault = np.where(lengths == 0, EMPTY, UNKNOWN_LAYOUT).astype(np.int8)
        found = Found(fault, np.zeros(len(lengths), np.bool_))
        left = np.flatnonzero(lengths > 0)
        for layout in self.layouts:
            fits = _fits(layout, payloads, lengths, ports, left)
            rows, left = left[fits], left[~fits]
            fault[rows] = DECODED
            for start in range(0, int(lengths[rows].max(initial=0)), layout.length):
                self._read(layout, payloads, rows[lengths[rows] > start], start, found)
        return found.settle(self.fields)

    def _read(self, layout: Layout, payloads: NDArray[np.uint8], rows: Integers, start: int, found: Found) -> None:
        for place in layout.places:
            at = np.full(len(rows), start)
            holds = np.ones(len(rows), np.bool_)
            for where in place.where:
                holds &= where.holds(payloads, rows, at)
            chosen, at = rows[holds], at[holds]
            raw = read_integers(payloads, chosen, at + place.offset, place.field, self.byte_order)
            seconds = None
            if layout.time_offset is not None:
                seconds = read_integers(payloads, chosen, at + layout.time_offset, TIME, self.byte_order)
            found.add(chosen, self.fields.index(place.field), raw, seconds)


def _fits(
    layout: Layout, payloads: NDArray[np.uint8], lengths: Integers, ports: Integers, rows: Integers
) -> NDArray[np.bool_]:
    fits: NDArray[np.bool_]
    fits = lengths[rows] % layout.length == 0 if layout.repeats else lengths[rows] == layout.length
    if layout.port is not None:
        fits &= ports[rows] == layout.port
    for where in layout.where:
        candidates = np.flatnonzero(fits)
        fits[candidates] = where.holds(payloads, rows[candidates], np.zeros(len(candidates), np.int64))
    return fits
