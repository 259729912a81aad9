"""Workbooks (.xlsx) become grids of texts, one per sheet."""

from typing import Final

import fastexcel
import polars as pl

from hogland_pipeline.sources.survey_csv import LINE

_COMPOUND_FILE: Final = bytes.fromhex("d0cf11e0a1b11ae1")


class UnreadableWorkbook(ValueError):
    """A workbook cannot be read; the reason as part of a sentence."""


def read_grids(content: bytes) -> dict[str, pl.DataFrame]:
    """Per sheet its texts (null where empty) and ``sheet_row``, the row as Excel numbers it.

    Raises ``UnreadableWorkbook``: protected, an old .xls, half copied or damaged.
    """
    if content.startswith(_COMPOUND_FILE):
        raise UnreadableWorkbook("it is protected by a password or an old .xls, not an .xlsx workbook")
    # What the reader says may quote cells, so its words are not passed on.
    try:
        reader = fastexcel.read_excel(content)
        return {name: _grid(reader, name) for name in reader.sheet_names}
    except (fastexcel.FastExcelError, pl.exceptions.PolarsError):
        raise UnreadableWorkbook("it is no readable workbook (half copied, or damaged)") from None


def _grid(reader: fastexcel.ExcelReader, name: str) -> pl.DataFrame:
    grid = reader.load_sheet(name, header_row=None, skip_rows=0, dtypes="string").to_polars()
    grid.columns = [f"column_{index}" for index in range(grid.width)]
    return grid.with_columns(pl.all().str.strip_chars().replace("", None)).with_row_index(LINE, offset=1)
