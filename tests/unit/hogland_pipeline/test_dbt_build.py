"""What a build holds."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import duckdb
import pytest

from hogland_pipeline import dbt_build
from hogland_pipeline.assets import dbt
from hogland_pipeline.dbt_build import is_of_this_project, row_counts, sign_project


def test_rows_are_counted_and_not_estimated() -> None:
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA staging; CREATE TABLE staging.seed AS FROM range(7)")
        connection.execute("CREATE TABLE mart AS FROM range(100_000); DELETE FROM mart WHERE range >= 10")
        connection.execute("CREATE TABLE other AS FROM range(3); CREATE VIEW looked_at AS FROM mart")
        assert row_counts(connection, {"seed", "mart", "looked_at", "never_built"}) == {"seed": 7, "mart": 10}
        assert row_counts(connection, {"never_built"}) == {}


@pytest.mark.parametrize(
    ("changed", "content", "is_current"),
    [
        ("models/marts/mart.sql", "select 2", False),
        ("macros/macro.sql", "{% macro other() %}{% endmacro %}", False),
        ("models/marts/new.sql", "select 1", False),
        ("models/marts/stems.py", "def model(dbt, session): ...", False),
        ("seeds/sensors.csv", "sensor_id,height\n1,300\n", False),
        ("seeds/sensors.csv", "sensor_id\n1\n2\n", True),
        ("models/marts/_mart.yml", "description: other words", True),
    ],
)
def test_a_build_is_of_the_project_until_its_code_or_a_seeds_columns_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str, content: str, is_current: bool
) -> None:
    project, build = tmp_path / "project", tmp_path / "marts.duckdb"
    for name, text in {"models/marts/mart.sql": "select 1", "seeds/sensors.csv": "sensor_id\n1\n"}.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(dbt_build, "DBT_PROJECT_DIR", project)
    assert not is_of_this_project(build)
    duckdb.connect(build).close()
    assert not is_of_this_project(build)
    sign_project(build)
    assert is_of_this_project(build)
    (project / changed).parent.mkdir(parents=True, exist_ok=True)
    (project / changed).write_text(content, encoding="utf-8")
    assert is_of_this_project(build) == is_current


def test_a_test_that_was_skipped_after_a_failure_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def result(name: str, status: str) -> SimpleNamespace:
        node = SimpleNamespace(resource_type="test", unique_id=name, name=name)
        return SimpleNamespace(node=node, status=status, failures=1, message="", execution_time=0.0)

    def key_of(_content: object, _translator: object, unique_id: str, **_: object) -> dg.AssetCheckKey:
        return dg.AssetCheckKey(dg.AssetKey(["marts", "x"]), unique_id)

    monkeypatch.setattr(dbt, "get_asset_check_key_for_test", key_of)
    duckdb.connect(tmp_path / "marts.duckdb").close()
    given = [result("broken", "fail"), result("not_asked", "skipped"), result("held", "pass")]
    context: Any = SimpleNamespace(selected_asset_check_keys={key_of(0, 0, r.node.name) for r in given})
    manifest: Any = SimpleNamespace(content={})
    translator: Any = None
    events = dbt._events(context, translator, manifest, given, str(tmp_path / "marts.duckdb"))
    assert [(event.check_name, event.passed) for event in events] == [("broken", False), ("held", True)]
