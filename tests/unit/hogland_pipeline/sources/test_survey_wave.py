"""Wave files: a mistake is one sentence; wordings are compared without what means nothing."""

from pathlib import Path

import pytest

from hogland_pipeline.sources.survey_answers import decode_answers
from hogland_pipeline.sources.survey_wave import InvalidWave, answer_key, header_key, load_wave

WAVE = """
wave = "test"
title = "Test"
timezone = "Europe/Stockholm"
[background.municipality]
type = "single"
text = ["Kommun"]
answers = { "0682" = ["Nässjö"] }
[background.role]
type = "single"
text = ["Roll"]
answers = { manager = ["Chef"] }
[questions.staff]
type = "numeric"
text = ["Medarbetare"]
minimum = 0
maximum = 500
"""


def write_wave(folder: Path, text: str) -> Path:
    (folder / "test.toml").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("minimum = 0", "minimun = 0", r"questions\.staff\.minimun: Extra inputs"),
        ('"Europe/Stockholm"', '"Europe/Eksjö"', "timezone: 'Europe/Eksjö' is not a time zone"),
        ('type = "numeric"', 'type = "likert"', r"questions\.staff: a likert question has answers"),
        ('["Chef"]', '["Chef", "chef "]\nother = ["CHEF"]', "background.role|valid TOML"),
        ('type = "numeric"', 'type = "yes_no_dont_know"\nallows_other = true', "only a multiple question"),
        ('title = "Test"', "title = ", "is not valid TOML"),
    ],
)
def test_a_mistake_in_a_wave_file_is_one_sentence(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(InvalidWave, match=said) as error:
        load_wave("test", write_wave(tmp_path, WAVE.replace(old, new)))
    assert str(error.value).startswith("test.toml: ")


def test_one_wording_for_two_answers_is_refused(tmp_path: Path) -> None:
    wave = WAVE.replace('{ manager = ["Chef"] }', '{ manager = ["Chef"], other = ["CHEF "] }')
    with pytest.raises(InvalidWave, match="one wording stands for two answers"):
        load_wave("test", write_wave(tmp_path, wave))


def test_an_unknown_wave_names_the_known_ones() -> None:
    with pytest.raises(InvalidWave, match=r"No survey wave 'ai_2030': the waves are .*ai_maturity_2024_25"):
        load_wave("ai_2030")


@pytest.mark.parametrize(
    ("text", "key"), [(" Ja\n", "ja"), ("Don’t  know", "don't know"), ("4.0", "4"), ("4.5", "4.5")]
)
def test_answer_key(text: str, key: str) -> None:
    assert answer_key(text) == key


@pytest.mark.parametrize("text", ["5. Har ni AI?", "Q5: har ni\nAI", "Fråga 5) Har ni AI *"])
def test_header_key(text: str) -> None:
    assert header_key(text) == "har ni ai"


@pytest.mark.parametrize(
    ("text", "answer", "problem"),
    [
        ("12", "12", None),
        ("12.0", "12", None),
        ("3,5", "3.5", None),
        ("501", None, "is not between 0.0 and 500.0"),
        ("-1", None, "is not between"),
        ("nan", None, "is not between"),
        ("några", None, "is no number"),
        (None, "no_answer", None),
    ],
)
def test_numbers(tmp_path: Path, text: str | None, answer: str | None, problem: str | None) -> None:
    wave = load_wave("test", write_wave(tmp_path, WAVE))
    value = "null" if text is None else f'"{text}"'
    line = (
        '{"sheet_row":7,"respondent":"r","submitted_at":"2025-01-14T08:01:00+00:00","submitted_text":null,'
        f'"question":"staff","answer":{value}}}\n'
    )
    (row,) = decode_answers(line.encode(), wave).to_dicts()
    assert row["answer"] == answer
    assert (problem in row["reject_reason"]) if problem else (row["reject_reason"] is None)
