import csv
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from hogland_pipeline.settings import PROJECT_ROOT
from hogland_pipeline.site.words import LANGUAGES, Words

SWEDISH, ENGLISH = (Words.read(language, ZoneInfo("Europe/Stockholm")) for language in LANGUAGES)
THIN = "\u202f"


def keys(texts: dict[str, Any], prefix: str = "") -> set[str]:
    return {
        found
        for name, text in texts.items()
        for found in (keys(text, f"{prefix}{name}.") if isinstance(text, dict) else {prefix + name})
    }


def test_both_languages_say_the_same_things() -> None:
    assert keys(dict(SWEDISH.texts)) == keys(dict(ENGLISH.texts))


@pytest.mark.parametrize(
    ("value", "unit", "swedish", "english"),
    [
        (108542.566, "t CO2e", f"108{THIN}543", "108,543"),
        (-1.356, "%/year", "−1,4", "−1.4"),
        (-0.04, "%", "0,0", "0.0"),
        (1.923822, "ratio", "1,92", "1.92"),
        (0.0, "count", "0", "0"),
        (239.4, "kW", "239", "239"),
        (3.14159, "kW", "3,14", "3.14"),
        (None, "%", "–", "–"),
    ],
)
def test_numbers_are_written_as_the_language_does(value: float | None, unit: str, swedish: str, english: str) -> None:
    assert SWEDISH.number(value, unit) == swedish
    assert ENGLISH.number(value, unit) == english


def test_a_change_shows_its_sign_where_it_is_one() -> None:
    assert [SWEDISH.change(change, "%") for change in (0.32, -0.32, 0.01)] == ["+0,3", "−0,3", "0,0"]


def test_shares_and_intervals() -> None:
    assert SWEDISH.share(0.1707) == "17,1\u00a0%"
    assert ENGLISH.share(0.1707) == "17.1%"
    assert SWEDISH.interval(8.5, 31.3, "%") == "8,5–31,3"


def test_times_are_local() -> None:
    assert SWEDISH.date(datetime(2026, 1, 31, 23, 30, tzinfo=UTC)) == "1\u00a0februari 2026"
    assert SWEDISH.moment(datetime(2026, 1, 31, 23, 30, tzinfo=UTC)) == "1\u00a0feb 2026 kl.\u00a000.30"
    assert ENGLISH.moment(None) == "never"
    assert SWEDISH.date(date(2026, 11, 3)) == "3\u00a0november 2026"


@pytest.mark.parametrize(
    ("period", "words"),
    [
        ("2024", "2024"),
        ("2015-2023", "2015–2023"),
        ("2026-01", "januari 2026"),
        ("2026-01-31", "31\u00a0jan 2026"),
        ("2025/2026", "vintern 2025/26"),
        ("wave_1", "wave_1"),
    ],
)
def test_periods_are_written_in_words(period: str, words: str) -> None:
    assert SWEDISH.period(period) == words


def seeded(name: str, column: str) -> list[str]:
    with (PROJECT_ROOT / "dbt_project" / "seeds" / f"{name}.csv").open(encoding="utf-8") as file:
        return [row[column] for row in csv.DictReader(file)]


@pytest.mark.parametrize(
    ("group", "codes"),
    [
        ("sensor_status", ["ok", "attention", "fault", "taken_down", "never_read"]),
        ("sensor_reasons", seeded("sensor_health_reasons", "reason")),
        ("sensor_kinds", seeded("sensor_kinds", "sensor_kind")),
    ],
)
def test_every_code_of_a_sensor_has_its_word(group: str, codes: list[str]) -> None:
    assert set(SWEDISH.texts[group]) == set(codes)


def test_a_word_that_nobody_has_translated_stands_as_it_is() -> None:
    assert SWEDISH.of("effects", "noise_reduction") == "noise reduction"
