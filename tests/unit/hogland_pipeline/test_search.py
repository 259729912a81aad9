"""Search over the solutions: any form of a word finds it, filters narrow, the best comes first."""

from pathlib import Path

import duckdb
import pytest
import snowballstemmer

from hogland_pipeline.overview import NothingPublished, QueryFailed
from hogland_pipeline.releases import Target
from hogland_pipeline.search import Column, folded, search
from hogland_pipeline.settings import Settings, load_settings

SOLUTIONS = {
    "heating": ("Värmestyrning i byggnader", "analysed", "Energi", False),
    "analysis": ("AI för kommunens energi", "identified", "Energi", False),
    "pools": ("Shared mobility solutions", "identified", "Transport", False),
    "gone": ("Byggnad utan värme", "analysed", "Energi", True),
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    loaded = load_settings(environment={}, data_dir=tmp_path / "data")
    database = Target(loaded.data_dir).database
    database.parent.mkdir(parents=True)
    swedish, english = (snowballstemmer.stemmer(language) for language in ("swedish", "english"))
    with duckdb.connect(database) as connection:
        connection.execute(
            "create table kpi_twin__solution (url varchar, title varchar, stage varchar, transition_area varchar,"
            " is_withdrawn boolean, effect_qualifier varchar, effect_value double, effect_unit varchar);"
            "create table kpi_twin__solution_effect (url varchar, effect_quantity varchar, effect_unit varchar);"
            "create table kpi_twin__solution_term"
            " (url varchar, term varchar, stem_sv varchar, stem_en varchar, weight double);"
            "insert into kpi_twin__solution_effect values ('heating', 'emissions', 't CO2/yr')"
        )
        for url, (title, *columns) in SOLUTIONS.items():
            connection.execute(
                "insert into kpi_twin__solution values (?, ?, ?, ?, ?, null, null, null)", [url, title, *columns]
            )
            for term in folded(title):
                stems = [swedish.stemWord(term), english.stemWord(term)]
                connection.execute("insert into kpi_twin__solution_term values (?, ?, ?, ?, 1)", [url, term, *stems])
    return loaded


def found(settings: Settings, words: str, limits: dict[Column, str | None] | None = None) -> list[str]:
    return [row[-1] for row in search(settings, words, limits or {}).rows]


@pytest.mark.parametrize(
    ("words", "urls"),
    [
        ("byggnadernas", ["heating"]),
        ("BYGGNAD", ["heating"]),
        ("värmen", ["heating"]),  # a part of värmestyrning
        ("kommun", ["analysis"]),
        ("solution", ["pools"]),
        ("energi värme", ["analysis", "heating"]),
        ("kommunernas energi eller solutions", ["analysis", "pools"]),
        ("ai", ["analysis"]),
        ("cykel", []),
        ("'; drop table publication --", []),
        ("", []),
    ],
)
def test_a_word_is_found_in_any_form_and_the_best_solution_comes_first(
    settings: Settings, words: str, urls: list[str]
) -> None:
    assert found(settings, words) == urls


@pytest.mark.parametrize(
    ("limits", "urls"),
    [
        ({"stage": "identified"}, ["analysis"]),
        ({"transition_area": "Energi"}, ["analysis", "heating"]),
        ({"transition_area": "Transport"}, []),
        ({"effect_quantity": "emissions"}, ["heating"]),
        ({"effect_unit": "t CO2/yr", "stage": "identified"}, []),
    ],
)
def test_a_search_is_narrowed_by_area_stage_and_effect(
    settings: Settings, limits: dict[Column, str | None], urls: list[str]
) -> None:
    assert found(settings, "energi värme", limits) == urls


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ({"stage": "analyzed"}, "No solution has the stage 'analyzed'; there are: analysed, identified."),
        (
            {"transition_area": "O'Brien"},
            "No solution has the transition_area 'O'Brien'; there are: Energi, Transport.",
        ),
        ({"stage": None, "effect_unit": "kg"}, "No solution has the effect_unit 'kg'; there are: t CO2/yr."),
    ],
)
def test_a_limit_that_no_solution_has_is_told(settings: Settings, limits: dict[Column, str | None], told: str) -> None:
    with pytest.raises(QueryFailed) as failed:
        search(settings, "byggnad", limits)
    assert str(failed.value) == told


def test_words_that_no_solution_has_find_nothing(settings: Settings) -> None:
    assert found(settings, "zzz", {"stage": "analysed", "effect_unit": None}) == []


def test_words_are_folded_as_the_index_folds_them() -> None:
    assert folded("Idé-huset, ÅR 2030: a\u0308pple") == ["ide", "huset", "år", "2030", "äpple"]


def test_nothing_published_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(NothingPublished):
        search(load_settings(environment={}, data_dir=tmp_path), "energi", {})
