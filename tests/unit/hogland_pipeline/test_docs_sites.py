"""Sites about the data: what they say, what they must not say, and that a page stays whole when a text is hostile."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from expectations.runner import CheckResult
from expectations.suite import load_suite
from hogland_pipeline.columns import Column
from hogland_pipeline.contracts import MartContract
from hogland_pipeline.docs_sites.data_docs import AuditedTable, audit_pages
from hogland_pipeline.docs_sites.dbt_docs import catalog, dbt_docs_page, shown_manifest
from hogland_pipeline.docs_sites.dictionary import dictionary_page, unit_of
from hogland_pipeline.manifest import Manifest
from hogland_pipeline.release_tables import Draft, WrittenTable

NIGHT = datetime(2026, 2, 1, 1, tzinfo=UTC)
SNOW = WrittenTable(
    "daily_snow",
    21,
    (
        Column("local_date", "DATE", "Dygn. / Local day."),
        Column("snow_depth_high_cm", "DOUBLE", "Högsta <djup>. / Highest depth."),
        Column("answer_share_lower_bound", "DOUBLE", None),
    ),
    "f",
    "Snö per dygn. / Snow by day.",
)


def draft(folder: Path, **contracts: MartContract) -> Draft:
    return Draft(folder, "r1", "run", NIGHT, (SNOW,), contracts, {})


def found(name: str, **changes: Any) -> CheckResult:
    return CheckResult(
        **{
            "name": name, "column": None, "severity": "error", "scope": "row", "passed": True, "evaluated_rows": 40,
            "failing_rows": 0, "failing_share": 0.0, "description": "", "threshold_reason": "because <b>",
        } | changes
    )  # fmt: skip


@pytest.mark.parametrize(
    ("column", "unit"),
    [
        ("snow_depth_high_cm", "cm"),
        ("answer_share_lower_bound", "0–1"),
        ("heating_degree_days", "°C·d"),
        ("air_temperature_low_degc", "°C"),
        ("slope_t_per_year", "ton/år"),
        ("n_respondents", ""),
        ("value", ""),
    ],
)
def test_the_end_of_a_columns_name_is_its_unit(column: str, unit: str) -> None:
    assert unit_of(column) == unit


def test_the_dictionary_is_swedish_first_and_names_key_unit_owner_and_licence(tmp_path: Path) -> None:
    contract = MartContract("daily_snow", owner="street-lead", domain="operations", key=("local_date",))
    page = dictionary_page(draft(tmp_path, daily_snow=contract), "https://licence.example")
    assert page.index("Snö per dygn.") < page.index("Snow by day.")
    assert '<code>local_date</code> <abbr title="del av nyckeln / part of the key">nyckel</abbr>' in page
    assert "<td>cm</td>" in page
    assert "street-lead" in page
    assert 'href="https://licence.example"' in page
    assert "../dbt/index.html#!/model/model.hogland.daily_snow" in page
    assert "Högsta &lt;djup&gt;." in page
    assert "../../index.html" not in page
    assert '<a href="../../index.html">Nyckeltalen</a>' in dictionary_page(draft(tmp_path), "", has_site=True)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("true", "alla rader / every row"),
        ("kpi_id is null", "alla rader utom enkätens / every row but those of the survey"),
        (None, "ingen: den vilar på enkätsvar / none: it rests on answers of a survey"),
    ],
)
def test_the_dictionary_says_what_is_latest_and_what_can_be_asked_as_of_a_day(
    tmp_path: Path, rows: str | None, told: str
) -> None:
    page = dictionary_page(draft(tmp_path, daily_snow=MartContract("daily_snow", timeline_rows=rows)), "x")
    assert f"<dt>Tidslinje</dt><dd>{told}</dd>" in page
    assert "<dt>Senaste</dt><dd>alla rader: tabellen håller bara det senaste" in page


def test_a_table_without_a_contract_has_no_link_to_a_model(tmp_path: Path) -> None:
    assert "#!/model/" not in dictionary_page(draft(tmp_path), "https://licence.example")


def checks_page(**changes: Any) -> str:
    suite = load_suite("dim_municipality")
    checks = [found(check.name, scope=check.scope) for check in suite.expectations]
    checks[0] = found(checks[0].name, **changes)
    [(_, page)] = audit_pages([AuditedTable("dim_municipality", "mart", suite, checks, NIGHT)])
    return page


def test_data_docs_show_what_held_and_what_did_not_without_asking_the_network() -> None:
    assert 'text-danger"' not in checks_page()
    failed = checks_page(passed=False, failing_rows=3, failing_share=0.075)
    assert 'text-danger"' in failed
    assert "because &lt;b&gt;" in failed
    links = set(re.findall(r"(?:src|href)=[\"']?([^\"' >]+)", failed))
    assert {link for link in links if not link.startswith("#")} == {"index.html"}
    assert "<script" not in failed
    assert "@import" not in failed


def test_failing_rows_are_not_published_in_data_docs() -> None:
    """A failing row of a survey is a person's answer."""
    failed = checks_page(passed=False, failing_rows=1, sample=[{"respondent": "anna@example.org"}])
    assert "anna@example.org" not in failed


def test_a_check_that_raised_says_why() -> None:
    assert "no such column" in checks_page(passed=False, error="no such column")


def test_a_check_that_the_suite_lost_since_leaves_the_page_whole() -> None:
    suite = load_suite("dim_municipality")
    [(_, page)] = audit_pages([AuditedTable("dim_municipality", "mart", suite, [found("of_yesterday")], NIGHT)])
    assert "of_yesterday" in page


def project(description: str = "") -> Manifest:
    shared = {"schema": "main", "fqn": ["hogland", "marts", "a"], "checksum": {"name": "sha256"}, "config": {}}
    model = shared | {
        "unique_id": "model.hogland.a",
        "resource_type": "model",
        "alias": "a",
        "description": description,
    }
    test = {
        "unique_id": "test.hogland.t", "resource_type": "test", "schema": "main", "compiled_code": "select",
        "config": {"severity": "WARN", "store_failures_as": None},
    }  # fmt: skip
    return Manifest(
        {
            "metadata": {"project_name": "hogland", "dbt_version": "1.11"},
            "nodes": {model["unique_id"]: model, test["unique_id"]: test},
            "macros": {"macro.dbt.x": {"package_name": "dbt"}, "macro.hogland.y": {"package_name": "hogland"}},
        }
    )


@pytest.fixture
def build(tmp_path: Path) -> Path:
    path = tmp_path / "marts.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute("CREATE TABLE a AS SELECT 1 AS n, 'x' AS name; COMMENT ON COLUMN a.n IS 'how many'")
        connection.execute("CREATE TABLE not_of_the_project AS SELECT 1 AS n")
    return path


def test_the_catalog_has_the_columns_and_rows_of_the_build(build: Path) -> None:
    nodes = catalog(project(), build, NIGHT)["nodes"]
    assert list(nodes) == ["model.hogland.a"]
    assert nodes["model.hogland.a"]["columns"]["n"] == {
        "type": "INTEGER",
        "index": 1,
        "name": "n",
        "comment": "how many",
    }
    assert nodes["model.hogland.a"]["stats"]["rows"]["value"] == 1


def test_the_manifest_keeps_only_what_the_page_shows() -> None:
    shown = shown_manifest(project())
    assert list(shown["macros"]) == ["macro.hogland.y"]
    assert "checksum" not in shown["nodes"]["model.hogland.a"]
    assert "compiled_code" not in shown["nodes"]["test.hogland.t"]
    assert shown["nodes"]["test.hogland.t"]["config"]["severity"] == "WARN"


def test_dbt_docs_hold_both_and_a_description_cannot_end_their_script(build: Path) -> None:
    page = dbt_docs_page(project("</script><b>"), build, NIGHT)
    assert "INLINE DATA" not in page.replace('MANIFEST.JSON INLINE DATA" ==', "")
    assert "</script><b>" not in page
    assert json.dumps("how many") in page


def test_a_page_of_another_dbt_is_an_error_and_not_an_empty_site(
    build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "index.html"
    other.write_text("<html></html>", encoding="utf-8")
    monkeypatch.setattr("dbt.task.docs.DOCS_INDEX_FILE_PATH", str(other))
    with pytest.raises(ValueError, match="its version has changed"):
        dbt_docs_page(project(), build, NIGHT)
