"""Suite files: what is wrong with one is said in one sentence that names the file and the check."""

import csv
from pathlib import Path

import pytest

from expectations.runner import load_expectations
from expectations.suite import SUITES, SuiteError, load_suite, read_suite

HEAD = """
name: readings
version: 1
table: staged
description: Readings.
index_column: stage_row
max_quarantine_share: 0.1
max_quarantine_share_reason: Because.
expectations:
"""
CHECK = """
  - name: value_is_given
    expectation: expect_column_values_to_not_be_null
    kwargs: {column: value}
    scope: row
    severity: error
    description: The value is given.
    threshold_reason: Missing is not zero.
"""


def suite_file(folder: Path, text: str) -> Path:
    path = folder / "readings.yml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_municipalities_come_from_the_seed_and_stand_in_no_suite(tmp_path: Path) -> None:
    with (SUITES.parents[1] / "dbt_project" / "seeds" / "municipalities.csv").open(encoding="utf-8") as seed:
        codes = [row["municipality_code"] for row in csv.DictReader(seed)]
    check = CHECK.replace("not_be_null", "be_in_set").replace(
        "column: value", "column: v, value_set: [{municipalities}]"
    )

    assert read_suite(suite_file(tmp_path, HEAD + check)).expectations[0].kwargs["value_set"] == codes
    assert not [
        path.name for path in SUITES.glob("*.yml") if any(f"'{code}'" in path.read_text("utf-8") for code in codes)
    ]


def test_a_suite_is_read_with_all_its_words(tmp_path: Path) -> None:
    suite = read_suite(suite_file(tmp_path, HEAD + CHECK))

    assert (suite.name, suite.version, suite.index_column, suite.max_quarantine_share) == (
        "readings",
        1,
        "stage_row",
        0.1,
    )
    assert suite.max_quarantine_share_reason == "Because."
    assert suite.expectations[0].column == "value"


@pytest.mark.parametrize(
    ("wrong", "instead", "message"),
    [
        (
            "severity: error",
            "severity: fatal",
            "readings.yml, check 'value_is_given': severity: Input should be 'error' or 'warning'.",
        ),
        (
            "expect_column_values_to_not_be_null",
            "expect_values",
            "readings.yml, check 'value_is_given': expectation: unknown expectation type 'expect_values'.",
        ),
        (
            "    scope: row",
            "    scope: row\n    colour: red",
            "readings.yml, check 'value_is_given': unknown key 'colour'.",
        ),
        (
            "    threshold_reason: Missing is not zero.",
            "",
            "readings.yml, check 'value_is_given': missing key 'threshold_reason'.",
        ),
        ("  - name: value_is_given\n    ", "  - ", "readings.yml, check number 1: missing key 'name'."),
        ("version: 1", "version: 1\nowner: me", "readings.yml: unknown key 'owner'."),
        (
            "kwargs: {column: value}",
            "kwargs: {column: value, mostly: 0.9}",
            "readings.yml, check 'value_is_given': 'mostly' would let failing rows pass;"
            " a check of scope row cannot have it.",
        ),
        (
            "expect_column_values_to_not_be_null",
            "expect_column_max_to_be_between",
            "readings.yml, check 'value_is_given': expect_column_max_to_be_between judges a whole table"
            " and cannot have scope row.",
        ),
        (
            "expect_column_values_to_not_be_null",
            "unexpected_rows_expectation",
            "readings.yml, check 'value_is_given': unexpected_rows_query must read from {batch}.",
        ),
        (
            "index_column: stage_row\n",
            "",
            "readings.yml: index_column, max_quarantine_share and max_quarantine_share_reason belong to"
            " staged tables, and a staged table needs all three.",
        ),
        (
            HEAD + CHECK,
            """
name: readings
version: 1
table: mart
description: Readings.
expectations:"""
            + CHECK.replace("scope: row", "scope: table").replace("severity: error", "severity: warning"),
            "readings.yml: check 'value_is_given' warns those who read the KPI page; it needs a description_sv.",
        ),
        (
            "name: readings",
            "name: other",
            "readings.yml says it is suite 'other'; file and suite must have one name.",
        ),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, wrong: str, instead: str, message: str) -> None:
    text = HEAD + CHECK
    assert wrong in text

    with pytest.raises(SuiteError) as raised:
        read_suite(suite_file(tmp_path, text.replace(wrong, instead)))

    assert str(raised.value) == message


def test_a_check_stated_twice_is_named(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"^readings.yml: check 'value_is_given' is stated twice\.$"):
        read_suite(suite_file(tmp_path, HEAD + CHECK + CHECK))


def test_a_mart_has_no_check_of_scope_row(tmp_path: Path) -> None:
    mart = "name: readings\nversion: 1\ntable: mart\ndescription: Readings.\nexpectations:\n" + CHECK

    with pytest.raises(SuiteError, match="check 'value_is_given' has scope row, but a mart has no quarantine"):
        read_suite(suite_file(tmp_path, mart))


def test_a_suite_that_is_missing_or_no_yaml_is_named(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"^There is no suite 'no_such_suite': no_such_suite.yml is missing\.$"):
        load_suite("no_such_suite")
    with pytest.raises(SuiteError, match=r"^readings.yml is not YAML: "):
        read_suite(suite_file(tmp_path, "name: [readings"))
    with pytest.raises(SuiteError, match=r"^readings.yml: "):
        read_suite(suite_file(tmp_path, ""))


def test_an_argument_the_expectation_does_not_know_is_named(tmp_path: Path) -> None:
    text = HEAD + CHECK.replace("column: value", "column: value, colum: value")

    with pytest.raises(SuiteError) as raised:
        load_expectations(read_suite(suite_file(tmp_path, text)))

    assert str(raised.value) == (
        "readings.yml, check 'value_is_given', expect_column_values_to_not_be_null: unknown argument 'colum'."
    )
