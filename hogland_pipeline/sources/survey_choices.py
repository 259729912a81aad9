"""Multiple choice as each platform writes it becomes the one form that is landed: choices with ``;`` between."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Final

import polars as pl

from hogland_pipeline.sources.survey_platforms import LIMESURVEY
from hogland_pipeline.sources.survey_sheet import Sheet
from hogland_pipeline.sources.survey_wave import Question, answer_key, header_key

CHOICE_SEPARATOR: Final = ";"

_SUB_QUESTION: Final = re.compile(r"^(?P<question>.+?)\s*(?:\[(?P<bracket>[^\[\]]+)\]|_(?P<code>SQ\w+|other))$")
_CHOSEN: Final = ("y", "yes", "ja", "1")
_NOT_CHOSEN: Final = ("n", "no", "nej", "0")


def join_sub_questions(sheet: Sheet, questions: Mapping[str, Question]) -> Sheet:
    """LimeSurvey's column per option (``AI[SQ001]``, or ``AI_SQ001`` in a data export: ``Y`` or empty) as one column.

    It holds the chosen options' codes, stands where the first of them stood and has the question's own header.
    """
    if sheet.platform is not LIMESURVEY:
        return sheet
    for question in questions.values():
        if question.type == "multiple":
            sheet = _joined(sheet, question)
    return sheet


def split_choices(text: str, separator: str, known: Collection[str]) -> Iterator[str]:
    """The choices of a cell. ``known`` are the wordings (``answer_key``) of the question's options.

    An option may hold the separator itself: the longest run of parts that is an option counts as one.
    """
    parts = text.split(separator)
    start = 0
    while start < len(parts):
        ends = range(len(parts), start, -1)
        runs = {end: separator.join(parts[start:end]).strip() for end in ends}
        end = next((end for end in ends if answer_key(runs[end]) in known), start + 1)
        if runs[end]:
            yield runs[end]
        start = end


def _joined(sheet: Sheet, question: Question) -> Sheet:
    options = {
        letters: option
        for letters, header in sheet.headers.items()
        if (option := _option(header, question)) is not None
    }
    if not options:
        return sheet
    first = next(iter(options))
    chosen = [
        pl.when(_key(letters).is_in(_CHOSEN) | (pl.lit(_is_other(option)) & ~_key(letters).is_in(_NOT_CHOSEN)))
        .then(pl.lit(option))
        .otherwise(_unread(letters))
        for letters, option in options.items()
    ]
    cells = sheet.cells.with_columns(
        pl.concat_str(chosen, separator=CHOICE_SEPARATOR, ignore_nulls=True).replace("", None).alias(first)
    ).drop([letters for letters in options if letters != first])
    headers = {letters: header for letters, header in sheet.headers.items() if letters in cells.columns}
    return replace(sheet, headers=headers | {first: question.text[0]}, cells=cells)


def _unread(letters: str) -> pl.Expr:
    """What is neither chosen nor not chosen stays as it is, to be refused like any answer outside its scale."""
    return pl.when(_key(letters).is_in(_NOT_CHOSEN)).then(None).otherwise(pl.col(letters))


def _key(letters: str) -> pl.Expr:
    return pl.col(letters).str.strip_chars().str.to_lowercase()


def _option(header: str, question: Question) -> str | None:
    match = _SUB_QUESTION.match(" ".join(header.split()))
    if match is None or header_key(match["question"]) not in question.header_keys:
        return None
    return match["bracket"] or match["code"]


def _is_other(option: str) -> bool:
    return answer_key(option) in ("other", "annat")
