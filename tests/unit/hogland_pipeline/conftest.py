"""What many tests of the platform start from."""

from pathlib import Path

import pytest

from hogland_pipeline.releases import Target


@pytest.fixture
def target(tmp_path: Path) -> Target:
    """A data folder in which nothing is published."""
    return Target(tmp_path / "data")
