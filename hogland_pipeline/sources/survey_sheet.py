"""One export of any platform: its sheet, its header and the columns of a wave. Nothing is written here.

Errors repeat headers' expected wordings and places, never what a cell says: it could be a name.
"""

import difflib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from hogland_pipeline.sources.survey_csv import LINE, UnreadableCsv, read_csv_grid
from hogland_pipeline.sources.survey_platforms import Platform, find_header, known_headers
from hogland_pipeline.sources.survey_wave import Question, header_key
from hogland_pipeline.sources.survey_workbook import UnreadableWorkbook, read_grids

CSV_SUFFIXES: Final = (".csv", ".tsv")
EXPORT_SUFFIXES: Final = (".xlsx", ".xls", *CSV_SUFFIXES)

_SIMILAR_WORDING: Final = 0.6  # the same question reworded scores 0.7 and more, two different questions below 0.5


class MalformedExport(Exception):
    """A survey export cannot be read as its wave says; one sentence that names file, column and reason."""

    def __init__(self, file: str, reason: str, column: str | None = None) -> None:
        where = f"{file}, column {column}" if column else file
        super().__init__(f"Survey export {where}: {reason}.")
        self.file = file
        self.column = column
        self.reason = reason


@dataclass(frozen=True)
class Sheet:
    """The sheet with the responses.

    ``cells`` are texts (null where empty), one column per sheet column named by its letters, with ``sheet_row`` the row
    as Excel numbers it (in a CSV file the line); ``headers`` by letters, in order; ``digest`` is the SHA-256 of the
    whole original file.
    """

    file: str
    digest: str
    platform: Platform
    headers: Mapping[str, str]
    cells: pl.DataFrame
    other_sheets: int


@dataclass(frozen=True)
class Columns:
    """Where everything is: letters by form column and by question id, and what a person should look at."""

    form: Mapping[str, str]
    questions: Mapping[str, str]
    unmapped: tuple[str, ...]
    remarks: tuple[str, ...]


def read_sheet(path: Path) -> Sheet:
    """Read the one sheet that has a platform's header. Raises ``MalformedExport``."""
    content = path.read_bytes()
    if not content:
        raise MalformedExport(path.name, "the file is empty (0 bytes)")
    try:
        grids = {"": read_csv_grid(content)} if path.suffix.lower() in CSV_SUFFIXES else read_grids(content)
    except (UnreadableCsv, UnreadableWorkbook) as error:
        raise MalformedExport(path.name, str(error)) from None
    found = {name: header for name, grid in grids.items() if (header := find_header(grid)) is not None}
    if len(found) != 1:
        problem = f"{len(found)} sheets have" if found else f"no sheet of {len(grids)} has"
        raise MalformedExport(path.name, f"{problem} a header row with {known_headers()}")
    ((name, (platform, header_row)),) = found.items()
    return _sheet(path.name, hashlib.sha256(content).hexdigest(), platform, name, grids, header_row)


def match_columns(sheet: Sheet, questions: Mapping[str, Question]) -> Columns:
    """Find every form column and question by its header. Raises ``MalformedExport`` for one that is not
    there.
    """
    form = sheet.platform.form_columns(sheet.headers)
    places = [letters for letters in sheet.headers if letters not in form.values()]
    keys = {letters: header_key(sheet.headers[letters]) for letters in places}
    matched: dict[str, str] = {}
    remarks: list[str] = []
    for question_id, question in questions.items():
        candidates = _by_text(places, keys, question)
        if len(candidates) > 1:
            reason = f"has the text of columns {', '.join(candidates)} and none is column {question.position}"
            raise MalformedExport(sheet.file, f"question '{question_id}' {reason}", _excerpt(question))
        if candidates:
            matched[question_id] = candidates[0]
    for question_id, question in questions.items():
        if question_id in matched:
            continue
        letters = _by_position(places, keys, question, taken=set(matched.values()))
        if letters is None:
            expected = f"column {question.position} of the questions" if question.position else "any column"
            raise MalformedExport(
                sheet.file,
                f"question '{question_id}' was not found by its text or in {expected}",
                _excerpt(question),
            )
        matched[question_id] = letters
        remarks.append(f"column {letters}: question '{question_id}' is worded differently, found by its position")
    unmapped = tuple(letters for letters in places if letters not in matched.values())
    return Columns(form, matched, unmapped, tuple(remarks))


def _sheet(
    file: str, digest: str, platform: Platform, name: str, grids: Mapping[str, pl.DataFrame], header_row: int
) -> Sheet:
    lines, grid = grids[name].select(LINE), grids[name].drop(LINE)
    grid.columns = [_letters(index) for index in range(grid.width)]
    headers = dict(zip(grid.columns, grid.row(header_row), strict=True))
    cells = (
        pl.concat([lines, grid], how="horizontal")
        .slice(header_row + 1)
        .filter(pl.any_horizontal(pl.exclude(LINE).is_not_null()))
    )
    # A column without header and without values is a leftover of formatting.
    used = [letters for letters in grid.columns if headers[letters] or cells[letters].count()]
    if cells.is_empty():
        raise MalformedExport(file, "it has a header and no responses")
    return Sheet(
        file=file,
        digest=digest,
        platform=platform,
        headers={letters: headers[letters] or "" for letters in used},
        cells=cells.select(LINE, *used),
        other_sheets=len(grids) - 1,
    )


def _by_text(places: list[str], keys: Mapping[str, str], question: Question) -> list[str]:
    """The columns with one of the question's texts; only the one in its place, if that is among several."""
    candidates = [letters for letters in places if keys[letters] in question.header_keys]
    in_place = [letters for letters in candidates if places.index(letters) + 1 == question.position]
    return in_place if len(candidates) > 1 and in_place else candidates


def _by_position(places: list[str], keys: Mapping[str, str], question: Question, taken: set[str]) -> str | None:
    """The column in the question's place, if it is free and its header is nearly the question's."""
    if question.position is None or question.position > len(places):
        return None
    letters = places[question.position - 1]
    if letters in taken:
        return None
    likeness = max(difflib.SequenceMatcher(None, keys[letters], header_key(text)).ratio() for text in question.text)
    return letters if likeness >= _SIMILAR_WORDING else None


def _excerpt(question: Question) -> str:
    return f"'{' '.join(question.text[0].split())}'"


def _letters(index: int) -> str:
    """Excel's name of the column with this 0-based index."""
    letters = ""
    number = index + 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
