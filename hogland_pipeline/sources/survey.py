"""AI-maturity surveys: exports of Microsoft Forms, LimeSurvey and Google Forms in a drop folder become answers without
persons.

What lands is not the export but what may be kept of it (``survey_export``). The landing address carries the digest of
the original, which stays where it is or is removed, as configured.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final, Literal

import polars as pl
import pyarrow as pa

from hogland_pipeline.sources.notes import SourceNote
from hogland_pipeline.sources.privacy import RespondentKey
from hogland_pipeline.sources.survey_answers import decode_answers
from hogland_pipeline.sources.survey_export import Export, read_export
from hogland_pipeline.sources.survey_free_text import keep_free_texts
from hogland_pipeline.sources.survey_sheet import EXPORT_SUFFIXES, MalformedExport
from hogland_pipeline.sources.survey_wave import Wave
from sensors_ingest.http import Folder, SourceUnreachable, folder_path
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

_DECODER: Final = "2"


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
    """The exports in a folder: workbooks and CSV files; lock files (``~$…``) and hidden ones do not count.

    An export belongs to the wave whose name its subfolder has; with one wave it may also lie beside the subfolders. A
    person is the address or the token, or in an anonymous form the response's number and start time, hashed together
    with the wave: nobody can be followed from one wave to the next. ``originals`` says whether an export stays in the
    folder or is removed once it has landed. Free text is dropped, or written to ``free_text_folder`` if there is one.
    """

    origin: Folder
    waves: tuple[Wave, ...]
    key: RespondentKey
    originals: Literal["keep", "remove"] = "keep"
    free_text_folder: Path | None = None
    name: str = "survey"

    @property
    def decoder_version(self) -> str:
        """Changes with the definition of a wave, so that a corrected scale decodes what it had refused."""
        definitions = json.dumps([wave.model_dump() for wave in self.waves], sort_keys=True)
        return f"{_DECODER}-{hashlib.sha256(definitions.encode()).hexdigest()[:8]}"

    def fetch(self, landing: Landing, days: Sequence[date] = ()) -> list[LandedFile]:
        """Land what may be kept of every export; an export that says nothing new lands as the file it landed
        as before.

        Raises ``SourceUnreachable`` (no folder, or an original that cannot be removed), ``MalformedExport`` (the first
        export that cannot be read as the wave says) and ``RespondentKeyChanged``; then nothing lands.
        """
        exports = [read_export(path, wave, self.key) for wave, path in self._found()]
        self._refuse_another_key(landing)
        landed = {
            file.landing_id: file
            for export in exports
            for file in [landing.write(self.name, [export.content], address=export.address, suffix="ndjson")]
        }
        if self.free_text_folder is not None:
            for export in exports:
                keep_free_texts(self.free_text_folder, export.wave.wave, export.free_texts)
        if self.originals == "remove":
            for export in exports:
                self._remove(export)
        return list(landed.values())

    def decode(self, landing: Landing, files: Iterable[LandedFile]) -> Iterator[pa.RecordBatch]:
        """Answers as ``SURVEY_ANSWER_SCHEMA``: one row per response and question, rejected ones with their
        reason.

        Multiple choice gives one row per option (``<question>.<option>``, yes or no). A question left empty
        gives the answer ``no_answer``, so that an answer withdrawn by an edit does not live on. A respondent
        who answered again has rows with a later ``submitted_at``.
        """
        waves = {wave.wave: wave for wave in self.waves}
        for file in files:
            first_line, _, lines = landing.read(file).partition(b"\n")
            wave = waves.get(json.loads(first_line)["wave"])
            if wave is None:
                continue  # a wave that is no longer configured: what it loaded stays
            answers = decode_answers(lines, wave).with_columns(
                pl.lit(file.received_at).alias("received_at"), pl.lit(file.landing_id).alias("landing_id")
            )
            table = answers.select(SURVEY_ANSWER_SCHEMA.names).to_arrow().cast(SURVEY_ANSWER_SCHEMA)
            yield from table.combine_chunks().to_batches()

    def notes(self, landing: Landing, files: Sequence[LandedFile]) -> list[SourceNote]:
        """What a person should look at: columns that are not mapped, questions reworded, other sheets, respondents who
        are gone, the key.
        """
        notes = [
            SourceNote(self.name, file.address, message) for file in files for message in _about(landing, file)["notes"]
        ]
        notes += self._disappeared(landing, files)
        if self.key.is_development:
            notes.append(
                SourceNote(
                    self.name,
                    ", ".join(wave.wave for wave in self.waves),
                    "respondents are hashed with the development key, which is public",
                )
            )
        return notes

    def _found(self) -> Iterator[tuple[Wave, Path]]:
        """Every export with the wave it belongs to. Raises ``MalformedExport`` for one that belongs to none."""
        folder = folder_path(self.name, self.origin)
        waves = {wave.wave: wave for wave in self.waves}
        for path in sorted(folder.rglob("*")):
            parts = path.relative_to(folder).parts
            is_hidden = any(part.startswith((".", "~$")) for part in parts)
            if is_hidden or path.suffix.lower() not in EXPORT_SUFFIXES or not path.is_file():
                continue
            wave = waves.get(parts[0]) if len(parts) > 1 else None
            if wave is None and len(parts) == 1 and len(self.waves) == 1:
                wave = self.waves[0]
            if wave is None:
                place = f"in the folder '{parts[0]}'" if len(parts) > 1 else "in no wave's folder"
                raise MalformedExport(path.name, f"it lies {place}, and the waves are {', '.join(waves)}")
            yield wave, path

    def _remove(self, export: Export) -> None:
        """Remove an original that has landed, unless it was replaced by another meanwhile."""
        try:
            if hashlib.sha256(export.path.read_bytes()).hexdigest() == export.digest:
                export.path.unlink()
        except OSError as error:
            reason = f"it has landed, but the original cannot be removed ({error.strerror})"
            raise SourceUnreachable(self.name, export.path.name, reason) from None

    def _refuse_another_key(self, landing: Landing) -> None:
        waves = {wave.wave for wave in self.waves}
        for file in landing.files(self.name):
            about = _about(landing, file)
            if about["wave"] in waves and about["key_id"] != self.key.key_id:
                raise RespondentKeyChanged(self.name, about["wave"])

    def _disappeared(self, landing: Landing, files: Sequence[LandedFile]) -> Iterator[SourceNote]:
        """Respondents of a wave's earlier exports whom none of its new ones has."""
        new = {file.landing_id for file in files}
        earlier = [file for file in landing.files(self.name) if file.landing_id not in new]
        for wave in self.waves:
            arrived = _respondents_of(landing, files, wave)
            gone = _respondents_of(landing, earlier, wave) - arrived
            if arrived and gone:
                message = (
                    f"{len(gone)} respondent(s) of earlier exports are not in this one and keep their answers: were"
                    " responses deleted, or is this a part of the wave?"
                )
                yield SourceNote(self.name, wave.wave, message)


def _about(landing: Landing, file: LandedFile) -> dict[str, Any]:
    first_line = landing.read(file).partition(b"\n")[0]
    about: dict[str, Any] = json.loads(first_line)
    return about


def _respondents_of(landing: Landing, files: Sequence[LandedFile], wave: Wave) -> set[str]:
    respondents: set[str] = set()
    for file in files:
        first_line, _, lines = landing.read(file).partition(b"\n")
        if json.loads(first_line)["wave"] == wave.wave:
            respondents |= set(pl.read_ndjson(lines, schema={"respondent": pl.String})["respondent"])
    return respondents
