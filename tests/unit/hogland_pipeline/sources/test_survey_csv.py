"""LimeSurvey's and Google Forms' CSV exports: as they come, in other encodings and delimiters, and broken."""

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from hogland_pipeline.sources.privacy import RespondentKey
from hogland_pipeline.sources.survey import SURVEY_ANSWER_SCHEMA, SurveyExports
from hogland_pipeline.sources.survey_sheet import MalformedExport
from hogland_pipeline.sources.survey_times import utc_text
from hogland_pipeline.sources.survey_wave import InvalidWave, Wave, load_wave
from sensors_ingest.http import Folder
from sensors_ingest.landing import Landing

WAVE = """
wave = "mini_2026"
title = "A small wave"
timezone = "Europe/Stockholm"

[background.municipality]
type = "single"
text = ["Vilken kommun?", "KOMMUN"]
[background.municipality.answers]
"0682" = ["Nässjö", "A1"]
"0604" = ["Aneby", "A2"]

[background.role]
type = "single"
text = ["Vilken roll?", "ROLL"]
[background.role.answers]
manager = ["Chef", "A1"]

[questions.strategy]
label = "Q6"
type = "yes_no_dont_know"
text = ["Finns en strategi för AI?"]
[questions.strategy.answers]
dont_know = ["A9"]

[questions.use]
type = "multiple"
allows_other = true
text = ["Var används AI?", "ANV"]
[questions.use.answers]
texts = ["Texter, sammanfattningar och översättning", "SQ001"]
analysis = ["Analys och prognoser", "SQ002"]

[questions.readiness]
type = "likert"
text = ["Jag är redo", "REDO[SQ001]"]
[questions.readiness.answers]
"1" = ["Inte alls", "A1"]
"5" = ["Helt", "A5"]

[questions.colleagues]
type = "numeric"
minimum = 0
maximum = 500
text = ["Hur många leder du?", "ANTAL"]

[questions.obstacle]
type = "free_text"
text = ["Största hindret?", "HINDER"]
"""

LIME_HEADER = (
    "id,submitdate,lastpage,startlanguage,seed,startdate,datestamp,email,KOMMUN,ROLL,Q6,ANV[SQ001],ANV[SQ002],"
    "ANV[other],REDO[SQ001],ANTAL,HINDER"
)
LIME_ROWS = (
    '"1","2026-01-14 09:01:00","3","sv","111","2026-01-14 08:50:00","2026-01-14 09:01:00","tuva@example.org",'
    '"A1","A1","Y","Y","","","A5","12,5","Tuva, har ""ingen"" tid\n och ingen ork"',
    '"2","2026-01-14 10:01:00","3","sv","112","2026-01-14 09:50:00","2026-01-14 10:01:00","ola@example.org",'
    '"A2","A1","N","","","Rita åt Ola","A1","3",""',
    '"3","","1","sv","113","2026-01-15 09:50:00","2026-01-15 10:01:00","eva@example.org","A2","","","","","","","",""',
)
GOOGLE_HEADER = (
    "Tidstämpel,Vilken kommun?,Vilken roll?,Finns en strategi för AI?,Var används AI?,Jag är redo,Hur många leder du?,"
    "Största hindret?"
)
GOOGLE_ROWS = (
    "2026/01/14 9:01:00 fm CET,Nässjö,Chef,Ja,"
    '"Texter, sammanfattningar och översättning, Analys och prognoser",Helt,4,',
    '2026/01/14 2:01:00 em CET,Aneby,Chef,Vet ej,"Analys och prognoser, ritar, eget",Inte alls,7,',
    "2026/01/14 2:01:00 em CET,Aneby,Chef,Nej,,Inte alls,0,",
)


@pytest.fixture
def wave(tmp_path: Path) -> Wave:
    (tmp_path / "mini_2026.toml").write_text(WAVE, encoding="utf-8")
    return load_wave("mini_2026", tmp_path)


def lime(*rows: str, header: str = LIME_HEADER) -> str:
    return "\r\n".join([header, *(rows or LIME_ROWS)]) + "\r\n"


def google(*rows: str) -> str:
    return "\n".join([GOOGLE_HEADER, *(rows or GOOGLE_ROWS)])


def source(folder: Path, *waves: Wave, **settings: Any) -> SurveyExports:
    return SurveyExports(Folder(folder), waves, RespondentKey(b"a key of the tests only"), **settings)


def answers(exports: SurveyExports, landing: Landing) -> list[dict[str, Any]]:
    files = exports.fetch(landing)
    rows: list[dict[str, Any]] = pa.Table.from_batches(exports.decode(landing, files), SURVEY_ANSWER_SCHEMA).to_pylist()
    return rows


def given(rows: list[dict[str, Any]]) -> dict[str, list[str | None]]:
    return {
        question: [row["answer"] for row in rows if row["question_id"] == question]
        for question in dict.fromkeys(row["question_id"] for row in rows)
    }


def test_limesurvey_responses_are_read_with_sub_questions_and_codes(landing: Landing, drop: Path, wave: Wave) -> None:
    (drop / "results-survey123.csv").write_text(lime(), encoding="utf-8-sig")
    exports = source(drop, wave)
    rows = answers(exports, landing)
    assert given(rows) == {
        "strategy": ["yes", "no"],
        "use.texts": ["yes", "no"],
        "use.analysis": ["no", "no"],
        "use.other": ["no", "yes"],
        "readiness": ["5", "1"],
        "colleagues": ["12.5", "3"],
    }
    assert [row["municipality_code"] for row in rows if row["question_id"] == "strategy"] == ["0682", "0604"]
    assert {row["submitted_at"].isoformat() for row in rows} == {
        "2026-01-14T08:01:00+00:00",
        "2026-01-14T09:01:00+00:00",
    }
    notes = [note.message for note in exports.notes(landing, landing.files("survey"))]
    assert notes == ["1 response(s) were not submitted: not read"]
    assert {row["reject_reason"] for row in rows} == {None}


def test_limesurvey_data_export_with_full_headers_reads_the_same(landing: Landing, drop: Path, wave: Wave) -> None:
    data_header = LIME_HEADER.replace("[SQ0", "_SQ0").replace("[other]", "_other").replace("REDO_SQ001]", "REDO[SQ001]")
    data_header = (
        data_header.replace("_SQ001]", "_SQ001").replace("_SQ002]", "_SQ002").replace("id,", "Response ID,", 1)
    )
    data_header = data_header.replace("submitdate", "Date submitted")
    full = '"Q6. Finns en strategi\nför AI?"'
    (drop / "data.csv").write_text(lime(header=data_header.replace("Q6", full)), encoding="utf-8")
    (drop / "responses.csv").write_text(lime(), encoding="utf-8")
    exports = source(drop, wave)
    first, second = (
        [
            {key: value for key, value in row.items() if key not in ("landing_id", "landing_row", "received_at")}
            for batch in exports.decode(landing, [file])
            for row in batch.to_pylist()
        ]
        for file in (exports.fetch(landing) * 2)[:2]
    )
    assert first == second and len(first) == 12


def test_google_forms_are_read_with_commas_in_options_and_swedish_times(
    landing: Landing, drop: Path, wave: Wave
) -> None:
    (drop / "svar.csv").write_text(google(), encoding="utf-8")
    rows = answers(source(drop, wave), landing)
    assert given(rows) == {
        "strategy": ["yes", "dont_know", "no"],
        "use.texts": ["yes", "no", "no_answer"],
        "use.analysis": ["yes", "yes", "no_answer"],
        "use.other": ["no", "yes", "no_answer"],
        "readiness": ["5", "1", "1"],
        "colleagues": ["4", "7", "0"],
    }
    assert Counter(row["submitted_at"].hour for row in rows) == {8: 6, 13: 12}
    assert len({row["respondent"] for row in rows}) == 3  # two of them within one second


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_every_usual_encoding_and_delimiter_reads_the_same(
    landing: Landing, drop: Path, wave: Wave, encoding: str, delimiter: str
) -> None:
    rows = ("2026-01-14 09:01:00", "Nässjö", "Chef", "Ja", "Analys och prognoser", "Helt", "4", "Åsa är trött")
    lines = [delimiter.join(cells) for cells in (GOOGLE_HEADER.split(","), rows)]
    (drop / "svar.csv").write_bytes("\n".join(lines).encode(encoding))
    found = answers(source(drop, wave), landing)
    assert {row["municipality_code"] for row in found} == {"0682"}
    assert given(found)["strategy"] == ["yes"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"", r"empty \(0 bytes\)", id="empty_file"),
        pytest.param(
            google().replace(",", "|").encode(),
            r"with commas, semicolons, tabs .* no row is a header row .*'Timestamp'",
            id="wrong_delimiter",
        ),
        pytest.param(b"anything\nelse", "another delimiter, or another file", id="another_file"),
        pytest.param(
            google().encode() + b"\n\x81\x8d", "line 5 is neither UTF-8 nor Windows-1252", id="wrong_encoding"
        ),
        pytest.param(b"PK\x03\x04\x00\x00", "no text", id="no_text"),
        pytest.param(lime().rsplit(",", 3)[0].encode(), "line 5 has 14 cells and the header 17", id="half_copied_row"),
        pytest.param(
            lime(*LIME_ROWS[:1])[:-20].encode(), "a quote is not closed .*half copied", id="half_copied_quote"
        ),
        pytest.param(
            google("2026-01-14 09:01,Nässjö").encode(), "line 2 has 2 cells and the header 8", id="row_cut_off"
        ),
        pytest.param(
            google("2026-01-14 09:01,Nässjö,Chef,Ja,,Helt,4,ett, två").encode(),
            "line 2 has 9 cells and the header 8",
            id="delimiter_inside_a_cell",
        ),
        pytest.param((GOOGLE_HEADER + "\n").encode(), "a header and no responses", id="no_responses"),
        pytest.param(lime(LIME_ROWS[2]).encode(), "none of its 1 responses was submitted", id="none_submitted"),
        pytest.param(
            lime(header=LIME_HEADER.replace("Q6", "OTHER")).encode(),
            "'strategy' was not found by its text",
            id="renamed_question",
        ),
        pytest.param(
            lime(header=LIME_HEADER.replace("ANV[", "WHERE[")).encode(),
            "'use' was not found by its text",
            id="renamed_options",
        ),
    ],
)
def test_a_broken_csv_says_where_and_why_and_quotes_no_cell(
    landing: Landing, drop: Path, wave: Wave, content: bytes, reason: str
) -> None:
    (drop / "svar.csv").write_bytes(content)
    with pytest.raises(MalformedExport, match=rf"svar\.csv[:,].*{reason}") as error:
        source(drop, wave).fetch(landing)
    assert landing.files("survey") == []
    assert not any(personal in str(error.value) for personal in ("tuva", "Tuva", "Nässjö"))


def test_an_option_column_with_something_else_is_rejected(landing: Landing, drop: Path, wave: Wave) -> None:
    strict = wave.model_copy(
        update={
            "questions": {**wave.questions, "use": wave.questions["use"].model_copy(update={"allows_other": False})}
        }
    )
    row = LIME_ROWS[0].replace('"Y","Y",""', '"Y","kanske",""')
    (drop / "svar.csv").write_text(lime(row), encoding="utf-8")
    rejected = [row["reject_reason"] for row in answers(source(drop, strict), landing) if row["reject_reason"]]
    assert rejected == ["row 3: answer 'kanske' to question 'use' is not in its scale (texts, analysis)"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-14 09:01:00", "2026-01-14T08:01:00+00:00"),
        ("2026-07-14 09:01", "2026-07-14T07:01:00+00:00"),
        ("1/14/26 9:01:00 AM", "2026-01-14T08:01:00+00:00"),
        ("2026/01/14 9:01:00 em CET", "2026-01-14T20:01:00+00:00"),
        ("2026/01/14 9:01:00 AM GMT+2", "2026-01-14T07:01:00+00:00"),
        ("2026-01-14T09:01:00+01:00", "2026-01-14T08:01:00+00:00"),
        ("2026-01-14T09:01:00Z", "2026-01-14T09:01:00+00:00"),
        ("14 januari 2026 09:01", "2026-01-14T08:01:00+00:00"),
        ("14 jan. 2026 kl. 09:01", "2026-01-14T08:01:00+00:00"),
        ("14 May 2026 09:01:30", "2026-05-14T07:01:30+00:00"),
        ("i tisdags", None),
        ("2026-13-14 09:01:00", None),
        ("14/1/26 09:01:00", None),
        ("", None),
    ],
)
def test_times_of_two_locales_become_utc(text: str, expected: str | None) -> None:
    assert utc_text(text, ["%m/%d/%y %I:%M:%S %p"], "Europe/Stockholm") == expected


def test_waves_are_told_apart_by_their_folders(landing: Landing, drop: Path, wave: Wave) -> None:
    later = wave.model_copy(update={"wave": "mini_2027"})
    for each in (wave, later):
        (drop / each.wave / "from the office").mkdir(parents=True)
        (drop / each.wave / "from the office" / "svar.csv").write_text(lime(), encoding="utf-8")
    rows = answers(source(drop, wave, later), landing)
    assert Counter(row["wave"] for row in rows) == {"mini_2026": 12, "mini_2027": 12}
    assert len({row["respondent"] for row in rows}) == 4  # nobody can be followed from wave to wave


@pytest.mark.parametrize("place", ["svar.csv", "mini_2031/svar.csv"])
def test_an_export_of_no_wave_is_refused(landing: Landing, drop: Path, wave: Wave, place: str) -> None:
    (drop / place).parent.mkdir(exist_ok=True)
    (drop / place).write_text(lime(), encoding="utf-8")
    with pytest.raises(MalformedExport, match=r"it lies in .*, and the waves are mini_2026, mini_2027"):
        source(drop, wave, wave.model_copy(update={"wave": "mini_2027"})).fetch(landing)


def test_originals_are_removed_once_they_have_landed(landing: Landing, drop: Path, wave: Wave) -> None:
    (drop / "svar.csv").write_text(lime(), encoding="utf-8")
    (drop / "notes.txt").write_text("not an export")
    (file,) = source(drop, wave, originals="remove").fetch(landing)
    assert file.is_new and [path.name for path in drop.iterdir()] == ["notes.txt"]
    assert source(drop, wave, originals="remove").fetch(landing) == []


def test_an_export_that_cannot_be_read_is_not_removed_nor_its_neighbours(
    landing: Landing, drop: Path, wave: Wave
) -> None:
    (drop / "a.csv").write_text(lime(), encoding="utf-8")
    (drop / "b.csv").write_bytes(b"half")
    with pytest.raises(MalformedExport):
        source(drop, wave, originals="remove").fetch(landing)
    assert sorted(path.name for path in drop.iterdir()) == ["a.csv", "b.csv"]


def test_free_text_goes_to_its_folder_or_nowhere(landing: Landing, drop: Path, tmp_path: Path, wave: Wave) -> None:
    (drop / "svar.csv").write_text(lime(), encoding="utf-8")
    restricted = tmp_path / "restricted"
    for _ in range(2):
        rows = answers(source(drop, wave, free_text_folder=restricted), landing)
    (kept,) = restricted.rglob("*.csv")
    assert kept.parent.name == "mini_2026" and kept.stat().st_mode & 0o077 == 0
    assert kept.parent.stat().st_mode & 0o077 == 0
    assert "ingen ork" in kept.read_text() and rows[0]["respondent"] in kept.read_text()
    assert "example.org" not in kept.read_text()
    landed = b"".join(landing.read(file) for file in landing.files("survey"))
    assert b"ingen ork" not in landed and b"example" not in landed and b"Rita" not in landed


def test_a_respondent_who_is_gone_is_noted_and_kept(landing: Landing, drop: Path, wave: Wave) -> None:
    exports = source(drop, wave)
    (drop / "svar.csv").write_text(lime(), encoding="utf-8")
    exports.fetch(landing)
    (drop / "svar.csv").write_text(lime(LIME_ROWS[1]), encoding="utf-8")
    (note,) = exports.notes(landing, exports.fetch(landing))
    assert note.message.startswith("1 respondent(s) of earlier exports are not in this one and keep their answers")
    assert note.address == "mini_2026"


def test_a_corrected_scale_decodes_again(drop: Path, wave: Wave) -> None:
    wider = wave.model_copy(update={"timezone": "UTC"})
    assert source(drop, wave).decoder_version != source(drop, wider).decoder_version


def test_codes_of_yes_and_no_must_be_theirs(tmp_path: Path) -> None:
    (tmp_path / "w.toml").write_text(WAVE.replace("dont_know = [", "perhaps = ["), encoding="utf-8")
    with pytest.raises(InvalidWave, match="no answers of its own"):
        load_wave("w", tmp_path)
