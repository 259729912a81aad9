"""What may be kept of one export: respondents as keyed hashes and the answers of mapped questions; no address, no name,
no free text.

Its ``content`` is NDJSON: a first line about the export, then one line per response and question.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import polars as pl

from hogland_pipeline.sources.privacy import PersonalValues, RespondentKey
from hogland_pipeline.sources.survey_choices import CHOICE_SEPARATOR, join_sub_questions, split_choices
from hogland_pipeline.sources.survey_sheet import Columns, MalformedExport, Sheet, match_columns, read_sheet
from hogland_pipeline.sources.survey_times import utc_text
from hogland_pipeline.sources.survey_wave import Wave, answer_key

_LONGEST_HEADER: Final = 300

_ANONYMOUS: Final = ("anonymous", "anonym")
_EXPORT_FORMAT: Final = 1


@dataclass(frozen=True)
class Export:
    """One export as far as it may be kept: ``content`` lands, ``free_texts`` (respondent, question, text) do not."""

    path: Path
    digest: str
    wave: Wave
    content: bytes
    free_texts: pl.DataFrame

    @property
    def address(self) -> str:
        """The name of the original and its digest."""
        return f"{self.path.name}#sha256={self.digest}"


def read_export(path: Path, wave: Wave, key: RespondentKey) -> Export:
    """Read one export as its wave says. Raises ``MalformedExport``."""
    sheet = join_sub_questions(read_sheet(path), wave.columns)
    columns = match_columns(sheet, wave.columns)
    sheet, unsubmitted = _only_submitted(sheet, columns)
    persons = PersonalValues(
        text for column in ("email", "name", "last_name", "token") for text in _texts(sheet, columns, column)
    )
    respondents = _respondents(sheet, columns, wave, key)
    lines = _responses(sheet, columns, wave, respondents, persons)
    about = {
        "format": _EXPORT_FORMAT,
        "wave": wave.wave,
        "platform": sheet.platform.name,
        "key_id": key.key_id,
        "responses": sheet.cells.height,
        "notes": [*unsubmitted, *_notes(sheet, columns, persons)],
    }
    content = json.dumps(about, ensure_ascii=False).encode() + b"\n" + lines.write_ndjson().encode()
    return Export(path, sheet.digest, wave, content, _free_texts(sheet, columns, wave, respondents))


def _only_submitted(sheet: Sheet, columns: Columns) -> tuple[Sheet, list[str]]:
    """Without the responses nobody sent in, and a note that counts them."""
    if not sheet.platform.lists_unsubmitted:
        return sheet, []
    cells = sheet.cells.filter(pl.col(columns.form["completed_at"]).is_not_null())
    left_out = sheet.cells.height - cells.height
    if cells.is_empty():
        raise MalformedExport(sheet.file, f"none of its {left_out} responses was submitted")
    return replace(sheet, cells=cells), [f"{left_out} response(s) were not submitted: not read"] if left_out else []


def _responses(
    sheet: Sheet, columns: Columns, wave: Wave, respondents: Sequence[str], persons: PersonalValues
) -> pl.DataFrame:
    """Long rows: sheet_row, respondent, submitted_at (or submitted_text where it is no time), question,
    answer.
    """
    kept = {
        question_id: letters
        for question_id, letters in columns.questions.items()
        if wave.columns[question_id].type != "free_text"
    }
    order = {question_id: index for index, question_id in enumerate(kept)}
    responses = sheet.cells.select(
        "sheet_row",
        pl.Series("respondent", respondents),
        *_submitted(sheet, columns, wave, persons),
        *[
            pl.Series(question_id, _kept_answers(sheet, letters, wave, question_id, persons), pl.String)
            for question_id, letters in kept.items()
        ],
    )
    return responses.unpivot(
        list(kept),
        index=["sheet_row", "respondent", "submitted_at", "submitted_text"],
        variable_name="question",
        value_name="answer",
    ).sort("sheet_row", pl.col("question").replace_strict(order, return_dtype=pl.Int64))


def _free_texts(sheet: Sheet, columns: Columns, wave: Wave, respondents: Sequence[str]) -> pl.DataFrame:
    """Free texts as they were typed: respondent, question_id, text."""
    questions = [question_id for question_id, question in wave.columns.items() if question.type == "free_text"]
    texts = sheet.cells.select(
        pl.Series("respondent", respondents),
        *(sheet.cells[columns.questions[question_id]].alias(question_id) for question_id in questions),
    )
    return texts.unpivot(questions, index="respondent", variable_name="question_id", value_name="text").drop_nulls()


def _respondents(sheet: Sheet, columns: Columns, wave: Wave, key: RespondentKey) -> list[str]:
    emails, tokens, starts = (_texts(sheet, columns, name) for name in ("email", "token", "started_at"))
    numbers = _texts(sheet, columns, "response_id")
    if "response_id" not in columns.form:  # Google numbers nothing: the time, and who came first within a second
        numbers = _numbered(_texts(sheet, columns, "completed_at"))

    def respondent(email: str, token: str, number: str, start: str) -> str:
        if answer_key(email) not in ("", *_ANONYMOUS):
            return key.respondent(wave.wave, "email", email.casefold())
        if token:
            return key.respondent(wave.wave, "token", token)
        return key.respondent(wave.wave, "anonymous", number, start)

    return list(map(respondent, emails, tokens, numbers, starts))


def _numbered(texts: Sequence[str]) -> list[str]:
    seen: Counter[str] = Counter()
    numbered = []
    for text in texts:
        seen[text] += 1
        numbered.append(f"{text}#{seen[text]}")
    return numbered


def _submitted(sheet: Sheet, columns: Columns, wave: Wave, persons: PersonalValues) -> list[pl.Series]:
    """When each response was last changed, as UTC text; what is no time is kept aside for the reject's
    reason.
    """
    completed, modified = (_texts(sheet, columns, name) for name in ("completed_at", "modified_at"))
    texts = [later or first for first, later in zip(completed, modified, strict=True)]
    times = [utc_text(text, wave.datetime_formats, wave.timezone) for text in texts]
    unread = [None if time else persons.withhold(text) for text, time in zip(texts, times, strict=True)]
    return [pl.Series("submitted_at", times, pl.String), pl.Series("submitted_text", unread, pl.String)]


def _kept_answers(
    sheet: Sheet, letters: str, wave: Wave, question_id: str, persons: PersonalValues
) -> list[str | None]:
    """Answers as the export words them; what is none of the question's answers is kept only if it names
    nobody.
    """
    cells, question = sheet.cells[letters], wave.columns[question_id]
    known = question.codes

    def kept(text: str) -> str:
        if question.type != "multiple":
            return text if answer_key(text) in known else persons.withhold(text)
        parts = split_choices(text, sheet.platform.separator, known)
        unknown = "other" if question.allows_other else None
        return CHOICE_SEPARATOR.join(
            part if answer_key(part) in known else unknown or persons.withhold(part) for part in parts
        )

    answers = {text: kept(text) for text in cells.drop_nulls().unique()}
    return [answers.get(text) for text in cells]


def _notes(sheet: Sheet, columns: Columns, persons: PersonalValues) -> list[str]:
    headers = {letters: " ".join(sheet.headers[letters].split()) for letters in columns.unmapped}
    unmapped = [
        f"column {letters} ('{persons.withhold(header, _LONGEST_HEADER)}') is mapped to no question: not kept"
        for letters, header in headers.items()
    ]
    others = [f"{sheet.other_sheets} other sheet(s) are not read"] if sheet.other_sheets else []
    return [*columns.remarks, *unmapped, *others]


def _texts(sheet: Sheet, columns: Columns, form_column: str) -> list[str]:
    """The cells of a form column, empty texts where the export has none."""
    letters = columns.form.get(form_column)
    return [text or "" for text in sheet.cells[letters]] if letters else [""] * sheet.cells.height
