"""JSON-stat 2.0, the format of statistical offices: a list of values over a cube of dimensions, decoded in bulk."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from hogland_pipeline.sources.indicators import CONFIDENTIAL, MISSING, OBSERVED, MalformedAnswer

# Statistics Sweden's symbols for a cell without a number. "-" is a true zero; an unknown symbol is passed on as it is.
SYMBOLS: Final[Mapping[str, str]] = {".": MISSING, "..": MISSING, "": MISSING, "-": OBSERVED, "··": CONFIDENTIAL}


@dataclass(frozen=True)
class Cube:
    """A decoded answer.

    ``cells`` has one column a dimension (codes), ``value`` and ``symbol``; ``units`` are by contents code; ``roles``
    names the dimensions of time, geo and metric; ``updated`` is the source's own time, as text.
    """

    cells: pl.DataFrame
    codes: Mapping[str, list[str]]
    roles: Mapping[str, str]
    units: Mapping[str, str]
    updated: str | None


def read_cube(address: str, content: Mapping[str, Any]) -> Cube:
    """Raises ``MalformedAnswer`` for an answer that is no whole JSON-stat 2.0 dataset."""
    try:
        names, sizes = list(content["id"]), [int(size) for size in content["size"]]
        codes = {name: category_codes(content["dimension"][name]["category"]["index"]) for name in names}
        values, symbols = content["value"], content.get("status")
    except (KeyError, TypeError, ValueError) as error:
        raise MalformedAnswer(address, f"it is no JSON-stat 2.0 dataset ({type(error).__name__}: {error})") from None
    if [len(codes[name]) for name in names] != sizes:
        raise MalformedAnswer(address, f"its dimensions have other sizes than the {sizes} it states")
    count = math.prod(sizes)
    if isinstance(values, list) and len(values) != count:
        raise MalformedAnswer(address, f"it is cut off: {count} cells, {len(values)} values")
    places = np.unravel_index(np.arange(count), sizes)
    columns = {name: np.array(codes[name], dtype=object)[place] for name, place in zip(names, places, strict=True)}
    cells = pl.DataFrame(columns, schema=dict.fromkeys(names, pl.String)).with_columns(
        _dense(values, count, pl.Float64()).alias("value"), _dense(symbols, count, pl.String()).alias("symbol")
    )
    roles = {role: names[0] for role, names in content.get("role", {}).items() if names}
    metric = content["dimension"].get(roles.get("metric", ""), {})
    units = {code: str(unit.get("base", "")) for code, unit in metric.get("category", {}).get("unit", {}).items()}
    return Cube(cells, codes, roles, units, content.get("updated"))


def value_status() -> pl.Expr:
    """Why a cell has no number, or that it has one."""
    unexplained = pl.col("symbol").fill_null("").str.strip_chars()
    return (
        pl.when(pl.col("value").is_not_null())
        .then(pl.lit(OBSERVED))
        .otherwise(unexplained.replace(SYMBOLS))
        .alias("value_status")
    )


def category_codes(index: list[str] | dict[str, int]) -> list[str]:
    """Category codes in the order of the cube; the index is a list, or a place for each code."""
    return list(index) if isinstance(index, list) else sorted(index, key=lambda code: index[code])


def _dense(values: Any, count: int, kind: pl.DataType) -> pl.Series:
    """A value a cell; JSON-stat may leave empty cells out (an object by place) or say one thing for all."""
    if isinstance(values, dict):
        places = {int(place): value for place, value in values.items()}
        values = [places.get(place) for place in range(count)]
    elif not isinstance(values, list):
        values = [values] * count
    return pl.Series(values, dtype=kind)
