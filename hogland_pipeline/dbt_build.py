"""dbt, run in this process on a candidate copy of the build database, which replaces the last good one only on success.

Measured for the whole project: the command line costs 9 s of CPU a build, ``dbtRunner`` in the process 3 s.
"""

import hashlib
import os
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner

from hogland_pipeline.settings import PROJECT_ROOT, Settings
from sensors_ingest.disk import sync

DBT_PROJECT_DIR = PROJECT_ROOT / "dbt_project"
MANIFEST_PATH = DBT_PROJECT_DIR / "target" / "manifest.json"
# The base name is the catalog's name inside DuckDB: the same for every candidate.
BUILD_FILE = "marts.duckdb"


class DbtFailed(Exception):
    """dbt could not run at all (a broken project or database), as opposed to a model or test that failed."""


def current_build(settings: Settings) -> Path:
    """The last good build; may not exist yet."""
    return settings.build_dir / BUILD_FILE


def built_tables(settings: Settings) -> set[str]:
    """Names of the tables in schema main of the last good build."""
    if not current_build(settings).exists():
        return set()
    with duckdb.connect(current_build(settings), read_only=True) as connection:
        rows = connection.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'main'").fetchall()
    return {row[0] for row in rows}


def row_counts(connection: duckdb.DuckDBPyConnection, names: Collection[str]) -> dict[str, int]:
    """Rows of those of ``names`` that are tables; one query for all, which reads the heads of their row groups."""
    tables = connection.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()
    counts = [
        f"SELECT '{name}', count(*) FROM {schema}.{name}"  # noqa: S608 - names of our models
        for schema, name in tables
        if name in names
    ]
    return dict(connection.execute(" UNION ALL ".join(counts)).fetchall()) if counts else {}


@contextmanager
def candidate_build(settings: Settings) -> Iterator[Path]:
    """A copy of the last good build to work on. Incremental models carry on from its state.

    Whatever an earlier crash left is thrown away first. Call ``promote`` to keep the result; else it is dropped.
    """
    candidate = _candidate_path(settings)
    folder = candidate.parent
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if current_build(settings).exists():
        shutil.copyfile(current_build(settings), candidate)
    try:
        yield candidate
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _candidate_path(settings: Settings) -> Path:
    """Always the same: dbt parses the whole project anew when the path in its profile changes (2 to 6 s)."""
    return settings.build_dir / "candidate" / BUILD_FILE


def is_of_this_project(candidate: Path) -> bool:
    """Whether all of the build was made by the dbt project as it is. If not, its incremental models and its seeds must
    be built anew: what is stored followed other rules, and dbt empties a seed's old table but keeps its columns.
    """
    if not candidate.exists():
        return False
    with duckdb.connect(candidate, read_only=True) as connection:
        known = connection.execute("FROM duckdb_tables() WHERE schema_name || '.' || table_name = ?", [_PROJECT_TABLE])
        if not known.fetchall():
            return False
        return connection.execute(f"FROM {_PROJECT_TABLE}").fetchall() == [(_project_fingerprint(),)]


def sign_project(candidate: Path) -> None:
    """Note in a build that all of it was made by the dbt project as it is."""
    schema = _PROJECT_TABLE.partition(".")[0]
    with duckdb.connect(candidate) as connection:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        connection.execute(
            f"CREATE OR REPLACE TABLE {_PROJECT_TABLE} AS SELECT ? AS fingerprint", [_project_fingerprint()]
        )


_PROJECT_TABLE = "build.project"


def _project_fingerprint() -> str:
    """Changes with the code of the models and macros and with the columns of the seeds, not with the seeds' rows: those
    rebuild exactly the days they touch.
    """
    folders = [DBT_PROJECT_DIR / "models", DBT_PROJECT_DIR / "macros"]
    code = sorted(path for folder in folders for path in folder.rglob("*") if path.suffix in (".sql", ".py"))
    parts = [(path.name, path.read_bytes()) for path in code]
    for seed in sorted((DBT_PROJECT_DIR / "seeds").rglob("*.csv")):
        with seed.open("rb") as lines:
            parts.append((seed.name, lines.readline()))
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def promote(settings: Settings, candidate: Path) -> None:
    """Put the candidate in the place of the last good build, durably and in one rename."""
    wal = candidate.with_name(candidate.name + ".wal")
    if wal.exists():
        raise DbtFailed(f"{wal.name} is left beside the candidate: it was not closed cleanly")
    sync(candidate)
    candidate.replace(current_build(settings))
    sync(settings.build_dir)


def run_dbt(settings: Settings, candidate: Path, arguments: Sequence[str], as_of: date) -> Sequence[Any]:
    """Run one dbt command on ``candidate`` and return its node results. Raises ``DbtFailed`` if dbt itself broke.

    The caller holds the warehouse's lock: dbt attaches it read-only.
    """
    with _dbt_environment(settings, candidate):
        try:
            outcome = dbtRunner().invoke(
                [
                    "--log-level=none",
                    "--log-level-file=none",
                    "--no-use-colors",
                    *arguments,
                    *_project_arguments(),
                    f"--vars={{as_of: {as_of}}}",
                ]
            )
        finally:
            DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
    if outcome.result is None or not hasattr(outcome.result, "results"):
        raise DbtFailed(_reason(outcome, "dbt gave no results"))
    results: Sequence[Any] = outcome.result.results
    return results


def prepare_manifest(settings: Settings) -> None:
    """Parse the project and write ``target/manifest.json``, so that loading the code location does not have to."""
    with _dbt_environment(settings, _candidate_path(settings)):
        outcome = dbtRunner().invoke(
            [
                "--log-level=none",
                "--log-level-file=none",
                "parse",
                *_project_arguments(),
                f"--vars={{as_of: {settings.today()}}}",
            ]
        )
    if not outcome.success:
        raise DbtFailed(_reason(outcome, "dbt could not parse the project"))


def _reason(outcome: Any, otherwise: str) -> str:
    """What dbt says went wrong; some of its exceptions have no words but their name."""
    error = outcome.exception
    return (str(error) or type(error).__name__) if error is not None else otherwise


def _project_arguments() -> list[str]:
    return [f"--project-dir={DBT_PROJECT_DIR}", f"--profiles-dir={DBT_PROJECT_DIR}"]


@contextmanager
def _dbt_environment(settings: Settings, build: Path) -> Iterator[None]:
    """dbt reads the two database paths from the environment; they are there only while it runs."""
    paths = {"HOGLAND_BUILD_DB": str(build), "HOGLAND_WAREHOUSE_DB": str(settings.warehouse_path)}
    before = {name: os.environ.get(name) for name in paths}
    os.environ.update(paths)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
