"""Builds shared by the tests of the dbt project."""

from __future__ import annotations

import pytest

from tests.unit.dbt_project.small_build import Build, make_build


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The sample, built from nothing with every dbt test."""
    build = make_build(tmp_path_factory.mktemp("dbt"))
    failed = build.dbt("build")
    assert not failed, "\n".join(f"{r.node.name}: {r.message}" for r in build.results if r.node.name in failed)
    return build
