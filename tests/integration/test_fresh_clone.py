"""A clone of what is committed, and one command: published marts.

The clone uses the environment of the running interpreter, to be quick. Where CI or HOGLAND_FRESH_VENV is set
it makes its own from requirements.lock, as a person who clones the project does.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import duckdb
import pytest

ROOT = Path(__file__).parents[2]
HAS_OWN_ENVIRONMENT = bool(os.environ.get("CI") or os.environ.get("HOGLAND_FRESH_VENV"))
# What steers a run is taken away, so that the clone runs as it would on another machine.
STEERING = ("HOGLAND_", "DAGSTER_", "DBT_", "MAKE", "MFLAGS", "PYTEST_", "VIRTUAL_ENV", "PYTHONPATH")


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment: Mapping[str, str] = {
        name: value for name, value in os.environ.items() if not name.startswith(STEERING)
    }
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def make(target: str, clone: Path) -> str:
    """The output of one make target in the clone; its errors are shown when it fails."""
    variables = ["PYTHON=" + sys.executable]
    if not HAS_OWN_ENVIRONMENT:
        variables.append(f"VENV={borrowed_environment(clone)}")
    outcome = run("make", *variables, target, cwd=clone)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    return outcome.stdout


def borrowed_environment(clone: Path) -> Path:
    """A folder that make takes for a current environment and whose Python is the running one."""
    folder = clone.parent / "borrowed"
    if not folder.exists():
        folder.mkdir()
        for part in ("bin", "lib", "pyvenv.cfg"):
            (folder / part).symlink_to(Path(sys.prefix) / part)
        (folder / "requirements.lock").write_bytes((clone / "requirements.lock").read_bytes())
    return folder


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fresh") / "hogland-pipeline"
    outcome = run("git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(folder), cwd=ROOT)
    assert outcome.returncode == 0, outcome.stderr
    return folder


@pytest.fixture(scope="module")
def first_run(clone: Path) -> str:
    return make("run", clone)


def published_marts(clone: Path) -> dict[str, tuple[int, str]]:
    """Mart → rows and fingerprint, as a reader finds them in the published file."""
    with duckdb.connect(clone / "data" / "published" / "hogland.duckdb", read_only=True) as connection:
        rows = connection.execute("select mart, row_count, content_fingerprint from publication").fetchall()
    return {mart: (row_count, fingerprint) for mart, row_count, fingerprint in rows}


def test_make_alone_lists_the_commands(clone: Path) -> None:
    outcome = run("make", cwd=clone)
    assert outcome.returncode == 0
    assert {line.split()[1] for line in outcome.stdout.splitlines()} >= {
        "run",
        "test",
        "dev",
        "check",
        "clean",
    }


# No building's meter and no road station is bundled; their indicators say so in dim_kpi. Webinars are awaited: the list
# of the programme's parts says so.
WITHOUT_SOURCE_IN_THE_SAMPLE = {
    "kpi_digitalisation__webinar",
    "kpi_operations__building_heat",
    "kpi_operations__building_peak_power",
    "kpi_operations__daily_frost_risk",
}


def test_an_unsuitable_python_is_one_clear_sentence(clone: Path, tmp_path: Path) -> None:
    outcome = run("make", f"PYTHON={tmp_path}/python9", f"VENV={tmp_path}/venv", "run", cwd=clone)
    assert outcome.returncode != 0
    assert f"{tmp_path}/python9 was not found" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_one_command_publishes_the_marts_and_shows_them(clone: Path, first_run: str) -> None:
    marts = published_marts(clone)

    assert {"dim_municipality", "kpi_operations__daily_snow", "fct_kpi_value"} <= set(marts)
    assert {mart for mart, (row_count, _) in marts.items() if row_count == 0} == WITHOUT_SOURCE_IN_THE_SAMPLE
    assert [mart for mart in marts if mart not in first_run] == []
    assert [source for source in ("tts_hogland", "smhi", "survey", "uttc") if source not in first_run] == []


def test_parquet_and_manifest_are_published_too(clone: Path, first_run: str) -> None:
    published = clone / "data" / "published"
    manifest = json.loads((published / "manifest.json").read_text(encoding="utf-8"))
    for mart, (row_count, _) in published_marts(clone).items():
        [(rows,)] = duckdb.sql(f"select count(*) from '{published}/parquet/{mart}.parquet'").fetchall()
        assert rows == row_count == manifest["tables"][mart]["rows"]


def test_a_second_run_changes_no_number(clone: Path, first_run: str) -> None:
    before = published_marts(clone)
    make("run", clone)
    assert published_marts(clone) == before


def test_a_run_leaves_the_working_tree_clean(clone: Path, first_run: str) -> None:
    assert run("git", "status", "--porcelain", cwd=clone).stdout == ""
