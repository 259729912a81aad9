"""What a suite file may say, and the one clear sentence when it says something else.

A suite is one YAML file, ``expectations/suites/<table>.yml``. Reading it needs neither Great Expectations nor
a database, so a mistake in a suite shows without paying for their import. ``{municipalities}`` stands for the codes of
the seed ``municipalities.csv``, quoted and with commas between them.
"""

import csv
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

SUITES: Final = Path(__file__).parent / "suites"
MUNICIPALITIES: Final = Path(__file__).parents[1] / "dbt_project" / "seeds" / "municipalities.csv"

UNEXPECTED_ROWS: Final = "unexpected_rows_expectation"
COMPOUND_UNIQUE: Final = "expect_compound_columns_to_be_unique"

# Expectations that judge each row by itself; only these can send single rows to quarantine.
ROW_EXPECTATIONS: Final = frozenset(
    {
        "expect_column_pair_values_a_to_be_greater_than_b",
        "expect_column_pair_values_to_be_equal",
        "expect_column_pair_values_to_be_in_set",
        "expect_column_value_lengths_to_be_between",
        "expect_column_value_lengths_to_equal",
        "expect_column_values_to_be_between",
        "expect_column_values_to_be_in_set",
        "expect_column_values_to_be_json_parseable",
        "expect_column_values_to_be_null",
        "expect_column_values_to_be_unique",
        "expect_column_values_to_match_like_pattern",
        "expect_column_values_to_match_regex",
        "expect_column_values_to_match_strftime_format",
        "expect_column_values_to_not_be_in_set",
        "expect_column_values_to_not_be_null",
        "expect_column_values_to_not_match_like_pattern",
        "expect_column_values_to_not_match_regex",
        COMPOUND_UNIQUE,
        UNEXPECTED_ROWS,
    }
)
TABLE_EXPECTATIONS: Final = frozenset(
    {
        "expect_column_distinct_values_to_be_in_set",
        "expect_column_distinct_values_to_contain_set",
        "expect_column_distinct_values_to_equal_set",
        "expect_column_max_to_be_between",
        "expect_column_mean_to_be_between",
        "expect_column_min_to_be_between",
        "expect_column_proportion_of_unique_values_to_be_between",
        "expect_column_sum_to_be_between",
        "expect_column_unique_value_count_to_be_between",
        "expect_table_row_count_to_be_between",
        "expect_table_row_count_to_equal",
    }
)

# An error keeps rows or the whole batch out; a warning is shown.
Severity = Literal["error", "warning"]
# What a check speaks about: single rows, which go to quarantine, or the table, which closes the gate.
Scope = Literal["row", "table"]

Text = Annotated[str, Field(min_length=1)]
Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Scalar = str | int | float | bool


class SuiteError(Exception):
    """A suite file that cannot be used: names the file, the check and what is wrong."""


class Strict(BaseModel):
    """A part of a suite file: unknown keys are errors, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Check(Strict):
    """One truth a table must hold.

    ``only_where`` narrows the check to rows whose columns hold a value, one of a list of values, or null.
    ``description_sv`` is for those who read the KPI page: a mart's check of severity warning needs it.
    ``{batch}`` in an SQL expectation stands for the audited table, which cannot be joined there, and
    ``{schema}`` for the schema it is in; other braces are doubled, as in ``[0-9]{{4}}``.
    """

    name: Identifier
    expectation: str
    kwargs: dict[str, object] = Field(default_factory=dict)
    only_where: dict[str, Scalar | list[Scalar] | None] = Field(default_factory=dict)
    scope: Scope
    severity: Severity
    description: Text
    description_sv: Text | None = None
    threshold_reason: Text

    @field_validator("expectation")
    @classmethod
    def _is_supported(cls, expectation: str) -> str:
        if expectation not in ROW_EXPECTATIONS | TABLE_EXPECTATIONS:
            raise ValueError(f"unknown expectation type {expectation!r}")
        return expectation

    @model_validator(mode="after")
    def _fits_its_scope(self) -> Self:
        if self.scope == "row" and self.expectation not in ROW_EXPECTATIONS:
            raise ValueError(f"{self.expectation} judges a whole table and cannot have scope row")
        if self.scope == "row" and "mostly" in self.kwargs:
            raise ValueError("'mostly' would let failing rows pass; a check of scope row cannot have it")
        if self.expectation == UNEXPECTED_ROWS:
            if "{batch}" not in str(self.kwargs.get("unexpected_rows_query")):
                raise ValueError("unexpected_rows_query must read from {batch}")
            if self.only_where:
                raise ValueError("an SQL expectation says its own WHERE and cannot have only_where")
        return self

    @property
    def column(self) -> str | None:
        """The one column the check reads, if it reads one."""
        column = self.kwargs.get("column")
        return None if column is None else str(column)


class Suite(Strict):
    """The checks of one table.

    ``index_column`` numbers the rows of a staged table uniquely; more than ``max_quarantine_share`` (0-1) of
    its rows in quarantine closes the gate, once they are ``min_quarantined_rows``: a share of a handful says nothing.
    A mart has neither, and no check of scope row.
    """

    name: Identifier
    version: int = Field(ge=1)
    table: Literal["staged", "mart"]
    description: Text
    index_column: Identifier | None = None
    max_quarantine_share: float | None = Field(default=None, ge=0, le=1)
    max_quarantine_share_reason: Text | None = None
    min_quarantined_rows: int = Field(default=1, ge=1)
    expectations: list[Check] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        names = [check.name for check in self.expectations]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"check {repeated[0]!r} is stated twice")
        staged = self.table == "staged"
        quarantine = (self.index_column, self.max_quarantine_share, self.max_quarantine_share_reason)
        if any((part is not None) != staged for part in quarantine):
            raise ValueError(
                "index_column, max_quarantine_share and max_quarantine_share_reason belong to staged tables, "
                "and a staged table needs all three"
            )
        if not staged and (rows := [check.name for check in self.expectations if check.scope == "row"]):
            raise ValueError(f"check {rows[0]!r} has scope row, but a mart has no quarantine")
        warnings = (check for check in self.expectations if check.severity == "warning")
        if not staged and (untold := [check.name for check in warnings if not check.description_sv]):
            raise ValueError(f"check {untold[0]!r} warns those who read the KPI page; it needs a description_sv")
        return self


def load_suite(name: str) -> Suite:
    """Read ``expectations/suites/<name>.yml``.

    Raises:
        SuiteError: the file is missing, is not YAML, or breaks a rule of ``Suite``.
    """
    return read_suite(SUITES / f"{name}.yml")


def suite_names() -> list[str]:
    """Names of all suites, in order."""
    return sorted(path.stem for path in SUITES.glob("*.yml"))


def read_suite(path: Path) -> Suite:
    """Read one suite file; see ``load_suite``."""
    municipalities = _municipalities()
    try:
        # The loader in C: a night reads fifty suites, and the one in Python takes a twentieth of a second for each.
        text = path.read_text(encoding="utf-8").replace("{municipalities}", municipalities)
        content = yaml.load(text, Loader=yaml.CSafeLoader)
    except FileNotFoundError:
        raise SuiteError(f"There is no suite {path.stem!r}: {path.name} is missing.") from None
    except yaml.YAMLError as error:
        raise SuiteError(f"{path.name} is not YAML: {' '.join(str(error).split())}") from None
    try:
        suite = Suite.model_validate(content)
    except ValidationError as error:
        raise SuiteError(_first_mistake(path, content, error)) from None
    if suite.name != path.stem:
        raise SuiteError(f"{path.name} says it is suite {suite.name!r}; file and suite must have one name.")
    return suite


@cache
def _municipalities() -> str:
    with MUNICIPALITIES.open(encoding="utf-8", newline="") as seed:
        return ", ".join(f"'{row['municipality_code']}'" for row in csv.DictReader(seed))


def _first_mistake(path: Path, content: object, error: ValidationError) -> str:
    """One sentence: file, check, key and what is wrong with it."""
    mistake = error.errors()[0]
    where = list(mistake["loc"])
    subject = path.name
    match where:
        case ["expectations", int(position), *rest]:
            subject, where = f"{path.name}, check {_check_name(content, position)}", rest
    message = {
        "extra_forbidden": "unknown key",
        "missing": "missing key",
    }.get(mistake["type"], mistake["msg"].removeprefix("Value error, "))
    key = ".".join(str(part) for part in where)
    return (
        f"{subject}: {message} {key!r}."
        if mistake["type"] in {"extra_forbidden", "missing"}
        else (f"{subject}: {key + ': ' if key else ''}{message}.")
    )


def _check_name(content: object, position: int) -> str:
    """The name of the check at a position (from 0), or its number when it has none."""
    match content:
        case {"expectations": [*checks]}:
            match checks[position]:
                case {"name": str(name)}:
                    return repr(name)
    return f"number {position + 1}"
