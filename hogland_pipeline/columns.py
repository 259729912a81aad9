"""Columns of a published table: types that every reader knows, how rows are told apart, which period a row is of."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

PLAIN_TYPE = re.compile(
    r"BOOLEAN|TINYINT|SMALLINT|INTEGER|BIGINT|FLOAT|DOUBLE|DECIMAL\(\d+,\d+\)"
    r"|VARCHAR|DATE|TIMESTAMP( WITH TIME ZONE)?"
)
# The key column of marts whose rows are of a day, a month, a quarter or a year.
PERIOD = "period"
DAY_OF = {
    "DATE": "{}",
    "TIMESTAMP": "{}::DATE",
    "TIMESTAMP WITH TIME ZONE": "({} AT TIME ZONE 'UTC')::DATE",
}


@dataclass(frozen=True)
class Column:
    """A column as DuckDB names its type; the comment is the description from the model."""

    name: str
    type: str
    comment: str | None


def row_hash(columns: Sequence[Column]) -> str:
    """SQL for the hash of a row by these columns.

    It is DuckDB's own and may differ between its versions. Floating point numbers count to twelve digits: a sum
    over the same rows in another order may differ in the sixteenth, and no number has changed.
    """
    return f"hash({', '.join(_to_twelve_digits(column) for column in columns)})"


def _to_twelve_digits(column: Column) -> str:
    """The upper 41 bits of a number (Veltkamp's split): a difference of its twelfth digit stays, later ones go.

    Rounding by a logarithm costs twice as much. The number is made smaller first, or one near the end of the range
    would overflow. Infinities count as NaN.
    """
    cell = quoted(column.name)
    if column.type not in ("DOUBLE", "FLOAT"):
        return cell
    number = f"({cell}::DOUBLE * {2**-13})"  # in FLOAT the split would leave four digits
    return f"{number} * 4097 - ({number} * 4097 - {number})"


def period_of(columns: Sequence[Column], key: Sequence[str], required: Collection[str]) -> str:
    """SQL for the period of a row: the day of the first date or time of the key, or the key's ``period``; else empty.

    Periods are what large tables are compared by. A column that may be null is none.
    """
    types = {column.name: column.type for column in columns if column.name in required}
    for name in key:
        if name == PERIOD and types.get(name) == "VARCHAR":
            return quoted(name)
        if day := DAY_OF.get(types.get(name, "")):
            return day.format(quoted(name))
    return ""


def quoted(name: str) -> str:
    """A column's name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: object) -> str:
    """A text as SQL."""
    return "'" + str(value).replace("'", "''") + "'"
