"""An attack on one cut of one question: can anyone work out a figure it hides?

``test_suppression_attack`` takes all that is published; this one finds out in another way, by listing every table.

Random small surveys go through the models' own SQL. The attacker knows every number the mart shows and that answers and
subgroups add up, and lists every table of whole numbers that agrees with them. A hidden figure is safe when at least
two values are left for it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import duckdb
import pytest

ANSWERS = ("yes", "no", "dont_know")
WIDTH = 128  # more than the respondents of any survey here; sets of sums are bits in one integer
MODELS = ("int_survey_subgroup__hidden", "int_survey_answer__masked")

Counts = dict[str, tuple[int, ...]]
Shown = dict[str, tuple[int | None, ...]]


def random_survey(generator: random.Random) -> Counts:
    """Answers of two to five subgroups of 1 to 25 respondents, often lopsided, so that small cells are common."""
    survey = {}
    for subgroup in "abcde"[: generator.randint(2, 5)]:
        weights = [generator.choice((0, 1, 5, 20)) for _ in ANSWERS]
        weights[generator.randrange(3)] += 1
        given = generator.choices(range(3), weights, k=generator.randint(1, 25))
        survey[subgroup] = tuple(given.count(answer) for answer in range(3))
    return survey


def publish(surveys: list[Counts], compiled: dict[str, str]) -> list[dict[str, Shown]]:
    """Run the models on all surveys at once; per survey and subgroup the counts shown, None where suppressed."""
    rows = [
        (str(wave), kind, subgroup, answer, index == 0, counts[index], sum(counts))
        for wave, survey in enumerate(surveys)
        for kind, table in (("role", survey), ("all", {"all": tuple(map(sum, zip(*survey.values(), strict=True)))}))
        for subgroup, counts in table.items()
        for index, answer in enumerate(ANSWERS)
    ]
    with duckdb.connect() as connection:
        connection.execute("attach ':memory:' as marts; create schema marts.intermediate")
        connection.execute(
            "create table marts.intermediate.int_survey_answer__counted (wave varchar, question_id varchar,"
            " subgroup_type varchar, subgroup varchar, answer varchar, is_indicator_answer boolean,"
            " n_answers bigint, n_respondents bigint)"
        )
        values = ", ".join(f"('{w}', 'q', '{k}', '{s}', '{a}', {i}, {n}, {t})" for w, k, s, a, i, n, t in rows)
        connection.execute(f"insert into marts.intermediate.int_survey_answer__counted values {values}")
        for model in MODELS:
            connection.execute(f"create table marts.intermediate.{model} as {compiled[model]}")
        published = connection.execute(
            "select wave::integer, subgroup_type, subgroup, answer,"
            " if(hidden.reason is null and masked.wave is null, n_answers, null)"
            " from marts.intermediate.int_survey_answer__counted as counted"
            " left join marts.intermediate.int_survey_subgroup__hidden as hidden"
            " using (wave, subgroup_type, subgroup)"
            " left join marts.intermediate.int_survey_answer__masked as masked using (wave, subgroup_type, answer)"
        ).fetchall()
    cells = {(wave, kind, subgroup, answer): count for wave, kind, subgroup, answer, count in published}
    return [
        {
            kind: {
                subgroup: tuple(cells[wave, kind, subgroup, answer] for answer in ANSWERS)
                for subgroup in (("all",) if kind == "all" else survey)
            }
            for kind in ("all", "role")
        }
        for wave, survey in enumerate(surveys)
    ]


def rows_that_fit(shown: tuple[int | None, ...], total: int) -> Iterator[tuple[int, ...]]:
    for first in range(total + 1):
        for second in range(total - first + 1):
            row = (first, second, total - first - second)
            if all(count is None or count == guess for count, guess in zip(shown, row, strict=True)):
                yield row


def bits(rows: list[tuple[int, ...]]) -> int:
    return sum(1 << (row[0] * WIDTH + row[1]) for row in rows)


def sums(left: int, rows: list[tuple[int, ...]]) -> int:
    """Every sum of an element of ``left`` and one of the rows."""
    reachable = 0
    for row in rows:
        reachable |= left << (row[0] * WIDTH + row[1])
    return reachable


def recovered(survey: Counts, shown: Shown, shown_total: tuple[int | None, ...]) -> list[str]:
    """The suppressed figures above zero for which only one value agrees with everything shown."""
    guesses = {subgroup: list(rows_that_fit(shown[subgroup], sum(counts))) for subgroup, counts in survey.items()}
    totals = bits(list(rows_that_fit(shown_total, sum(map(sum, survey.values())))))
    found = []
    for subgroup, counts in survey.items():
        others = 1
        for other, rows in guesses.items():
            if other != subgroup:
                others = sums(others, rows)
        possible = [row for row in guesses[subgroup] if sums(others, [row]) & totals]
        assert counts in possible
        for index, answer in enumerate(ANSWERS):
            if shown[subgroup][index] is None and counts[index] > 0 and len({row[index] for row in possible}) == 1:
                found.append(f"{subgroup}/{answer} = {counts[index]} of {survey}, shown {shown}, total {shown_total}")
    return found


def is_unanimous(survey: Counts) -> bool:
    """Everyone gave one answer: the total alone then says what each answered, and no masking below it can help."""
    return sum(any(counts[index] for counts in survey.values()) for index in range(3)) == 1


@pytest.fixture(scope="module")
def surveys() -> list[Counts]:
    generator = random.Random(20260123)
    drawn = [random_survey(generator) for _ in range(600)]
    return [survey for survey in drawn if not is_unanimous(survey)]


@pytest.fixture(scope="module")
def published(survey_models: dict[str, str], surveys: list[Counts]) -> list[dict[str, Shown]]:
    return publish(surveys, survey_models)


def test_no_suppressed_figure_can_be_worked_out(surveys: list[Counts], published: list[dict[str, Shown]]) -> None:
    for survey, tables in zip(surveys, published, strict=True):
        total = tuple(map(sum, zip(*survey.values(), strict=True)))
        assert recovered({"all": total}, tables["all"], tables["all"]["all"]) == []
        assert recovered(survey, tables["role"], tables["all"]["all"]) == []


def test_no_small_figure_is_shown(surveys: list[Counts], published: list[dict[str, Shown]]) -> None:
    for survey, tables in zip(surveys, published, strict=True):
        for subgroup, shown in (tables["role"] | tables["all"]).items():
            assert not any(count is not None and 1 <= count <= 4 for count in shown)
            if subgroup != "all" and sum(survey[subgroup]) < 10:
                assert shown == (None, None, None)


def test_the_attack_finds_what_masking_of_small_cells_alone_leaves_open(surveys: list[Counts]) -> None:
    def only_small_hidden(counts: tuple[int, ...]) -> tuple[int | None, ...]:
        return tuple(None if 1 <= count <= 4 else count for count in counts)

    broken = 0
    for survey in surveys:
        total = only_small_hidden(tuple(map(sum, zip(*survey.values(), strict=True))))
        broken += bool(recovered(survey, {name: only_small_hidden(row) for name, row in survey.items()}, total))
    assert broken > len(surveys) / 4


def test_most_figures_are_still_shown(surveys: list[Counts], published: list[dict[str, Shown]]) -> None:
    totals = [
        tables["all"]["all"]
        for survey, tables in zip(surveys, published, strict=True)
        if sum(map(sum, survey.values())) >= 10
    ]
    assert sum(total[0] is not None for total in totals) > 0.5 * len(totals)
