"""CSV exports of LimeSurvey and Google Forms become a grid of texts. Errors name the line, never what it says."""

import csv
import io
from typing import Final

import polars as pl

from hogland_pipeline.sources.survey_platforms import find_header, known_headers

DELIMITERS: Final = {",": "commas", ";": "semicolons", "\t": "tabs"}
LINE: Final = "sheet_row"

_BYTE_ORDER_MARKS: Final = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


class UnreadableCsv(ValueError):
    """A CSV export cannot be read; the reason as part of a sentence."""


def read_csv_grid(content: bytes) -> pl.DataFrame:
    """Texts (null where empty), columns ``column_0`` … and ``sheet_row``, the line a record ends on.

    UTF-8 with or without mark, UTF-16 with one, and Windows-1252; commas, semicolons or tabs, whichever gives the
    header row of a known platform. Raises ``UnreadableCsv``: another encoding or delimiter, a quote that is never
    closed, or a row with other cells than the header, which is what a half-copied file ends with.
    """
    text = _decoded(content)
    for delimiter in DELIMITERS:
        first_rows = list(_rows("".join(text.splitlines(keepends=True)[:10]), delimiter, strict=False))
        if first_rows and find_header(_grid(first_rows)) is not None:
            return _checked_grid(list(_rows(text, delimiter, strict=True)))
    raise UnreadableCsv(
        f"with {', '.join(DELIMITERS.values())} between the cells, no row is a header row with {known_headers()}:"
        " another delimiter, or another file"
    )


def _decoded(content: bytes) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            return _strictly(content, encoding)
    if b"\0" in content:
        raise UnreadableCsv("it is no text: it holds zero bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return _strictly(content, "cp1252")


def _strictly(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UnreadableCsv(f"line {line} is neither UTF-8 nor Windows-1252") from None


def _rows(text: str, delimiter: str, *, strict: bool) -> list[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=strict)
    rows = []
    try:
        for cells in reader:
            rows.append((reader.line_num, cells))
    except csv.Error:
        raise UnreadableCsv(
            f"line {reader.line_num}: a quote is not closed or stands inside a cell (half copied, or damaged)"
        ) from None
    return [(line, cells) for line, cells in rows if cells]


def _checked_grid(rows: list[tuple[int, list[str]]]) -> pl.DataFrame:
    grid = _grid(rows)
    header = find_header(grid)
    width = len(rows[header[1]][1]) if header else 0
    for line, cells in rows[header[1] if header else 0 :]:
        if len(cells) != width:
            raise UnreadableCsv(
                f"line {line} has {len(cells)} cells and the header {width} (half copied, or a delimiter inside a cell)"
            )
    return grid


def _grid(rows: list[tuple[int, list[str]]]) -> pl.DataFrame:
    width = max(len(cells) for _, cells in rows)
    padded = [[cell.strip() or None for cell in cells] + [None] * (width - len(cells)) for _, cells in rows]
    grid = pl.DataFrame(padded, schema=[(f"column_{index}", pl.String) for index in range(width)], orient="row")
    return grid.with_columns(pl.Series(LINE, [line for line, _ in rows], pl.UInt32))
