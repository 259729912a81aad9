"""The attack with everything that is published of one question: the total, the municipalities and the roles at once.

The attacker knows every shown figure, every n and the rules, and lists which totals agree with all three tables; then
which figures of each table agree with such a total. Two tables with equal totals always belong to some set of people,
so nothing is lost by attacking them one after the other. Scales have three and five answers; ``pytest -s`` prints the
report.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import duckdb
import pytest

from tests.unit.dbt_project.small_build import Build

MODELS = ("int_survey_subgroup__hidden", "int_survey_answer__masked")
CUTS = ("municipality", "role")

Row = tuple[int, ...]
Shown = tuple[int | None, ...]


@dataclass(frozen=True)
class Survey:
    """Counts by cut and subgroup, one figure per answer."""

    cuts: dict[str, dict[str, Row]]

    @property
    def total(self) -> Row:
        return tuple(map(sum, zip(*self.cuts["role"].values(), strict=True)))


@dataclass
class Report:
    """What an attack came to."""

    surveys: int = 0
    hidden: int = 0
    recovered: int = 0
    shown: int = 0

    def line(self, name: str) -> str:
        return (
            f"{name}: {self.surveys} surveys, {self.shown} figures shown, {self.hidden} hidden,"
            f" {self.recovered} of the hidden recovered"
        )


def random_survey(generator: random.Random, answers: int, people: int) -> Survey:
    """People with a role, a municipality and an answer; groups and answers are lopsided, so small cells are common."""
    weights = [generator.choice((0, 1, 4, 12)) for _ in range(answers)]
    weights[generator.randrange(answers)] += 2
    weights[generator.randrange(answers)] += 1
    given = generator.choices(range(answers), weights, k=people)
    cuts = {}
    for cut in CUTS:
        groups = "abcd"[: generator.randint(2, 4)]
        of_person = generator.choices(groups, [generator.choice((1, 2, 6)) for _ in groups], k=people)
        cuts[cut] = {
            group: tuple(
                sum(answer == one and place == group for answer, place in zip(given, of_person, strict=True))
                for one in range(answers)
            )
            for group in groups
            if group in of_person
        }
    return Survey(cuts)


def publish(surveys: list[Survey], compiled: dict[str, str]) -> list[dict[str, dict[str, Shown]]]:
    """The models' own SQL on all surveys; per cut and subgroup the figures shown, None where hidden."""
    rows = [
        f"('{wave}', 'q', '{cut}', '{group}', '{answer}', {answer == 0}, {row[answer]}, {sum(row)})"
        for wave, survey in enumerate(surveys)
        for cut, table in (*survey.cuts.items(), ("all", {"all": survey.total}))
        for group, row in table.items()
        for answer in range(len(row))
    ]
    with duckdb.connect() as connection:
        connection.execute("attach ':memory:' as marts; create schema marts.intermediate")
        connection.execute(
            "create table marts.intermediate.int_survey_answer__counted (wave varchar, question_id varchar,"
            " subgroup_type varchar, subgroup varchar, answer varchar, is_indicator_answer boolean,"
            " n_answers bigint, n_respondents bigint)"
        )
        connection.execute(f"insert into marts.intermediate.int_survey_answer__counted values {', '.join(rows)}")
        for model in MODELS:
            connection.execute(f"create table marts.intermediate.{model} as {compiled[model]}")
        cells = connection.execute(
            "select wave::integer, subgroup_type, subgroup, answer::integer,"
            " if(hidden.reason is null and masked.wave is null, n_answers, null)"
            " from marts.intermediate.int_survey_answer__counted"
            " left join marts.intermediate.int_survey_subgroup__hidden as hidden"
            " using (wave, subgroup_type, subgroup)"
            " left join marts.intermediate.int_survey_answer__masked as masked using (wave, subgroup_type, answer)"
        ).fetchall()
    published: list[dict[str, dict[str, dict[int, int | None]]]] = [{} for _ in surveys]
    for wave, cut, group, answer, count in cells:
        published[wave].setdefault(cut, {}).setdefault(group, {})[answer] = count
    return [
        {
            cut: {group: tuple(found[answer] for answer in sorted(found)) for group, found in table.items()}
            for cut, table in tables.items()
        }
        for tables in published
    ]


def rows_that_fit(shown: Shown, total: int) -> list[Row]:
    """Every row of counts that agrees with what is shown of it and adds up to its n, which is shown."""

    def fill(left: tuple[int | None, ...], rest: int) -> Iterator[Row]:
        if len(left) == 1:
            if left[0] is None or left[0] == rest:
                yield (rest,)
            return
        for count in range(rest + 1) if left[0] is None else [left[0]] if left[0] <= rest else []:
            for following in fill(left[1:], rest - count):
                yield (count, *following)

    return list(fill(shown, total))


def add(one: set[Row], other: set[Row]) -> set[Row]:
    return {tuple(map(sum, zip(left, right, strict=True))) for left, right in product(one, other)}


def attack(survey: Survey, shown: dict[str, dict[str, Shown]]) -> list[str]:
    """Hidden figures above zero for which one value only agrees with everything shown."""
    totals = set(rows_that_fit(shown["all"]["all"], sum(survey.total)))
    guesses = {
        cut: {group: set(rows_that_fit(shown[cut][group], sum(row))) for group, row in table.items()}
        for cut, table in survey.cuts.items()
    }
    for table in guesses.values():
        sums: set[Row] = {(0,) * len(survey.total)}
        for rows in table.values():
            sums = add(sums, rows)
        totals &= sums
    assert survey.total in totals
    found = certain("total", survey.total, shown["all"]["all"], totals)
    for cut, table in guesses.items():
        for group, rows in table.items():
            rest: set[Row] = {(0,) * len(survey.total)}
            for other, others in table.items():
                rest = add(rest, others) if other != group else rest
            possible = {row for row in rows if not add(rest, {row}).isdisjoint(totals)}
            found += certain(f"{cut} {group}", survey.cuts[cut][group], shown[cut][group], possible)
    return found


def certain(name: str, counts: Row, shown: Shown, possible: set[Row]) -> list[str]:
    assert counts in possible
    return [
        f"{name}, answer {answer}: {count}"
        for answer, count in enumerate(counts)
        if shown[answer] is None and count > 0 and len({row[answer] for row in possible}) == 1
    ]


def small_enough(survey: Survey, shown: dict[str, dict[str, Shown]]) -> bool:
    """Whether listing every table is a matter of milliseconds."""
    sizes = [
        sum(1 for _ in zip(rows_that_fit(shown[cut][group], sum(row)), range(400), strict=False))
        for cut, table in survey.cuts.items()
        for group, row in table.items()
    ]
    return max(sizes) < 400


def is_unanimous(survey: Survey) -> bool:
    """Everyone gave one answer: the total alone says what each answered, whatever is hidden below it."""
    return sum(count > 0 for count in survey.total) == 1


def run_attack(surveys: list[Survey], published: list[dict[str, dict[str, Shown]]]) -> tuple[Report, list[str]]:
    report, found = Report(), []
    for survey, shown in zip(surveys, published, strict=True):
        if not small_enough(survey, shown):
            continue
        cells = [count for table in shown.values() for row in table.values() for count in row]
        report.surveys += 1
        report.hidden += sum(count is None for count in cells)
        report.shown += sum(count is not None for count in cells)
        found += [f"{one} of {survey.cuts}, shown {shown}" for one in attack(survey, shown)]
    report.recovered = len(found)
    return report, found


def drawn(answers: int, count: int, low: int, high: int, seed: int) -> list[Survey]:
    generator = random.Random(seed)
    surveys = [random_survey(generator, answers, generator.randint(low, high)) for _ in range(count)]
    return [survey for survey in surveys if not is_unanimous(survey)]


@pytest.fixture(scope="module")
def compiled(built: Build) -> dict[str, str]:
    built.dbt("compile", "-s", *MODELS)
    return {result.node.name: result.node.compiled_code for result in built.results}


@pytest.mark.parametrize(("answers", "count", "low", "high"), [(3, 100, 10, 60), (5, 60, 10, 24)])
def test_three_published_tables_together_give_nothing_away(
    compiled: dict[str, str], answers: int, count: int, low: int, high: int
) -> None:
    surveys = drawn(answers, count, low, high, seed=20260301)
    report, found = run_attack(surveys, publish(surveys, compiled))
    print(report.line(f"\nscale of {answers}"))  # noqa: T201 - the report
    assert found == []
    assert report.surveys > 5 and report.hidden > 0 < report.shown


def test_the_attack_recovers_what_only_one_table_protects() -> None:
    """Hidden so that each table alone is safe, together they give the total away, and with it the cells."""
    survey = Survey({"role": {"a": (3, 8), "b": (2, 9)}, "municipality": {"c": (1, 10), "d": (4, 7)}})
    shown = {
        "all": {"all": (None, None)},
        "role": {"a": (None, None), "b": (None, None)},
        "municipality": {"c": (1, 10), "d": (4, 7)},
    }
    assert attack(survey, shown) == ["total, answer 0: 5", "total, answer 1: 17"]
