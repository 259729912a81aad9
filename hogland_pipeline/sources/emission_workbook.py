"""The workbook of the national emission database: find its table, whatever stands above it."""

import re
from dataclasses import dataclass
from datetime import date
from typing import Final

import fastexcel
import polars as pl

from hogland_pipeline.sources.indicators import MalformedAnswer

KEY_COLUMNS: Final = {"huvudsektor": "sector", "undersektor": "subsector", "län": "county", "kommun": "municipality"}
UNITS: Final = ("ton/år", "ton per år", "ton")

_HEADER_SEARCH_ROWS: Final = 30
_YEAR: Final = re.compile(r"^(19|20)\d\d(\.0)?$")
_REPORT_DATE: Final = re.compile(r"\b(20\d\d-\d\d-\d\d)\b")
_SUBSTANCES: Final = {"co2": "CO2", "koldioxid": "CO2", "ggt": "GGT", "växthusgas": "GGT"}


@dataclass(frozen=True)
class Cells:
    """A table of emissions, long.

    ``rows`` has landing_row (from 1, as Excel numbers it), sector, county, municipality, year and cell, all as written;
    ``substance`` is GGT or CO2, ``report_date`` the day the file states, if it does.
    """

    rows: pl.DataFrame
    substance: str
    report_date: date | None


def read_workbook(address: str, content: bytes) -> Cells:
    """The main sectors of every area and year. Raises ``MalformedAnswer``."""
    try:
        sheet = fastexcel.read_excel(content).load_sheet(0, header_row=None, skip_rows=0, dtypes="string")
    except fastexcel.FastExcelError:
        raise MalformedAnswer(address, "it is no readable .xlsx workbook") from None
    grid = sheet.to_polars().select(pl.all().str.strip_chars())
    top = grid.head(_HEADER_SEARCH_ROWS)
    header = _header_row(address, top)
    keys = {KEY_COLUMNS[key]: column for column in grid.columns if (key := _folded(top[column][header])) in KEY_COLUMNS}
    years_row, years = _years(address, top, header, set(keys.values()))
    above = [cell for row in top.head(max(header, years_row) + 1).rows() for cell in row if cell]
    _check_unit(address, above)
    return Cells(_long(grid, max(header, years_row) + 1, keys, years), _substance(address, above), _report_date(above))


def _header_row(address: str, top: pl.DataFrame) -> int:
    for index, row in enumerate(top.rows()):
        if set(KEY_COLUMNS) <= {_folded(cell) for cell in row}:
            return index
    raise MalformedAnswer(
        address, f"no row among the first {top.height} names Huvudsektor, Undersektor, Län and Kommun"
    )


def _years(address: str, top: pl.DataFrame, header: int, keys: set[str]) -> tuple[int, dict[str, str]]:
    """The row with the years and the year of each column: the nearest to the header that has any."""
    columns = [column for column in top.columns if column not in keys]
    for index in sorted(range(top.height), key=lambda index: abs(index - header)):
        found = {column: str(top[column][index])[:4] for column in columns if _YEAR.match(top[column][index] or "")}
        if not found:
            continue
        unnamed = [column for column in columns if column not in found and top[column][header + 1 :].count()]
        if unnamed:
            raise MalformedAnswer(address, f"row {index + 1} gives {len(unnamed)} column(s) with numbers no year")
        if len(set(found.values())) < len(found):
            raise MalformedAnswer(address, f"row {index + 1} names a year twice")
        return index, found
    raise MalformedAnswer(address, "no row near the header names years")


def _long(grid: pl.DataFrame, first_row: int, keys: dict[str, str], years: dict[str, str]) -> pl.DataFrame:
    """One row a sector, area and year. A row under the header that names no area at all (units, notes) is no data."""
    return (
        grid.with_row_index("landing_row", 1)
        .slice(first_row)
        .rename({column: name for name, column in keys.items()} | years)
        .filter(pl.any_horizontal(pl.col(*keys).is_not_null()))
        .filter(pl.col("subsector").fill_null("Alla").str.to_lowercase() == "alla")
        .unpivot(
            on=list(years.values()),
            index=["landing_row", "sector", "county", "municipality"],
            variable_name="year",
            value_name="cell",
        )
        .with_columns(pl.col("landing_row").cast(pl.Int64))
    )


def _check_unit(address: str, above: list[str]) -> None:
    for cell in above:
        label, _, unit = cell.partition(":")
        if _folded(label) == "enhet" and _folded(unit) not in UNITS:
            raise MalformedAnswer(address, f"its unit is '{unit.strip()}', not ton/år")


def _substance(address: str, above: list[str]) -> str:
    """The substance that the cells above the table speak of."""
    text = " ".join(above).casefold()
    found = {substance for word, substance in _SUBSTANCES.items() if re.search(rf"\b{word}", text)}
    if not found:
        raise MalformedAnswer(address, "it names neither GGT (greenhouse gases) nor CO2")
    # What says greenhouse gases may add that they are counted in CO2 equivalents.
    return "GGT" if "GGT" in found else "CO2"


def _report_date(above: list[str]) -> date | None:
    stated = _REPORT_DATE.search(" ".join(above))
    return date.fromisoformat(stated[1]) if stated else None


def _folded(cell: str | None) -> str:
    return (cell or "").strip().casefold()
