"""Imports point one way: hogland_pipeline → expectations, sensors_ingest; Dagster stays at the edge."""

import ast
import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("hogland_pipeline", "sensors_ingest", "expectations")
DAGSTER = {"dagster", "dagster_dbt", "dagster_shared"}
# Modules of hogland_pipeline that a person can use without Dagster; sources/ is plain as a whole.
PLAIN_MODULES = {
    "dbt_build",
    "feed_settings",
    "feeds",
    "gate",
    "loads",
    "manifest",
    "resources",
    "publish",
    "release_tables",
    "releases",
    "replay",
    "revisions",
    "settings",
    "staleness",
    "warehouse",
}
# Slow to import (3 to 9 s), so only inside the function that needs it; our datasource stands for it.
GREAT_EXPECTATIONS = "great_expectations"
DATASOURCE = "expectations.duckdb_datasource"


@pytest.fixture(autouse=True)
def no_collection() -> Iterator[None]:
    """CPython 3.11 gives up on a module (SystemError) when collecting what dbt left parses another one meanwhile."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def violations(path: Path, source: str) -> list[str]:
    """What a module at this path (relative to the root) imports and must not."""
    package = path.parts[0]
    tree = ast.parse(source)
    names = list(imported(tree))
    found = [f"{path}: relative import" for name in names if name.startswith(".")]
    roots = {name.partition(".")[0] for name in names}
    if package != "hogland_pipeline":
        found += [f"{path}: imports {name}" for name in sorted(roots & (set(PACKAGES) - {package}))]
    if is_plain(path):
        found += [f"{path}: imports {name}" for name in sorted(roots & DAGSTER)]
    if path != Path("expectations/duckdb_datasource.py"):
        found += [f"{path}: imports {name} at the top" for name in sorted(slow_at_top(tree))]
    return found


def slow_at_top(tree: ast.Module) -> set[str]:
    names = {name for statement in tree.body for name in imported(statement) if is_import(statement)}
    slow = {GREAT_EXPECTATIONS for name in names if name.partition(".")[0] == GREAT_EXPECTATIONS}
    return slow | (names & {DATASOURCE})


def is_import(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Import | ast.ImportFrom)


def is_plain(path: Path) -> bool:
    package, *rest = path.with_suffix("").parts
    if package != "hogland_pipeline":
        return True
    return rest[0] == "sources" or (len(rest) == 1 and rest[0] in PLAIN_MODULES)


def modules() -> list[Path]:
    return [path.relative_to(ROOT) for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def test_imports_point_one_way() -> None:
    assert [found for path in modules() for found in violations(path, (ROOT / path).read_text("utf-8"))] == []


def test_the_plain_modules_exist() -> None:
    assert [name for name in sorted(PLAIN_MODULES) if not (ROOT / "hogland_pipeline" / f"{name}.py").is_file()] == []


@pytest.mark.parametrize(
    ("path", "source", "found"),
    [
        ("sensors_ingest/smhi.py", "import hogland_pipeline.gate", "imports hogland_pipeline"),
        ("sensors_ingest/smhi.py", "from expectations.suite import Suite", "imports expectations"),
        ("expectations/runner.py", "def f():\n    import sensors_ingest", "imports sensors_ingest"),
        ("expectations/runner.py", "import dagster as dg", "imports dagster"),
        ("hogland_pipeline/publish.py", "from dagster import asset", "imports dagster"),
        ("hogland_pipeline/sources/survey.py", "from dagster_dbt import x", "imports dagster_dbt"),
        ("hogland_pipeline/gate.py", "from .publish import publish", "relative import"),
        (
            "expectations/runner.py",
            "import great_expectations as gx",
            "imports great_expectations at the top",
        ),
    ],
)
def test_each_rule_finds_its_violation(path: str, source: str, found: str) -> None:
    assert violations(Path(path), source) == [f"{path}: {found}"]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("hogland_pipeline/assets/survey.py", "import dagster as dg\nfrom expectations.suite import Suite"),
        ("expectations/runner.py", "def audit():\n    import great_expectations as gx"),
        ("expectations/duckdb_datasource.py", "import great_expectations as gx"),
        ("expectations/runner.py", "def audit():\n    from expectations.duckdb_datasource import X"),
        ("sensors_ingest/smhi.py", "from sensors_ingest.http import Folder"),
    ],
)
def test_what_is_allowed_passes(path: str, source: str) -> None:
    assert violations(Path(path), source) == []
