"""What a survey folder may hold, and what becomes of it. Broken workbooks are in test_survey_workbook.py."""

import hashlib
import logging
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from hogland_pipeline.sources.privacy import RespondentKey
from hogland_pipeline.sources.survey import SURVEY_ANSWER_SCHEMA, RespondentKeyChanged, SurveyExports
from hogland_pipeline.sources.survey_sheet import MalformedExport
from hogland_pipeline.sources.survey_wave import load_wave
from sensors_ingest.http import Folder, SourceUnreachable
from sensors_ingest.landing import Landing

SAMPLE = Path(__file__).parents[4] / "samples" / "survey"
KEY = RespondentKey(b"a key of the tests only")

Response = Callable[..., dict[str, Any]]
WriteExport = Callable[..., Path]


def survey(folder: Path, key: RespondentKey = KEY) -> SurveyExports:
    return SurveyExports(Folder(folder), (load_wave("ai_maturity_2024_25"),), key)


def answers(source: SurveyExports, landing: Landing) -> list[dict[str, Any]]:
    files = source.fetch(landing)
    rows: list[dict[str, Any]] = pa.Table.from_batches(source.decode(landing, files), SURVEY_ANSWER_SCHEMA).to_pylist()
    return rows


def rejects(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["reject_reason"]]


def answer_to(rows: list[dict[str, Any]], question_id: str) -> list[str | None]:
    return [row["answer"] for row in rows if row["question_id"] == question_id]


def test_sample_gives_the_published_totals(landing: Landing) -> None:
    rows = answers(survey(SAMPLE), landing)
    assert Counter(answer_to(rows, "tech_direction")) == {"yes": 13, "no": 27, "dont_know": 1}
    assert Counter(answer_to(rows, "ai_strategy")) == {"yes": 7, "no": 34}
    assert len({row["respondent"] for row in rows}) == 41
    municipalities = Counter(row["municipality_code"] for row in rows if row["question_id"] == "ai_strategy")
    assert municipalities == {"0682": 14, "0685": 12, "0686": 6, "0684": 5, "0604": 4}
    assert not rejects(rows)
    assert not survey(SAMPLE).notes(landing, landing.files("survey"))


def test_rows_say_when_and_where_they_come_from(
    landing: Landing, drop: Path, write_export: WriteExport, response: Response
) -> None:
    write_export([response(1), response(2)])
    rows = answers(survey(drop), landing)
    (file,) = landing.files("survey")
    first = rows[0]
    assert first["submitted_at"] == datetime(2025, 1, 14, 8, 1, tzinfo=UTC)  # 09:01 in Stockholm
    assert (first["wave"], first["landing_id"]) == ("ai_maturity_2024_25", file.landing_id)
    assert first["received_at"] == file.received_at
    lines = landing.read(file).splitlines()
    assert first["respondent"].encode() in lines[first["landing_row"] - 1]
    assert b'"tech_direction"' in lines[first["landing_row"] - 1]


def test_multiple_choice_becomes_a_yes_or_no_per_option(
    landing: Landing, drop: Path, write_export: WriteExport, response: Response
) -> None:
    write_export(
        [
            response(1),
            response(2, use="Analysis and forecasts;Rita ritar själv åt Tuva;"),
            response(3, use=""),
        ]
    )
    rows = answers(survey(drop), landing)
    assert answer_to(rows, "ai_use.analysis") == ["yes", "yes", "no_answer"]
    assert answer_to(rows, "ai_use.citizen_service") == ["yes", "no", "no_answer"]
    assert answer_to(rows, "ai_use.other") == ["no", "yes", "no_answer"]
    assert b"ritar" not in b"".join(landing.read(file) for file in landing.files("survey"))


def test_an_answer_outside_its_scale_is_rejected_by_name_and_the_rest_loads(
    landing: Landing, drop: Path, write_export: WriteExport, response: Response
) -> None:
    write_export([response(1, direction="Kanske"), response(2)])
    rows = answers(survey(drop), landing)
    (reject,) = rejects(rows)
    assert reject["reject_reason"] == (
        "row 2: answer 'Kanske' to question 'tech_direction' is not in its scale (yes, no, dont_know)"
    )
    assert reject["answer"] is None and "Kanske" in reject["source_row"]
    assert answer_to(rows, "tech_direction") == [None, "yes"]
    assert answer_to(rows, "ai_strategy") == ["no", "no"]


def test_an_unknown_municipality_is_rejected_and_the_answers_stay(
    landing: Landing, drop: Path, write_export: WriteExport, response: Response
) -> None:
    write_export([response(1, municipality="Tranås"), response(2)])
    rows = answers(survey(drop), landing)
    (reject,) = rejects(rows)
    assert reject["question_id"] == "municipality" and "'Tranås'" in reject["reject_reason"]
    assert [row["municipality_code"] for row in rows if row["question_id"] == "ai_strategy"] == [None, "0682"]


def test_a_response_without_a_readable_time_is_one_reject(
    landing: Landing, drop: Path, write_export: WriteExport, response: Response
) -> None:
    write_export([response(1, completed="i tisdags"), response(2, completed="1/14/25 9:02:00"), response(3)])
    rows = answers(survey(drop), landing)
    (reject,) = rejects(rows)
    assert reject["reject_reason"].startswith("row 2: completion time 'i tisdags' is no time")
    assert [row["submitted_at"].hour for row in rows if row["question_id"] == "ai_strategy"] == [8, 8]


def test_a_repeated_response_is_the_same_respondent_at_a_later_time(
    landing: Landing, drop: Path, write_export: WriteExport, response: Response
) -> None:
    again = response(2, email="TUVA.1@example.org ", direction="No")
    write_export([response(1), again])
    rows = [row for row in answers(survey(drop), landing) if row["question_id"] == "tech_direction"]
    assert rows[0]["respondent"] == rows[1]["respondent"]
    assert max(rows, key=lambda row: row["submitted_at"])["answer"] == "no"


def test_an_edited_response_is_a_revision_in_a_second_landing_file(
    landing: Landing, drop: Path, write_export: WriteExport, response: Response
) -> None:
    headers = {header: header for header in response()}
    with_modified = dict(list(headers.items())[:5]) | {"Last modified time": "Last modified time"} | headers
    write_export([response(1, email="anonymous", name="")], headers=with_modified)
    survey(drop).fetch(landing)
    edited = response(1, email="anonymous", name="", direction="")
    edited["Last modified time"] = datetime(2025, 2, 1, 10, 0)  # noqa: DTZ001 - Excel knows no time zones
    write_export([edited], headers=with_modified)
    survey(drop).fetch(landing)
    files = landing.files("survey")
    rows = pa.Table.from_batches(survey(drop).decode(landing, files)).to_pylist()
    first, second = (row for row in rows if row["question_id"] == "tech_direction")
    assert len(files) == 2
    assert first["respondent"] == second["respondent"]
    assert (first["answer"], second["answer"]) == ("yes", "no_answer")  # the answer was taken back
    assert first["submitted_at"] < second["submitted_at"] == datetime(2025, 2, 1, 9, 0, tzinfo=UTC)


def test_anonymous_responses_are_different_respondents(
    landing: Landing, drop: Path, write_export: WriteExport, response: Response
) -> None:
    write_export([response(number, email="anonymous", name="") for number in (1, 2)])
    assert len({row["respondent"] for row in answers(survey(drop), landing)}) == 2


def test_the_same_export_lands_once_under_any_name(
    landing: Landing, drop: Path, write_export: WriteExport, response: Response
) -> None:
    path = write_export([response(1)])
    (first,) = survey(drop).fetch(landing)
    (drop / "a copy.xlsx").write_bytes(path.read_bytes())
    (again,) = survey(drop).fetch(landing)
    assert first.is_new and not again.is_new
    assert first.landing_id == again.landing_id
    assert len(landing.files("survey")) == 1
    assert path.exists()


def test_the_lock_file_of_an_export_open_in_excel_is_no_export(
    landing: Landing, drop: Path, write_export: WriteExport, response: Response
) -> None:
    write_export([response(1)])
    (drop / "~$AI maturity(1-2).xlsx").write_bytes(b"\x05Tuva")
    (drop / "notes.txt").write_text("not an export")
    (landed,) = survey(drop).fetch(landing)
    assert landed.address.startswith("AI maturity(1-2).xlsx#")
    assert b"Tuva" not in landing.read(landed)


def test_the_address_holds_the_digest_of_the_original(
    landing: Landing, drop: Path, write_export: WriteExport, response: Response
) -> None:
    path = write_export([response(1)])
    (file,) = survey(drop).fetch(landing)
    assert file.address == f"{path.name}#sha256={hashlib.sha256(path.read_bytes()).hexdigest()}"


def test_another_key_is_refused_before_everybody_counts_twice(
    landing: Landing, drop: Path, write_export: WriteExport, response: Response
) -> None:
    write_export([response(1)])
    survey(drop).fetch(landing)
    with pytest.raises(RespondentKeyChanged, match="set the earlier key again"):
        survey(drop, RespondentKey(b"another key, just as long")).fetch(landing)
    assert len(landing.files("survey")) == 1


def test_the_development_key_is_noted(landing: Landing) -> None:
    source = survey(SAMPLE, RespondentKey(b"development key of nobody", is_development=True))
    (note,) = source.notes(landing, source.fetch(landing))
    assert "development key" in note.message and "nobody" not in note.message


def test_files_of_another_wave_are_left_to_their_own_definition(
    landing: Landing, drop: Path, write_export: WriteExport, response: Response
) -> None:
    write_export([response(1)])
    next_wave = load_wave("ai_maturity_2024_25").model_copy(update={"wave": "ai_maturity_2026"})
    files = [*survey(drop).fetch(landing), *SurveyExports(Folder(drop), (next_wave,), KEY).fetch(landing)]
    rows = pa.Table.from_batches(survey(drop).decode(landing, files)).to_pylist()
    assert len(files) == 2
    assert {row["wave"] for row in rows} == {"ai_maturity_2024_25"}


def test_an_unmapped_question_is_noted_with_its_column_and_not_kept(
    landing: Landing, drop: Path, write_export: WriteExport, response: Response
) -> None:
    question = "How many of your colleagues, roughly, have tried a language model at work,\nin any form?"
    headers = {header: header for header in response()} | {question: question}
    write_export([response(1) | {question: "elva"}], headers=headers)
    source = survey(drop)
    (note,) = source.notes(landing, source.fetch(landing))
    assert note.message.startswith("column P ('How many of your colleagues") and "in any form?" in note.message
    assert note.address.startswith("AI maturity(1-2).xlsx#sha256=")
    assert b"elva" not in landing.read(landing.files("survey")[0])


def test_one_unreadable_export_lands_nothing(
    landing: Landing, drop: Path, write_export: WriteExport, response: Response
) -> None:
    write_export([response(1)])
    (drop / "half.xlsx").write_bytes(b"PK")
    with pytest.raises(MalformedExport, match=r"half\.xlsx"):
        survey(drop).fetch(landing)
    assert landing.files("survey") == []


def test_a_missing_folder_is_unreachable_and_an_empty_one_is_empty(landing: Landing, drop: Path) -> None:
    assert survey(drop).fetch(landing) == []
    with pytest.raises(SourceUnreachable, match="survey"):
        survey(drop / "nowhere").fetch(landing)


def test_nothing_personal_reaches_disk_logs_notes_or_rows(
    landing: Landing,
    drop: Path,
    write_export: WriteExport,
    response: Response,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    headers = {header: header for header in response()}
    headers |= {"mail": "Contact tuva.1@example.org?", "extra": "Anything else?"}
    misplaced = {
        "direction": "Tuva Provlund1",
        "municipality": "tuva.1@example.org",
        "completed": "070-123 45 67",
    }
    responses = [
        response(1) | {"extra": "Hälsa Provlund"},
        response(2, strategy="ring 0701234567"),
        response(3, **misplaced),
        response(4, direction="Jag heter tuva"),
        response(5, use="Provlund4;"),
    ]
    write_export(responses, headers=headers, other_sheets={"Tuva": [["Tuva", "tuva.1@example.org"]]})
    with caplog.at_level(logging.DEBUG):
        source = survey(drop)
        rows = answers(source, landing)
        notes = source.notes(landing, landing.files("survey"))
    stored = b"".join(landing.read(file) for file in landing.files("survey"))
    sidecars = b"".join(path.read_bytes() for path in landing.root.rglob("*.json"))
    shown = f"{rows} {notes} {caplog.text} {capsys.readouterr()} {source}".encode()
    for text in (stored, sidecars, shown):
        for personal in (b"tuva", b"provlund", b"0701234567", b"070-123", b"mer tid", KEY.secret):
            assert personal not in text.lower()
    assert len(rejects(rows)) == 3  # strategy of 2, all of 3, direction of 4; "other" uses are no reject
    assert {note.message.split()[1] for note in notes if "mapped" in note.message} == {"P", "Q"}
    assert any("1 other sheet" in note.message for note in notes)
