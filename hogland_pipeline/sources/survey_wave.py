"""A survey wave: which column of the export is which question, and what its answers may be.

Each wave is one TOML file under ``waves``; its words are explained in ``waves/ai_maturity_2024_25.toml``.
"""

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

WAVES_FOLDER: Final = Path(__file__).parent / "waves"

QuestionType = Literal["yes_no_dont_know", "likert", "single", "multiple", "numeric", "free_text"]

_YES_NO_DONT_KNOW: Final[Mapping[str, tuple[str, ...]]] = {
    "yes": ("Ja", "Yes", "Y"),
    "no": ("Nej", "No", "N"),
    "dont_know": ("Vet ej", "Vet inte", "Don't know", "Do not know"),
}


class InvalidWave(Exception):
    """A wave file is missing or wrong; one sentence that names the file and the key."""


class Question(BaseModel):
    """One column of the export.

    ``text`` holds the wordings the header may have (any language, or a platform's code), ``position`` the column's
    place among the question columns (1 is the first), ``answers`` the wordings of each answer code (a platform's codes
    too). ``allows_other`` is for multiple choice with a line to fill in: what was typed is not kept, only that it was
    used. ``minimum`` and ``maximum`` bound a number.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: QuestionType
    text: tuple[str, ...] = Field(min_length=1)
    label: str | None = None
    position: int | None = Field(default=None, ge=1)
    answers: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    allows_other: bool = False
    minimum: float | None = None
    maximum: float | None = None

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        has_own_answers = self.type in ("likert", "single", "multiple")
        if self.type == "yes_no_dont_know" and self.answers.keys() <= _YES_NO_DONT_KNOW.keys():
            pass  # a platform's codes beside the usual words
        elif has_own_answers != bool(self.answers):
            raise ValueError(f"a {self.type} question has {'answers' if has_own_answers else 'no answers of its own'}")
        if self.allows_other and self.type != "multiple":
            raise ValueError("only a multiple question allows other answers")
        codes = [(answer_key(word), code) for code, words in self.answers.items() for word in (code, *words)]
        if len({key for key, _ in codes}) != len(set(codes)):
            raise ValueError("one wording stands for two answers")
        return self

    @property
    def codes(self) -> dict[str, str]:
        """Answer code by normalised wording (``answer_key``); empty for numbers and free text."""
        usual = _YES_NO_DONT_KNOW.items() if self.type == "yes_no_dont_know" else ()
        answers = [*usual, *self.answers.items()]
        return {answer_key(word): code for code, words in answers for word in (code, *words)}

    @property
    def header_keys(self) -> set[str]:
        """What a column's header may be (``header_key``): one of the wordings, or the question's number."""
        return {header_key(text) for text in (*self.text, *([self.label] if self.label else []))}


class Background(BaseModel):
    """The variables every answer is broken down by."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    municipality: Question
    role: Question

    @field_validator("municipality", "role")
    @classmethod
    def _is_one_choice(cls, question: Question) -> Question:
        if question.type != "single":
            raise ValueError("a background variable is of type single")
        return question


class Wave(BaseModel):
    """One round of a survey. Times of the export are local times of ``timezone``, in Excel or as
    ``datetime_formats``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    wave: str = Field(pattern=r"^[a-z0-9_]+$")
    title: str
    timezone: str
    datetime_formats: tuple[str, ...] = ("%Y-%m-%d %H:%M:%S",)
    background: Background
    questions: Mapping[str, Question] = Field(min_length=1)

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"'{name}' is not a time zone such as 'Europe/Stockholm'") from None
        return name

    @property
    def columns(self) -> dict[str, Question]:
        """Every mapped column by id: the background variables, then the questions."""
        return {"municipality": self.background.municipality, "role": self.background.role, **self.questions}


def load_wave(name: str, folder: Path = WAVES_FOLDER) -> Wave:
    """Read ``<name>.toml``. Raises ``InvalidWave``."""
    path = folder / f"{name}.toml"
    try:
        return Wave.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError:
        known = ", ".join(sorted(file.stem for file in folder.glob("*.toml"))) or "none"
        raise InvalidWave(f"No survey wave '{name}': the waves are {known}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidWave(f"{path.name}: is not valid TOML: {error}.") from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the file"
        raise InvalidWave(f"{path.name}: {key}: {first['msg'].removeprefix('Value error, ')}.") from None


def answer_key(text: str) -> str:
    """An answer without the differences that mean nothing: case, spaces, typographic apostrophes, ``4.0`` for
    ``4``.
    """
    key = " ".join(unicodedata.normalize("NFKC", text).replace("’", "'").casefold().split())
    return re.sub(r"^(\d+)\.0+$", r"\1", key)


def header_key(text: str) -> str:
    """A header without case, line breaks, a leading question number and closing punctuation."""
    key = answer_key(text)
    key = re.sub(r"^(?:q|fråga\s*)?\d+\s*[.):]\s*", "", key)
    return key.rstrip(" ?.:*")
