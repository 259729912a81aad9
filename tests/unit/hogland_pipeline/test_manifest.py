"""Reading the parsed dbt project."""

import json
from pathlib import Path
from typing import Any

import pytest

from hogland_pipeline.manifest import Manifest, ManifestMissing, layer_of


def node(name: str, layer: str, *parents: str) -> dict[str, Any]:
    return {
        "unique_id": f"model.hogland.{name}",
        "name": name,
        "resource_type": "model",
        "fqn": ["hogland", layer, "domain", name],
        "depends_on": {"nodes": list(parents)},
    }


def source(name: str, schema: str) -> dict[str, Any]:
    return {"name": name, "schema": schema}


MANIFEST = Manifest(
    {
        "sources": {
            "source.hogland.warehouse.answer": source("survey_answer", "raw"),
            "source.hogland.warehouse.reading": source("sensor_reading", "raw"),
            "source.hogland.warehouse.touched_day": source("touched_day", "ops"),
        },
        "nodes": {
            "model.hogland.stg": node("stg", "staging", "source.hogland.warehouse.answer"),
            "model.hogland.days": node("days", "intermediate", "source.hogland.warehouse.touched_day"),
            "seed.hogland.places": {"name": "places", "resource_type": "seed", "depends_on": {}},
            "model.hogland.zebra": node("zebra", "marts", "model.hogland.stg", "seed.hogland.places"),
            "model.hogland.aard": node(
                "aard", "marts", "model.hogland.zebra", "source.hogland.warehouse.reading", "model.hogland.days"
            ),
            "test.hogland.x": {"name": "x", "resource_type": "test", "fqn": ["hogland", "x"]},
        },
    }
)


def test_marts_are_the_models_of_the_last_layer_by_name() -> None:
    assert [mart["name"] for mart in MANIFEST.marts()] == ["aard", "zebra"]


def test_seeds_are_a_layer_and_tests_are_not_built() -> None:
    assert {layer_of(built) for built in MANIFEST.built_nodes()} == {"seeds", "staging", "intermediate", "marts"}


@pytest.mark.parametrize(
    ("unique_id", "tables"),
    [
        ("model.hogland.aard", {"survey_answer", "sensor_reading"}),
        ("model.hogland.zebra", {"survey_answer"}),
        ("model.hogland.days", set()),
        ("seed.hogland.places", set()),
    ],
)
def test_raw_tables_are_found_through_any_number_of_models(unique_id: str, tables: set[str]) -> None:
    assert MANIFEST.raw_tables_behind(unique_id) == tables


def test_a_manifest_is_read(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps(MANIFEST.content), encoding="utf-8")
    assert Manifest.read(tmp_path / "manifest.json") == MANIFEST


def test_a_missing_manifest_says_what_makes_it(tmp_path: Path) -> None:
    with pytest.raises(ManifestMissing, match=r"^manifest\.json is not there: run 'python -m"):
        Manifest.read(tmp_path / "manifest.json")
