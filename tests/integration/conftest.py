"""A whole platform in a folder of its own: settings, samples that may be spoilt, data, and nights to run on it."""

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import pytest
from filelock import FileLock
from rich.console import Console

from hogland_pipeline.settings import PROJECT_ROOT, Settings, load_settings
from tests.postgres_server import Server, postgres_server

schemas = (f"marts_{number}" for number in count())


@dataclass(frozen=True)
class Platform:
    """One installation: ``root`` holds the settings, the sources' folders and the data."""

    root: Path

    @property
    def settings(self) -> Settings:
        return load_settings(self.root / "hogland.toml", {})

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def published(self) -> Path:
        return self.data / "published" / "hogland.duckdb"

    def source(self, name: str) -> Path:
        return self.root / "samples" / name

    def night(self) -> Any:
        """Run the night in this process; the ``Night``."""
        home = self.settings.dagster_home
        home.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT_ROOT / "dagster.yaml", home)
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("DAGSTER_HOME", str(home))
            return self._night()

    def _night(self) -> Any:
        from hogland_pipeline.nightly import run_night
        from hogland_pipeline.progress import Progress

        with Progress(Console(file=io.StringIO())) as progress:
            return run_night(self.settings, progress)

    def start(self) -> subprocess.Popen[bytes]:
        """Run the night as a person does, in a process that may be killed."""
        return subprocess.Popen(
            [sys.executable, "-m", "hogland_pipeline", "run"],
            cwd=PROJECT_ROOT,
            env=self.environment(),
            # No pipe: Dagster's log followers outlive a killed run for a while and would keep it open.
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def environment(self) -> Mapping[str, str]:
        return {**os.environ, "HOGLAND_CONFIG": str(self.root / "hogland.toml")}

    def query(self, sql: str, database: Path | None = None) -> list[tuple[Any, ...]]:
        """Rows from the published file, or from another database of the platform."""
        with duckdb.connect(str(database or self.published), read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            return connection.execute(sql).fetchall()

    def warehouse(self, sql: str) -> list[tuple[Any, ...]]:
        return self.query(sql, self.data / "warehouse.duckdb")

    def figures(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every published mart, without times (of loading, of snapshots) and what names loads.

        A sum over many threads may differ in its last digits from night to night.
        """
        tables = self.query("SELECT table_name FROM duckdb_tables() ORDER BY table_name")
        marts = [name for (name,) in tables if not name.startswith("publication") and name != "kpi_lineage"]
        return {mart: sorted(map(_figures_of, self.query(f"FROM {mart}")), key=repr) for mart in marts}

    def fingerprints(self) -> dict[str, str]:
        return dict(self.query("SELECT mart, content_fingerprint FROM publication"))

    def raw(self) -> dict[str, list[tuple[Any, ...]]]:
        """Rows of raw, their histories and quarantine by key and reason, without times and numbers of loads."""
        tables = self.warehouse(
            "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE schema_name IN ('raw', 'quarantine')"
        )
        left_out = ("ingested_at", "load_id", "received_at", "snapshot_at", "quarantined_at")
        return {
            name: self.warehouse(
                f"SELECT count(*), bit_xor(hash(t)) FROM (SELECT COLUMNS(c -> c NOT IN {left_out}) FROM {name}) t"
            )
            for (name,) in sorted(tables)
        }


def _figures_of(row: tuple[Any, ...]) -> tuple[Any, ...]:
    values = (value for value in row if not isinstance(value, datetime))
    return tuple(float(f"{value:.9g}") if isinstance(value, float) else value for value in values)


@pytest.fixture(scope="session", autouse=True)
def _own_dbt_target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests run beside each other; dbt writes what it parsed into one folder."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DBT_TARGET_PATH", str(tmp_path_factory.mktemp("dbt_target")))
        for name in ("HOGLAND_DATA_DIR", "HOGLAND_CONFIG", "HOGLAND_RESPONDENT_KEY"):
            environment.delenv(name, raising=False)
        yield


def new_platform(root: Path) -> Platform:
    """The project's own settings and samples, copied."""
    root.mkdir(parents=True)
    shutil.copy(PROJECT_ROOT / "hogland.toml", root)
    shutil.copytree(PROJECT_ROOT / "samples", root / "samples")
    return Platform(root)


@pytest.fixture
def make_platform(tmp_path: Path) -> Callable[[], Platform]:
    """Platforms on which nothing has run."""
    return lambda: new_platform(tmp_path / f"platform-{len(list(tmp_path.iterdir()))}")


@pytest.fixture(scope="session")
def first_night(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """A platform after one undisturbed night; only to be read. Workers share it."""
    parent = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        parent = parent.parent
    platform = Platform(parent / "first-night")
    with FileLock(parent / "first-night.lock"):
        if not (parent / "first-night.done").exists():
            shutil.rmtree(platform.root, ignore_errors=True)
            night = new_platform(platform.root).night()
            assert night.is_good, night.failures
            (parent / "first-night.done").touch()
    return platform


@pytest.fixture
def platform(first_night: Platform, tmp_path: Path) -> Platform:
    """A copy of the platform after its first night, to go on with."""
    shutil.copytree(first_night.root, tmp_path / "platform", symlinks=True)
    return Platform(tmp_path / "platform")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with postgres_server() as running:
        yield running


@pytest.fixture
def schema(server: Server) -> Iterator[str]:
    """A schema of the test's own on the shared server."""
    name = next(schemas)
    yield name
    for suffix in ("", "__releases", "__next"):
        server.ask(f"drop schema if exists {name}{suffix} cascade")
