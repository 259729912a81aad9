"""What a branch of int_kpi_value__<domain> is said to read, for lineage, is what its compiled SQL reads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from tests.unit.dbt_project.small_build import Build, make_build

DOMAINS = "operations", "digitalisation", "twin", "climate"
# Tables that describe indicators, areas and roads; they are seeds and no step of a value's chain.
REGISTRIES = {path.stem for path in (Path(__file__).parents[3] / "dbt_project" / "seeds").glob("*.csv")}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Build:
    build = make_build(tmp_path_factory.mktemp("lineage"))
    build.dbt("compile", "-s", *(f"int_kpi_value__{domain}" for domain in DOMAINS))
    return build


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_branch_reads_the_models_that_its_lineage_names(compiled: Build, domain: str) -> None:
    [sql] = [it.node.compiled_code for it in compiled.results if it.node.name == f"int_kpi_value__{domain}"]
    named = {
        part: set(re.findall(r"'(\w+)'", models))
        for models, part in re.findall(r"(\[[^\]]*\]) as read_models\s+from (\w+)", sql)
    }
    parts = {cte.alias: cte.this for cte in sqlglot.parse_one(sql, dialect="duckdb").find_all(exp.CTE)}

    def read_by(part: str) -> set[str]:
        tables = {table.name for table in parts[part].find_all(exp.Table)} - {part}
        return set().union(*(read_by(table) if table in parts else {table} for table in tables))

    assert named
    assert {part: read_by(part) - REGISTRIES for part in named} == named
