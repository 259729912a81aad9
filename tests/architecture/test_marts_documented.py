"""Nothing is published that does not say what it is: grain, columns, types, owner, and a suite."""

from collections.abc import Mapping
from typing import Any

import pytest

from expectations.suite import suite_names
from hogland_pipeline.dbt_build import MANIFEST_PATH
from hogland_pipeline.manifest import Manifest
from hogland_pipeline.warehouse import RAW_TABLES

MANIFEST = Manifest.read(MANIFEST_PATH)
MARTS = {str(mart["name"]): mart for mart in MANIFEST.marts()}


def faults(mart: Mapping[str, Any]) -> list[str]:
    """What a mart fails to say."""
    columns = mart["columns"].values()
    found = [f"{column['name']} has no description" for column in columns if not column["description"].strip()]
    found += [f"{column['name']} has no type" for column in columns if not column.get("data_type")]
    if not columns:
        found.append("no columns")
    if "one row per " not in " ".join(mart["description"].lower().split()):
        found.append("the description does not say its grain ('One row per …')")
    if not mart["config"]["contract"]["enforced"]:
        found.append("the contract is not enforced")
    if {"valid_from_date", "valid_to_date"} <= set(mart["columns"]) and not {"is_latest", "is_current"} & set(
        mart["columns"]
    ):
        found.append("earlier vintages, and no column that says which rows are the latest")
    if not mart.get("config", {}).get("meta", {}).get("owner"):
        found.append("no owner")
    return found


@pytest.mark.parametrize("name", MARTS)
def test_a_mart_says_what_it_is(name: str) -> None:
    assert faults(MARTS[name]) == []


def test_a_mart_that_says_nothing_is_found() -> None:
    nothing = {
        "columns": {"depth": {"name": "depth", "description": " ", "data_type": None}},
        "description": "Snow.",
        "config": {"contract": {"enforced": False}, "meta": {}},
    }
    assert faults(nothing) == [
        "depth has no description",
        "depth has no type",
        "the description does not say its grain ('One row per …')",
        "the contract is not enforced",
        "no owner",
    ]
    assert "no columns" in faults({**nothing, "columns": {}})
    dated = {name: {"name": name, "description": "Day."} for name in ("valid_from_date", "valid_to_date")}
    untold = "earlier vintages, and no column that says which rows are the latest"
    assert untold in faults({**nothing, "columns": dated})
    assert untold not in faults({**nothing, "columns": dated | {"is_latest": {"name": "is_latest", "description": ""}}})


def test_every_model_and_seed_is_described() -> None:
    assert [node["name"] for node in MANIFEST.built_nodes() if not node["description"].strip()] == []


def test_every_mart_and_every_raw_table_has_a_suite() -> None:
    needed = {*MARTS, *(table.suite for table in RAW_TABLES)}
    assert sorted(needed - set(suite_names())) == []


def test_no_suite_is_left_without_a_table() -> None:
    known = {*MARTS, *(table.suite for table in RAW_TABLES), "publication"}
    assert sorted(set(suite_names()) - known) == []
