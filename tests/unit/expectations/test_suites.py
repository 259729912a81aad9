"""Every suite: a good table passes all its checks, and every check fails alone on a table that breaks it."""

from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from expectations.runner import CheckResult, load_expectations, run_suite
from expectations.suite import load_suite, suite_names
from sensors_ingest.readings import CANONICAL_UNITS, QUALITIES

CASES = Path(__file__).parent / "cases"


@cache
def case(suite: str) -> dict[str, Any]:
    """``good`` (SQL that makes a good table) and ``breaches`` (SQL by the check it breaks)."""
    content: dict[str, Any] = yaml.safe_load((CASES / f"{suite}.yml").read_text(encoding="utf-8"))
    return content


def audit(suite: str, breach: str = "") -> list[CheckResult]:
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'Europe/Stockholm'")
        connection.execute(case(suite)["good"])
        if breach:
            connection.execute(breach)
        return run_suite(connection, f"main.{suite}", load_suite(suite))


ALL_BREACHES = [(path.stem, check) for path in sorted(CASES.glob("*.yml")) for check in case(path.stem)["breaches"]]


@pytest.mark.parametrize("suite", suite_names())
def test_a_good_table_passes_every_check(suite: str) -> None:
    results = audit(suite)

    assert [result for result in results if not result.passed] == []
    assert [result.name for result in results] == [check.name for check in load_suite(suite).expectations]
    assert all(result.evaluated_rows > 0 for result in results if result.scope == "row")


@pytest.mark.parametrize(("suite", "check"), ALL_BREACHES)
def test_a_breach_fails_its_own_check_and_no_other(suite: str, check: str) -> None:
    results = audit(suite, case(suite)["breaches"][check])

    failed = {result.name: result for result in results if not result.passed}
    assert list(failed) == [check]
    assert failed[check].error is None
    stated = next(stated for stated in load_suite(suite).expectations if stated.name == check)
    assert failed[check].severity == stated.severity
    assert (failed[check].failing_query is not None) == (stated.scope == "row")
    assert stated.scope == "table" or failed[check].failing_rows > 0


@pytest.mark.parametrize("suite", suite_names())
def test_every_check_has_a_breach(suite: str) -> None:
    assert set(case(suite)["breaches"]) == {check.name for check in load_suite(suite).expectations}


@pytest.mark.parametrize("suite", suite_names())
def test_great_expectations_accepts_every_check(suite: str) -> None:
    names = [expectation.meta["name"] for expectation in load_expectations(load_suite(suite))]

    assert names == [check.name for check in load_suite(suite).expectations]


def test_the_vocabulary_of_readings_is_that_of_the_feeds() -> None:
    checks = {check.name: check for check in load_suite("sensor_reading").expectations}
    units = str(checks["unit_is_the_canonical_one"].kwargs["unexpected_rows_query"])

    assert checks["quality_is_known"].kwargs["value_set"] == list(QUALITIES)
    assert checks["quantity_is_known"].kwargs["value_set"] == list(CANONICAL_UNITS)
    assert all(f"('{quantity}', '{unit}')" in units for quantity, unit in CANONICAL_UNITS.items())


def test_every_quantity_has_a_range() -> None:
    ranged = {
        check.only_where["quantity"]
        for check in load_suite("sensor_reading").expectations
        if check.expectation == "expect_column_values_to_be_between" and "quantity" in check.only_where
    }

    assert ranged == set(CANONICAL_UNITS)
