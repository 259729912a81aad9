"""What many tests of the platform start from."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from hogland_pipeline.releases import Target
from tests.unit.hogland_pipeline.raw_rows import fresh_warehouse


@pytest.fixture
def target(tmp_path: Path) -> Target:
    """A data folder in which nothing is published."""
    return Target(tmp_path / "data")


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """A working database without rows."""
    with fresh_warehouse() as connection:
        yield connection
