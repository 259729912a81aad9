"""Readings from the object a network server's codec made of a payload, for devices whose bytes we do not know."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sensors_ingest.decoders.fields import (
    LONGEST_SOURCE_VALUE,
    NO_INTEGERS,
    NO_TIME,
    Field,
    Integers,
    Numbers,
    impossible,
    in_unit,
    named,
)

Path = tuple[str, ...]

NO_OBJECT_FIELD: Final = "no known quantity in decoded object"


@dataclass(frozen=True)
class Entry:
    """A number of the object: ``path`` are its keys from the outside in."""

    path: Path
    field: Field


@dataclass(frozen=True)
class Condition:
    """The number at ``path`` is (or is not) ``value``; a number that is missing is neither."""

    path: Path
    relation: Literal["is", "is_not"]
    value: float


@dataclass(frozen=True)
class Refusal:
    """Numbers of ``quantities`` are no readings where all ``conditions`` hold; ``reason`` says why."""

    quantities: tuple[str, ...]
    conditions: tuple[Condition, ...]
    reason: str


def columns_at(paths: Sequence[Path]) -> list[str]:
    """SQL: what the JSON text ``object`` says at each path, as text and as a number; what is no JSON says nothing."""
    texts = f"json_extract_string(CASE WHEN json_valid(object) THEN object END, [{', '.join(map(_json_path, paths))}])"
    return [
        f"left({texts}[{n}], {LONGEST_SOURCE_VALUE}) AS text_{n}, try_cast({texts}[{n}] AS DOUBLE) AS number_{n}"
        for n in range(1, len(paths) + 1)
    ]


@dataclass(frozen=True)
class ReadObjects:
    """What stands in ``count`` objects, by path: as text, as a number (NaN where it is none), and whether nothing
    stands there.
    """

    count: int
    text: Mapping[Path, pa.Array]
    number: Mapping[Path, NDArray[np.float64]]
    is_absent: Mapping[Path, NDArray[np.bool_]]

    @classmethod
    def of(cls, table: pa.Table, rows: Integers, paths: Sequence[Path]) -> "ReadObjects":
        """From these ``rows`` of a table with ``columns_at(paths)``."""
        taken = pa.array(rows)
        text = {path: table[f"text_{n}"].take(taken).combine_chunks() for n, path in enumerate(paths, 1)}
        return cls(
            len(rows),
            text,
            {path: table[f"number_{n}"].take(taken).to_numpy() for n, path in enumerate(paths, 1)},
            {path: pc.is_null(each).to_numpy(zero_copy_only=False) for path, each in text.items()},
        )


@dataclass(frozen=True)
class ObjectDecoder:
    """What the objects of one codec mean. Keys that are not named are ignored; null is the same as absent."""

    entries: tuple[Entry, ...]
    refusals: tuple[Refusal, ...] = ()

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """The fields, one an entry."""
        return tuple(entry.field for entry in self.entries)

    @cached_property
    def paths(self) -> tuple[Path, ...]:
        """Where it looks in an object."""
        asked = [condition.path for refusal in self.refusals for condition in refusal.conditions]
        return tuple(dict.fromkeys([*(entry.path for entry in self.entries), *asked]))

    def decode(self, said: ReadObjects) -> Numbers:
        """The numbers of objects that were read at ``paths``, at least."""
        rows = [np.flatnonzero(~said.is_absent[entry.path]) for entry in self.entries]
        uplink = np.concatenate([NO_INTEGERS, *rows])
        order = np.argsort(uplink, kind="stable")
        field = np.repeat(np.arange(len(rows)), [len(each) for each in rows])[order]
        taken = list(zip(self.entries, rows, strict=True))
        number = np.concatenate([np.zeros(0), *(said.number[entry.path][of] for entry, of in taken)])[order]
        texts = [said.text[entry.path].take(pa.array(of)) for entry, of in taken]
        uplink = uplink[order]
        value = in_unit(self.fields, field, number)
        is_empty = np.ones(said.count, np.int64)
        is_empty[uplink] = 0
        return Numbers(
            self.fields,
            uplink,
            field,
            value,
            pa.chunked_array(texts, pa.string()).combine_chunks().take(pa.array(order)),
            pc.coalesce(
                self._refused(said, uplink, field),
                self._sentinels(field, number),
                impossible(self.fields, field, value),
            ),
            np.full(len(uplink), NO_TIME),
            named([None, NO_OBJECT_FIELD], is_empty),
            np.zeros(said.count, np.bool_),
        )

    def _refused(self, said: ReadObjects, uplink: Integers, field: Integers) -> pa.Array:
        """The reason of the first refusal that holds for each number, or null."""
        index = np.full(len(uplink), -1)
        for position, refusal in reversed(list(enumerate(self.refusals))):
            is_meant = np.array([each.quantity in refusal.quantities for each in self.fields], np.bool_)[field]
            for condition in refusal.conditions:
                number = said.number[condition.path][uplink]
                is_value = number == condition.value
                is_meant &= ~np.isnan(number) & (is_value if condition.relation == "is" else ~is_value)
            index[is_meant] = position
        return named([*(refusal.reason for refusal in self.refusals), None], index)

    def _sentinels(self, field: Integers, number: NDArray[np.float64]) -> pa.Array:
        index = np.full(len(field), -1)
        reasons: list[str] = []
        for position, each in enumerate(self.fields):
            for sentinel, reason in each.sentinels:
                index[(field == position) & (number == sentinel)] = len(reasons)
                reasons.append(reason)
        return named([*reasons, None], index)


def _json_path(path: Path) -> str:
    """SQL: the path as DuckDB wants it."""
    keys = "".join("." + json.dumps(key, ensure_ascii=False) for key in path)
    return "'$" + keys.replace("'", "''") + "'"
