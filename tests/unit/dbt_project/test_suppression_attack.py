"""The attack with everything that is published of a survey at once: every wave, question, subgroup and option, the
change between waves, the readiness index, the respondents of each wave.

Random surveys of two waves go from raw answers through the models' own SQL. The attacker reads the marts and nothing
else, writes down what every figure says (an integer programme: the unknowns are the counts) and asks for the least and
the greatest value of each hidden count. A hidden count above zero is recovered when the two are one. ``pytest -s``
prints the report.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp

from tests.unit.dbt_project.survey_models import run_models, survey_database

WAVES = 2
SCALES = {
    "direction": ("yes_no_dont_know", ("yes", "no", "dont_know")),
    "readiness": ("likert", ("1", "2", "3", "4", "5")),
    "use": ("multiple", ("text", "analysis", "service", "nowhere")),
    "hours": ("numeric", ("0_to_below_5", "5_to_below_20", "20_and_above")),
}
NUMBERS = {"0_to_below_5": "2.5", "5_to_below_20": "5", "20_and_above": "1e3"}
# One question a dimension: an index is then a sum of that question's counts, which the attacker can write down.
READINESS = {"steering": ("direction", "indicator_share"), "skill": ("readiness", "scale_mean")}

# What a careless change of the models could take away; each leaves something for the attack to find.
WEAKENINGS = {
    "small answers are masked alone": (
        "int_survey_answer__masked",
        "candidates.mask_rank <= shortest.n_masked_answers",
        "candidates.is_required",
    ),
    "small subgroups are hidden alone": (
        "int_survey_subgroup__hidden",
        "ranked.size_rank <= run_lengths.n_hidden",
        "ranked.n_respondents < 10",
    ),
    "what is masked in the total is shown below it": (
        "int_survey_answer__masked",
        "total_masks.answer is not null or totals.is_small",
        "totals.is_small",
    ),
    "a share stands beside a masked count": (
        "kpi_digitalisation__survey_answer",
        "shown.n_answers_shown / shown.n_respondents",
        "shown.n_answers / shown.n_respondents",
    ),
}


class Cell(NamedTuple):
    """One count of one question in one wave."""

    subgroup_type: str
    subgroup: str
    answer: str


@dataclass
class Report:
    """What an attack came to."""

    tables: int = 0
    shown: int = 0
    hidden: int = 0
    recovered: int = 0

    def line(self, name: str) -> str:
        return (
            f"{name}: {self.tables} questions of a wave, {self.shown} counts shown, {self.hidden} hidden above zero,"
            f" {self.recovered} of them recovered"
        )


@dataclass(frozen=True)
class Question:
    """Everything the marts say of one question in one wave, and for the test what they keep."""

    kind: str
    respondents: dict[tuple[str, str], int]
    known: dict[Cell, int]
    masked: set[Cell]
    indices: list[tuple[dict[Cell, float], float]]
    truth: dict[Cell, int]


def random_answers(generator: random.Random, surveys: int) -> pl.DataFrame:
    """Rows of the raw table. Groups and answers are lopsided, so that small counts are common; of the multiple choice
    everybody chooses one option, or any number, by survey.
    """
    rows = []
    for survey in range(surveys):
        roles, municipalities = (groups(generator) for _ in range(2))
        chooses_one = generator.random() < 0.4
        tastes = {question: taste(generator, len(answers)) for question, (_, answers) in SCALES.items()}
        for wave in range(1, WAVES + 1):
            for person in range(generator.randint(10, 70)):
                place = (generator.choices(*municipalities)[0], generator.choices(*roles)[0])
                for question, (kind, answers) in SCALES.items():
                    weights = tastes[question]
                    if generator.random() < 0.05:
                        given = None
                    elif kind == "multiple" and not chooses_one:
                        given = {a for a, w in zip(answers, weights, strict=True) if generator.random() * 8 < w}
                    else:
                        given = set(generator.choices(answers, weights))
                    rows += [
                        (f"{survey}_{wave}", f"p{person}", question_id, answer, *place)
                        for question_id, answer in raw_answers(question, kind, answers, given)
                    ]
    columns = ["wave", "respondent", "question_id", "answer", "municipality_code", "role"]
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")


def groups(generator: random.Random) -> tuple[str, list[int]]:
    names = "abcd"[: generator.randint(1, 4)]
    return names, [generator.choice((1, 2, 6)) for _ in names]


def taste(generator: random.Random, answers: int) -> list[int]:
    weights = [generator.choice((0, 1, 4, 8)) for _ in range(answers)]
    weights[generator.randrange(answers)] += 2
    return weights


def raw_answers(question: str, kind: str, answers: Sequence[str], given: set[str] | None) -> Iterable[tuple[str, str]]:
    if kind == "multiple":
        for option in answers:
            yield f"{question}.{option}", ("yes" if option in given else "no") if given else "no_answer"
    elif given is None:
        yield question, "no_answer"
    else:
        (answer,) = given
        yield question, NUMBERS.get(answer, answer)


def publish(answers: pl.DataFrame, compiled: dict[str, str]) -> dict[str, list[tuple[Any, ...]]]:
    """The marts of all surveys, by the models' own SQL, and the unprotected counts to judge the attack by."""
    surveys = answers["wave"].str.split("_").list.first().unique()
    with survey_database() as connection:
        connection.register("answers", answers.to_arrow())
        connection.execute(
            "insert into warehouse.raw.survey_answer select *, timestamptz '2026-01-01', timestamptz '2026-01-02'"
            " from answers"
        )
        options = {question: ";".join(of) for question, (_, of) in SCALES.items()} | {"hours": "0;5;20"}
        for question, (kind, scale) in SCALES.items():
            connection.execute(
                "insert into staging.survey_questions values (?, null, null, ?, '', '', ?, ?)",
                [question, kind, options[question], None if kind == "multiple" else scale[0]],
            )
        waves = [(f"{survey}_{wave}", survey, wave) for survey in surveys for wave in range(1, WAVES + 1)]
        connection.register("waves", pl.DataFrame(waves, ["wave", "survey", "wave_number"], orient="row").to_arrow())
        connection.execute("insert into staging.survey_waves by name select *, 100 as invited from waves")
        for dimension, (question, measure) in READINESS.items():
            connection.execute(
                "insert into staging.readiness_items values (?, '', '', '', ?, ?)", [dimension, question, measure]
            )
        run_models(connection, compiled)
        queries = {
            "answer": "select wave, question_id, subgroup_type, subgroup, answer, n_respondents, n_answers,"
            " answer_share from main.kpi_digitalisation__survey_answer",
            "change": "select wave, previous_wave, question_id, subgroup_type, subgroup, answer, n_respondents,"
            " n_respondents_before, answer_share, answer_share_before from main.kpi_digitalisation__survey_change",
            "index": "select wave, dimension, subgroup_type, subgroup, n_respondents, readiness_index"
            " from main.kpi_digitalisation__ai_readiness where readiness_index is not null",
            "wave": "select wave, n_respondents from main.kpi_digitalisation__survey_wave",
            "truth": "select wave, question_id, subgroup_type, subgroup, answer, n_answers"
            " from intermediate.int_survey_answer__counted",
        }
        return {name: connection.execute(query).fetchall() for name, query in queries.items()}


def questions(marts: dict[str, list[tuple[Any, ...]]]) -> list[Question]:
    """What the marts say, a question of a wave at a time: nothing published joins two of them."""
    found: dict[tuple[str, str], Question] = {}
    of_wave = dict(marts["wave"])
    for wave, question, kind, subgroup, answer, n, count, share in marts["answer"]:
        one = found.setdefault((wave, question), Question(SCALES[question][0], {}, {}, set(), [], {}))
        one.respondents[kind, subgroup] = n
        assert n <= of_wave[wave]
        cell = Cell(kind, subgroup, answer)
        if count is None:
            one.masked.add(cell)
        for figure in (count, None if share is None else round(share * n)):
            if figure is not None:
                one.known[cell] = figure
    for wave, before, question, kind, subgroup, answer, n, n_before, share, share_before in marts["change"]:
        for of, people, figure in ((wave, n, share), (before, n_before, share_before)):
            if figure is not None:
                found[of, question].known[Cell(kind, subgroup, answer)] = round(figure * people)
    for wave, dimension, kind, subgroup, n, index in marts["index"]:
        question, measure = READINESS[dimension]
        answers = SCALES[question][1]
        steps = (1.0, 0.0, 0.0) if measure == "indicator_share" else (0.0, 0.25, 0.5, 0.75, 1.0)
        weights = {Cell(kind, subgroup, a): step / n for a, step in zip(answers, steps, strict=True) if step}
        found[wave, question].indices.append((weights, index / 100))
    for wave, question, kind, subgroup, answer, count in marts["truth"]:
        found[wave, question].truth[Cell(kind, subgroup, answer)] = count
    return list(found.values())


class Attack:
    """The counts of one question as unknowns, and all that is known of them."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.cells = list(question.truth)
        self.place = {cell: number for number, cell in enumerate(self.cells)}
        people = [question.respondents[cell[:2]] for cell in self.cells]
        known = question.known
        self.bounds = Bounds(
            [known.get(cell, 0) for cell in self.cells],
            [known.get(cell, most) for cell, most in zip(self.cells, people, strict=True)],
        )
        rows, low, high = zip(*self._equations(), strict=True)
        self.constraints = LinearConstraint(np.array(rows), low, high)

    def _equations(self) -> Iterable[tuple[np.ndarray, float, float]]:
        """Each with its least and its greatest value."""
        question = self.question
        for group, people in question.respondents.items():
            # Who answered a multiple choice chose one option at least.
            most = np.inf if question.kind == "multiple" else people
            yield self._row({cell: 1.0 for cell in self.cells if cell[:2] == group}), people, most
        for cut in {kind for kind, _ in question.respondents} - {"all"}:
            for answer in {cell.answer for cell in self.cells}:
                weights = {cell: 1.0 for cell in self.cells if (cell.subgroup_type, cell.answer) == (cut, answer)}
                yield self._row(weights | {Cell("all", "all", answer): -1.0}), 0, 0
        for weights, index in question.indices:
            yield self._row(weights), index - 1e-9, index + 1e-9

    def _row(self, weights: dict[Cell, float]) -> np.ndarray:
        row = np.zeros(len(self.cells))
        for cell, weight in weights.items():
            row[self.place[cell]] = weight
        return row

    def hidden(self) -> list[Cell]:
        """Hidden counts above zero. What everybody in the wave gave says itself, and is no secret of a subgroup's."""
        question = self.question
        everybody = {
            answer
            for answer in {cell.answer for cell in self.cells}
            if question.truth[Cell("all", "all", answer)] == question.respondents["all", "all"]
        }
        return [
            cell
            for cell, count in question.truth.items()
            if cell in question.masked and count > 0 and cell.answer not in everybody
        ]

    def recovered(self) -> list[Cell]:
        """The hidden counts that have one value only in every table that agrees with what is published."""
        certain = set(self.hidden())
        noise = np.random.default_rng(len(self.cells))
        for _ in range(4):  # a table at random clears most counts at once
            if not certain:
                return []
            goal = np.zeros(len(self.cells))
            goal[[self.place[cell] for cell in certain]] = noise.normal(size=len(certain))
            self._clear(certain, goal)
        for cell in list(certain):
            for sign in (1.0, -1.0):
                if cell in certain:
                    self._clear(certain, self._row({cell: sign}))
        return sorted(certain)

    def _clear(self, certain: set[Cell], goal: np.ndarray) -> None:
        """Take from ``certain`` every count that the table which is best for ``goal`` has another figure for."""
        result = milp(goal, integrality=np.ones(len(goal)), bounds=self.bounds, constraints=self.constraints)
        assert result.success, "what is published contradicts itself"
        for cell in list(certain):
            if round(result.x[self.place[cell]]) != self.question.truth[cell]:
                certain.discard(cell)


def attacks(answers: pl.DataFrame, compiled: dict[str, str]) -> Iterator[tuple[Attack, list[Cell]]]:
    """Every question of every wave, and the hidden counts of it that were recovered."""
    for question in questions(publish(answers, compiled)):
        one = Attack(question)
        yield one, one.recovered()


@pytest.fixture(scope="module")
def answers() -> pl.DataFrame:
    return random_answers(random.Random(20260301), surveys=60)


def test_everything_published_together_gives_no_hidden_count_away(
    survey_models: dict[str, str], answers: pl.DataFrame
) -> None:
    reports = {kind: Report() for kind, _ in SCALES.values()}
    found = []
    for one, recovered in attacks(answers, survey_models):
        report = reports[one.question.kind]
        report.tables += 1
        report.shown += len(one.question.truth) - len(one.question.masked)
        report.hidden += len(one.hidden())
        report.recovered += len(recovered)
        found += [f"{cell} of {one.question}" for cell in recovered]
    for kind, report in reports.items():
        print(report.line(f"\n{kind}"), end="")  # noqa: T201 - the report
    assert found == []
    assert all(report.shown > 100 < report.hidden for report in reports.values())


@pytest.mark.parametrize("weakening", WEAKENINGS)
def test_the_attack_succeeds_on_a_weakened_suppression(
    survey_models: dict[str, str], answers: pl.DataFrame, weakening: str
) -> None:
    model, rule, weaker = WEAKENINGS[weakening]
    assert rule in survey_models[model]
    weakened = survey_models | {model: survey_models[model].replace(rule, weaker)}
    assert any(recovered for _, recovered in attacks(answers, weakened))


def test_the_attack_reads_what_the_choices_of_everybody_who_chose_one_add_up_to() -> None:
    """Options are no parts of a whole, but as many choices as people are: then a single masked option is the rest."""
    truth = {("a", "x"): 6, ("a", "y"): 5, ("b", "x"): 8, ("b", "y"): 3, ("all", "x"): 14, ("all", "y"): 8}
    cells = {Cell("all" if group == "all" else "role", group, option): n for (group, option), n in truth.items()}
    respondents = {("role", "a"): 11, ("role", "b"): 11, ("all", "all"): 22}
    masked = {Cell("role", "a", "y"), Cell("role", "b", "y")}
    shown = {cell: n for cell, n in cells.items() if cell not in masked}
    assert Attack(Question("multiple", respondents, shown, masked, [], cells)).recovered() == sorted(masked)
    fewer = respondents | {("role", "a"): 10, ("all", "all"): 21}
    assert Attack(Question("multiple", fewer, shown, masked, [], cells)).recovered() == []
