"""Every reason a sensor can be unwell for is tried on a day that has it and one that has not; every warning warns."""

from __future__ import annotations

import csv
import re
from typing import Any

import duckdb
import pytest
import yaml

from expectations.suite import load_suite
from tests.unit.dbt_project.small_build import PROJECT

ASSESSED = "unit_every_reason_is_told_and_a_sound_day_has_none"
# Table, and what its rows are: one that is well and one that the warning is about.
WARNED = {
    "no_sensor_is_silent_now": ("{'is_open': false}", "{'is_open': true}"),
    "no_sensor_is_faulty": ("{'status': 'attention'}", "{'status': 'fault'}"),
    "every_sensor_was_read_once": ("{'status': 'ok'}", "{'status': 'never_read'}"),
}


def models(path: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((PROJECT / "models" / path).read_text(encoding="utf-8"))
    return content


def known_reasons() -> set[str]:
    with (PROJECT / "seeds" / "sensor_health_reasons.csv").open(encoding="utf-8", newline="") as file:
        return {row["reason"] for row in csv.DictReader(file)}


def reasons_of_cases() -> list[set[str]]:
    """The reasons of each sensor in the unit test of ``int_sensor_day__assessed``."""
    tests = models("intermediate/sensor_health/_sensor_health.yml")["unit_tests"]
    [test] = [test for test in tests if test["name"] == ASSESSED]
    return [set(re.findall(r"\w+", row["reasons"])) for row in test["expect"]["rows"]]


def test_every_reason_is_given_in_one_case_and_not_in_another() -> None:
    cases = reasons_of_cases()
    assert set().union(*cases) == known_reasons()
    assert set() in cases


def test_the_suite_knows_the_same_reasons() -> None:
    [check] = [
        check for check in load_suite("kpi_operations__sensor_health").expectations if check.name == "reasons_are_known"
    ]
    listed = re.search(r"not in \(([^)]*)\)", str(check.kwargs["unexpected_rows_query"]))
    assert listed
    assert set(re.findall(r"\w+", listed[1])) == known_reasons()


def warnings() -> dict[str, str]:
    """Of every dbt test on sensor health that warns: its condition, by name."""
    tests = [test for model in models("marts/operations/_sensor_health.yml")["models"] for test in model["data_tests"]]
    held = [test["holds_true"] for test in tests if "holds_true" in test]
    return {
        test["name"]: test["arguments"]["condition"]
        for test in held
        if test.get("config", {}).get("severity") == "warn"
    }


def test_every_warning_has_a_case() -> None:
    assert warnings().keys() == WARNED.keys()


@pytest.mark.parametrize("name", WARNED)
def test_a_warning_names_the_unwell_and_nobody_else(name: str) -> None:
    well, unwell = WARNED[name]
    rows = f"(select unnest([{well}, {unwell}], recursive := true))"
    # As the dbt test holds_true asks it.
    found = duckdb.sql(f"select count(*) from {rows} where not ({warnings()[name]})").fetchone()
    assert found == (1,)
