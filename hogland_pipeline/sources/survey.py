"""AI-maturity surveys: Microsoft Forms workbooks in a drop folder become answers without persons.

What lands is not the workbook but what may be kept of it: respondents as keyed hashes, the answers of mapped
questions, no address, no name, no free text. The landing address carries the digest of the original, which
stays where it is. A landing file is NDJSON: a first line about the export, then one line per response and
question.
"""

import fnmatch
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa

from hogland_pipeline.sources.notes import SourceNote
from hogland_pipeline.sources.privacy import PersonalValues, RespondentKey
from hogland_pipeline.sources.survey_answers import decode_answers
from hogland_pipeline.sources.survey_wave import Wave, answer_key
from hogland_pipeline.sources.survey_workbook import (
    Columns,
    Sheet,
    match_columns,
    read_sheet,
)
from sensors_ingest.http import Folder, folder_path
from sensors_ingest.landing import LandedFile, Landing
from sensors_ingest.readings import UTC_TIMESTAMP

SURVEY_ANSWER_SCHEMA: Final = pa.schema(
    [
        ("wave", pa.string()),
        ("respondent", pa.string()),
        ("question_id", pa.string()),
        ("answer", pa.string()),
        ("municipality_code", pa.string()),
        ("role", pa.string()),
        ("submitted_at", UTC_TIMESTAMP),
        ("received_at", UTC_TIMESTAMP),
        ("landing_id", pa.string()),
        ("landing_row", pa.int64()),
        ("reject_reason", pa.string()),
        ("source_row", pa.string()),
    ]
)

_ANONYMOUS: Final = ("anonymous", "anonym")
_EXPORT_FORMAT: Final = 1
LONGEST_HEADER: Final = 300


class RespondentKeyChanged(Exception):
    """Earlier exports were hashed with another key: loading this one would count everybody twice."""

    def __init__(self, source: str, wave: str) -> None:
        super().__init__(
            f"Source {source!r}: earlier exports of wave '{wave}' were hashed with another respondent key, "
            "and everybody would be counted twice: set the earlier key again, or remove the wave's landing "
            "files and rows first."
        )


@dataclass(frozen=True)
class SurveyExports:
    """The exports of one wave in a folder. Every ``.xlsx`` in it belongs to the wave; lock files (``~$…``) do
    not count.

    A person is the address, or in an anonymous form the response's number and start time, hashed together
    with the wave: nobody can be followed from one wave to the next.
    """

    origin: Folder
    wave: Wave
    key: RespondentKey
    name: str = "survey"
    decoder_version: str = "1"

    def fetch(self, landing: Landing, days: Sequence[date] = ()) -> list[LandedFile]:
        """Land what may be kept of every export; an export that says nothing new lands as the file it landed
        as before.

        Raises ``SourceUnreachable`` (no folder), ``MalformedExport`` (the first export that cannot be read as
        the wave says) and ``RespondentKeyChanged``; then nothing lands.
        """
        folder = folder_path(self.name, self.origin)
        paths = sorted(
            path
            for path in folder.iterdir()
            if path.is_file() and fnmatch.fnmatch(path.name.lower(), "*.xlsx") and not path.name.startswith("~$")
        )
        exports = [self._read(sheet) for sheet in map(read_sheet, paths)]
        self._refuse_another_key(landing)
        landed = [landing.write(self.name, [content], address=address, suffix="ndjson") for address, content in exports]
        return list({file.landing_id: file for file in landed}.values())

    def decode(self, landing: Landing, files: Sequence[LandedFile]) -> Iterator[pa.RecordBatch]:
        """Answers as ``SURVEY_ANSWER_SCHEMA``: one row per response and question, rejected ones with their
        reason.

        Multiple choice gives one row per option (``<question>.<option>``, yes or no). A question left empty
        gives the answer ``no_answer``, so that an answer withdrawn by an edit does not live on. A respondent
        who answered again has rows with a later ``submitted_at``.
        """
        for file in files:
            first_line, _, lines = landing.read(file).partition(b"\n")
            wave = json.loads(first_line)["wave"]
            if wave != self.wave.wave:
                continue  # another wave of the same landing: decoded by its own definition
            answers = decode_answers(lines, self.wave).with_columns(
                pl.lit(file.received_at).alias("received_at"), pl.lit(file.landing_id).alias("landing_id")
            )
            table = answers.select(SURVEY_ANSWER_SCHEMA.names).to_arrow().cast(SURVEY_ANSWER_SCHEMA)
            yield from table.combine_chunks().to_batches()

    def notes(self, landing: Landing, files: Sequence[LandedFile]) -> list[SourceNote]:
        """What a person should look at: columns that are not mapped, questions reworded, other sheets, the
        key.
        """
        notes = [
            SourceNote(self.name, file.address, message) for file in files for message in _about(landing, file)["notes"]
        ]
        if self.key.is_development:
            notes.append(
                SourceNote(
                    self.name,
                    self.wave.wave,
                    "respondents are hashed with the development key, which is public",
                )
            )
        return notes

    def _read(self, sheet: Sheet) -> tuple[str, bytes]:
        """Address and content of the landing file of one export."""
        columns = match_columns(sheet, self.wave.columns)
        persons = PersonalValues(_texts(sheet, columns, "email") + _texts(sheet, columns, "name"))
        lines = _responses(sheet, columns, self.wave, self.key, persons)
        about = {
            "format": _EXPORT_FORMAT,
            "wave": self.wave.wave,
            "key_id": self.key.key_id,
            "responses": sheet.cells.height,
            "notes": _notes(sheet, columns, persons),
        }
        content = json.dumps(about, ensure_ascii=False).encode() + b"\n" + lines.write_ndjson().encode()
        return f"{sheet.file}#sha256={sheet.digest}", content

    def _refuse_another_key(self, landing: Landing) -> None:
        for file in landing.files(self.name):
            about = _about(landing, file)
            if about["wave"] == self.wave.wave and about["key_id"] != self.key.key_id:
                raise RespondentKeyChanged(self.name, self.wave.wave)


def _about(landing: Landing, file: LandedFile) -> dict[str, Any]:
    first_line = landing.read(file).partition(b"\n")[0]
    about: dict[str, Any] = json.loads(first_line)
    return about


def _responses(sheet: Sheet, columns: Columns, wave: Wave, key: RespondentKey, persons: PersonalValues) -> pl.DataFrame:
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
        pl.Series("respondent", _respondents(sheet, columns, wave, key)),
        *_submitted(sheet, columns, wave, persons),
        *[
            pl.Series(question_id, _kept_answers(sheet.cells[letters], wave, question_id, persons), pl.String)
            for question_id, letters in kept.items()
        ],
    )
    return responses.unpivot(
        list(kept),
        index=["sheet_row", "respondent", "submitted_at", "submitted_text"],
        variable_name="question",
        value_name="answer",
    ).sort("sheet_row", pl.col("question").replace_strict(order, return_dtype=pl.Int64))


def _respondents(sheet: Sheet, columns: Columns, wave: Wave, key: RespondentKey) -> list[str]:
    emails, numbers, starts = (_texts(sheet, columns, name) for name in ("email", "response_id", "started_at"))
    return [
        key.respondent(wave.wave, "anonymous", number, start)
        if answer_key(email) in ("", *_ANONYMOUS)
        else key.respondent(wave.wave, "email", email.casefold())
        for email, number, start in zip(emails, numbers, starts, strict=True)
    ]


def _submitted(sheet: Sheet, columns: Columns, wave: Wave, persons: PersonalValues) -> list[pl.Series]:
    """When each response was last changed, as UTC text; what is no time is kept aside for the reject's
    reason.
    """
    completed, modified = (_texts(sheet, columns, name) for name in ("completed_at", "modified_at"))
    texts = [later or first for first, later in zip(completed, modified, strict=True)]
    times = [_utc_text(text, wave) for text in texts]
    unread = [None if time else persons.withhold(text) for text, time in zip(texts, times, strict=True)]
    return [pl.Series("submitted_at", times, pl.String), pl.Series("submitted_text", unread, pl.String)]


def _utc_text(text: str, wave: Wave) -> str | None:
    for pattern in wave.datetime_formats:
        try:
            local = datetime.strptime(text.partition(".")[0], pattern).replace(tzinfo=ZoneInfo(wave.timezone))
        except ValueError:
            continue
        return local.astimezone(UTC).isoformat()
    return None


def _kept_answers(cells: pl.Series, wave: Wave, question_id: str, persons: PersonalValues) -> list[str | None]:
    """Answers as the export words them; what is none of the question's answers is kept only if it names
    nobody.
    """
    question = wave.columns[question_id]
    known = question.codes

    def kept(text: str) -> str:
        if question.type != "multiple":
            return text if answer_key(text) in known else persons.withhold(text)
        parts = [part.strip() for part in text.split(";") if part.strip()]
        unknown = "other" if question.allows_other else None
        return ";".join(part if answer_key(part) in known else unknown or persons.withhold(part) for part in parts)

    answers = {text: kept(text) for text in cells.drop_nulls().unique()}
    return [answers.get(text) for text in cells]


def _notes(sheet: Sheet, columns: Columns, persons: PersonalValues) -> list[str]:
    headers = {letters: " ".join(sheet.headers[letters].split()) for letters in columns.unmapped}
    unmapped = [
        f"column {letters} ('{persons.withhold(header, LONGEST_HEADER)}') is mapped to no question: not kept"
        for letters, header in headers.items()
    ]
    others = [f"{sheet.other_sheets} other sheet(s) are not read"] if sheet.other_sheets else []
    return [*columns.remarks, *unmapped, *others]


def _texts(sheet: Sheet, columns: Columns, form_column: str) -> list[str]:
    """The cells of a form column, empty texts where the export has none."""
    letters = columns.form.get(form_column)
    return [text or "" for text in sheet.cells[letters]] if letters else [""] * sheet.cells.height
