"""From landed survey lines to answers in codes: each answer is found in its question's scale, or rejected
with a reason.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import polars as pl

from hogland_pipeline.sources.survey_wave import Question, Wave, answer_key

NO_ANSWER: Final = "no_answer"
OTHER: Final = "other"
BACKGROUND: Final = ("municipality", "role")

_LINE_SCHEMA: Final = {
    "sheet_row": pl.Int64,
    "respondent": pl.String,
    "submitted_at": pl.String,
    "submitted_text": pl.String,
    "question": pl.String,
    "answer": pl.String,
}
_FIRST_LINE: Final = 2  # the first line of a landing file is about the export


class Meaning(NamedTuple):
    """What a wording stands for: an answer code of a question, or why it stands for nothing."""

    question_id: str
    code: str | None
    problem: str | None = None


def decode_answers(lines: bytes, wave: Wave) -> pl.DataFrame:
    """One row per answer of a landed export.

    Columns: wave, respondent, question_id, answer, municipality_code, role, submitted_at, landing_row,
    reject_reason, source_row (rejects only: the sheet's row, the question and the answer, from which names
    were withheld at landing).
    """
    landed = (
        pl.read_ndjson(lines, schema=_LINE_SCHEMA)
        .with_row_index("landing_row", offset=_FIRST_LINE)
        .with_columns(
            pl.col("landing_row").cast(pl.Int64),
            pl.col("submitted_at").str.to_datetime(time_unit="us", time_zone="UTC"),
            pl.struct("sheet_row", "question", "answer").struct.json_encode().alias("source_row"),
        )
    )
    timed = landed.filter(pl.col("submitted_at").is_not_null())
    answers = timed.join(_meanings(timed, wave), on=["question", "answer"], how="left", nulls_equal=True)
    for variable, column in zip(BACKGROUND, ("municipality_code", "role"), strict=True):
        value = answers.filter(pl.col("question") == variable).select(
            "sheet_row", pl.col("code").replace(NO_ANSWER, None).alias(column)
        )
        answers = answers.join(value, on="sheet_row", how="left")
    is_answer = ~pl.col("question").is_in(BACKGROUND)
    kept = answers.filter(is_answer | pl.col("problem").is_not_null())
    return (
        pl.concat([kept, _untimed(landed)], how="diagonal")
        .select(
            pl.lit(wave.wave).alias("wave"),
            "respondent",
            "question_id",
            pl.col("code").alias("answer"),
            "municipality_code",
            "role",
            "submitted_at",
            "landing_row",
            pl.format("row {}: {}", "sheet_row", "problem").alias("reject_reason"),
            pl.when(pl.col("problem").is_not_null()).then("source_row").alias("source_row"),
        )
        .sort("landing_row", "question_id")
    )


def _meanings(landed: pl.DataFrame, wave: Wave) -> pl.DataFrame:
    """Every wording that occurs, looked up once: question, answer, question_id, code, problem."""
    return pl.DataFrame(
        [
            (question_id, text, *meaning)
            for question_id, text in landed.select("question", "answer").unique().iter_rows()
            for meaning in _look_up(question_id, wave.columns.get(question_id), text)
        ],
        schema=dict.fromkeys(["question", "answer", "question_id", "code", "problem"], pl.String),
        orient="row",
    )


def _look_up(question_id: str, question: Question | None, text: str | None) -> Iterator[Meaning]:
    if question is None:
        yield Meaning(question_id, None, f"question '{question_id}' is no longer in the wave's definition")
    elif question.type == "multiple":
        yield from _choices(question_id, question, text)
    elif text is None:
        yield Meaning(question_id, NO_ANSWER)
    elif question.type == "numeric":
        yield _number(question_id, question, text)
    else:
        code = question.codes.get(answer_key(text))
        yield Meaning(question_id, code, None if code else _outside(question_id, text, question.codes.values()))


def _choices(question_id: str, question: Question, text: str | None) -> Iterator[Meaning]:
    """One yes-or-no per option; one unknown choice rejects the whole answer: an option was misread."""
    codes = question.codes | ({OTHER: OTHER} if question.allows_other else {})
    options = dict.fromkeys(codes.values())
    chosen = {part: codes.get(answer_key(part)) for part in (text or "").split(";") if part.strip()}
    unknown = [part for part, code in chosen.items() if code is None]
    if unknown:
        yield Meaning(question_id, None, _outside(question_id, unknown[0], options))
        return
    for option in options:
        answer = ("yes" if option in chosen.values() else "no") if text else NO_ANSWER
        yield Meaning(f"{question_id}.{option}", answer)


def _number(question_id: str, question: Question, text: str) -> Meaning:
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        return Meaning(question_id, None, f"answer '{text}' to question '{question_id}' is no number")
    low, high = question.minimum, question.maximum
    is_inside = (low is None or number >= low) and (high is None or number <= high)
    if not is_inside or number in (float("inf"), float("-inf")) or number != number:
        return Meaning(
            question_id, None, f"answer '{text}' to question '{question_id}' is not between {low} and {high}"
        )
    return Meaning(question_id, f"{number:.10g}")


def _outside(question_id: str, text: str, codes: Iterable[str]) -> str:
    scale = ", ".join(dict.fromkeys(codes))
    return f"answer '{text}' to question '{question_id}' is not in its scale ({scale})"


def _untimed(landed: pl.DataFrame) -> pl.DataFrame:
    """A response without a readable time cannot be ordered among its revisions: one reject for the whole
    response.
    """
    return (
        landed.filter(pl.col("submitted_at").is_null())
        .unique("sheet_row", keep="first", maintain_order=True)
        .with_columns(
            pl.format("completion time '{}' is no time the wave's datetime_formats know", "submitted_text").alias(
                "problem"
            )
        )
    )
