"""Change between waves and AI readiness, from shown answers, by the models' own SQL."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest


def run(
    survey_models: dict[str, str], model: str, answers: list[tuple[Any, ...]], columns: str
) -> list[tuple[Any, ...]]:
    """Answers as (wave, question, subgroup, answer, is indicator's, count or None where suppressed, respondents)."""
    with duckdb.connect() as connection:
        connection.execute("attach ':memory:' as marts; create schema marts.staging")
        connection.execute(
            "create table marts.staging.survey_waves as select * from"
            " (values ('w1', 's', 1), ('w2', 's', 2), ('other', 't', 1)) as waves(wave, survey, wave_number)"
        )
        connection.execute(
            "create table marts.staging.readiness_items as select * from (values"
            " ('direction', '', '', 'd', 'q1', 'indicator_share'), ('direction', '', '', 'd', 'q2', 'indicator_share'),"
            " ('skill', '', '', 's', 'likert', 'scale_mean'))"
            " as items(dimension, dimension_sv, dimension_en, definition_en, question_id, measure)"
        )
        connection.execute(
            "create table answer (wave varchar, question_id varchar, subgroup varchar, answer varchar,"
            " is_indicator_answer boolean, n_answers bigint, n_respondents bigint)"
        )
        connection.executemany("insert into answer values (?, ?, ?, ?, ?, ?, ?)", answers)
        z = 1.959963984540054
        bound = "(n_answers + {z2} {sign} {z} * sqrt(n_answers * (n_respondents - n_answers) / n_respondents + {z4}))"
        low, high = (
            bound.format(z=z, z2=z * z / 2, z4=z * z / 4, sign=sign) + f" / (n_respondents + {z * z})" for sign in "-+"
        )
        connection.execute(
            "create table marts.main.kpi_digitalisation__survey_answer as select *, 'all' as subgroup_type,"
            " n_answers is null as is_suppressed, n_answers / n_respondents as answer_share,"
            f" {low} as answer_share_lower_bound, {high} as answer_share_upper_bound, now() as loaded_at from answer"
        )
        return connection.execute(f"select {columns} from ({survey_models[model]}) order by all").fetchall()


def test_change_has_newcombes_interval(survey_models: dict[str, str]) -> None:
    """Newcombe (1998), method 10, example (a): 56 of 70 against 48 of 80 is 0.20 with 0.0524 to 0.3339."""
    answers = [("w2", "q", "all", "yes", True, 56, 70), ("w1", "q", "all", "yes", True, 48, 80)]
    columns = (
        "wave, previous_wave, round(change_share, 4), round(change_share_lower_bound, 4),"
        " round(change_share_upper_bound, 4), value_status"
    )
    assert run(survey_models, "kpi_digitalisation__survey_change", answers, columns) == [
        ("w1", None, None, None, None, "missing"),
        ("w2", "w1", 0.2, 0.0524, 0.3339, "observed"),
    ]


@pytest.mark.parametrize(("before", "now"), [(None, 12), (12, None), (None, None)])
def test_change_of_a_hidden_share_is_hidden(survey_models: dict[str, str], before: int | None, now: int | None) -> None:
    answers = [("w2", "q", "a", "yes", True, now, 20), ("w1", "q", "a", "yes", True, before, 20)]
    columns = "change_share, change_share_lower_bound, change_share_upper_bound, value_status, missing_reason"
    rows = run(survey_models, "kpi_digitalisation__survey_change", answers, columns)
    assert (None, None, None, "suppressed", "hidden in one of the waves") in rows


def test_another_survey_is_no_earlier_wave(survey_models: dict[str, str]) -> None:
    answers = [("w1", "q", "all", "yes", True, 12, 20), ("other", "q", "all", "yes", True, 9, 20)]
    rows = run(survey_models, "kpi_digitalisation__survey_change", answers, "wave, value_status")
    assert rows == [("other", "missing"), ("w1", "missing")]


def test_readiness_is_the_mean_of_its_items_with_the_mean_of_their_bounds(survey_models: dict[str, str]) -> None:
    answers = [
        ("w1", "q1", "all", "yes", True, 13, 41),
        ("w1", "q1", "all", "no", False, None, 41),
        ("w1", "q2", "all", "yes", True, 7, 41),
        *(("w1", "likert", "all", str(step), step == 5, 10 if step in (1, 5) else 0, 20) for step in range(1, 6)),
    ]
    columns = (
        "dimension, round(readiness_index, 1), round(readiness_index_lower_bound, 1),"
        " round(readiness_index_upper_bound, 1), n_items, n_respondents, value_status"
    )
    # (31.7 + 17.1) / 2 with (19.6 + 8.5) / 2 and (47.0 + 31.3) / 2; half at 0 and half at 1: 0.5 ± 1.96 · 0.5 / √20.
    assert run(survey_models, "kpi_digitalisation__ai_readiness", answers, columns) == [
        ("direction", 24.4, 14.0, 39.1, 2, 41, "observed"),
        ("skill", 50.0, 28.1, 71.9, 1, 20, "observed"),
    ]


def test_readiness_shows_nothing_when_an_item_is_hidden_or_was_not_asked(survey_models: dict[str, str]) -> None:
    answers = [
        ("w1", "q1", "all", "yes", True, None, 41),
        ("w1", "q2", "all", "yes", True, 7, 41),
        ("w2", "q1", "all", "yes", True, 9, 41),
        *(("w1", "likert", "all", str(step), step == 5, None if step < 3 else 10, 30) for step in range(1, 6)),
    ]
    columns = "wave, dimension, readiness_index, readiness_index_lower_bound, value_status"
    assert run(survey_models, "kpi_digitalisation__ai_readiness", answers, columns) == [
        ("w1", "direction", None, None, "suppressed"),
        ("w1", "skill", None, None, "suppressed"),
        ("w2", "direction", None, None, "missing"),
        ("w2", "skill", None, None, "missing"),
    ]
