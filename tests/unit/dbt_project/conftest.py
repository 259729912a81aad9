"""Builds shared by the tests of the dbt project."""

from __future__ import annotations

import pytest

from tests.unit.dbt_project.small_build import Build, make_build
from tests.unit.dbt_project.survey_models import MODELS


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The sample, built from nothing with every dbt test."""
    build = make_build(tmp_path_factory.mktemp("dbt"))
    failed = build.dbt("build")
    assert not failed, "\n".join(f"{r.node.name}: {r.message}" for r in build.results if r.node.name in failed)
    return build


@pytest.fixture(scope="session")
def survey_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The SQL of the survey's models as dbt compiles it, by name."""
    build = make_build(tmp_path_factory.mktemp("compiled"))
    assert not build.dbt("compile", "-s", *MODELS)
    return {result.node.name: result.node.compiled_code for result in build.results}
