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


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that has what ``MANIFEST`` knows, parsed."""
    for name in ("models/stg", "models/int/days", "seeds/places", "models/marts/zebra", "models/marts/aard"):
        file = tmp_path / f"{name}.{'csv' if name.startswith('seeds') else 'py' if name.endswith('days') else 'sql'}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "manifest.json").write_text(json.dumps(MANIFEST.content), encoding="utf-8")
    return tmp_path


def read(project: Path) -> Manifest:
    return Manifest.read(project / "target" / "manifest.json")


def test_a_manifest_is_read(project: Path) -> None:
    assert read(project) == MANIFEST


def test_a_missing_manifest_says_what_makes_it(project: Path) -> None:
    (project / "target" / "manifest.json").unlink()
    with pytest.raises(ManifestMissing, match=r"^manifest\.json of dbt is not there: run './hogland prepare' first"):
        read(project)


@pytest.mark.parametrize("content", ["", "{", "{}", "[]", '{"nodes": {"model.x": {}}}'])
def test_a_manifest_that_cannot_be_read_says_what_makes_it(project: Path, content: str) -> None:
    (project / "target" / "manifest.json").write_text(content, encoding="utf-8")
    with pytest.raises(ManifestMissing, match=r"cannot be read: run './hogland prepare' first"):
        read(project)


def test_a_manifest_of_another_project_says_what_differs(project: Path) -> None:
    (project / "seeds" / "places.csv").unlink()
    (project / "models" / "added.sql").touch()
    with pytest.raises(ManifestMissing, match=r"differs in added, places\): run './hogland prepare' first"):
        read(project)
