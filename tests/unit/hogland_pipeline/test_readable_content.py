"""What a source sends and nobody can read is a failed check that says where and why; the last good data stays."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from hogland_pipeline.assets.landed_source import READABLE_CHECK, landed_source_assets
from hogland_pipeline.resources import bind_sources
from hogland_pipeline.settings import PROJECT_ROOT, Settings, load_settings
from hogland_pipeline.warehouse import Warehouse
from sensors_ingest.landing import Landing

Night = Callable[[], dict[str, dg.AssetCheckEvaluation]]

CATALOGUE = "uttc_catalogue"
STAGE = "article .cat-links a"


@pytest.fixture
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The bundled sample of the source the test is for, to break."""
    return Path(shutil.copytree(PROJECT_ROOT / "samples" / request.param, tmp_path / request.param))


@pytest.fixture
def settings(tmp_path: Path, folder: Path) -> Settings:
    loaded = load_settings(PROJECT_ROOT / "hogland.toml", {}, data_dir=tmp_path / "data")
    name = folder.name
    return loaded.model_copy(update={name: getattr(loaded, name).model_copy(update={"folder": folder})})


@pytest.fixture
def night(settings: Settings, folder: Path) -> Night:
    """Land and load the source; the checks by name."""
    bound = next(each for each in bind_sources(settings) if each.source.name == folder.name)
    assets = landed_source_assets(settings, bound, None)
    resources = {"landing": Landing(settings.landing_dir), "warehouse": Warehouse(settings.warehouse_path)}

    def run() -> dict[str, dg.AssetCheckEvaluation]:
        with dg.DagsterInstance.ephemeral() as instance:
            result = dg.materialize(assets, resources=resources, instance=instance, raise_on_error=False)
        return {check.check_name: check for check in result.get_asset_check_evaluations()}

    return run


def raw(settings: Settings, query: str) -> list[tuple[Any, ...]]:
    with Warehouse(settings.warehouse_path).read() as connection:
        return connection.execute(query).fetchall()


def lose_stage(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert 'class="cat-links"' in text
    page.write_text(text.replace('class="cat-links"', 'class="labels"'), encoding="utf-8")


@pytest.mark.parametrize("folder", [CATALOGUE], indirect=True)
def test_a_listing_whose_selector_finds_nothing_is_a_failed_check_and_never_an_empty_catalogue(
    settings: Settings, folder: Path, night: Night
) -> None:
    assert night()[READABLE_CHECK].passed
    before = raw(settings, "FROM raw.uttc_solution ORDER BY ALL")
    landed = sorted(settings.landing_dir.rglob("*.zst"))
    listing = folder / "listing.html"
    listing.write_text(listing.read_text(encoding="utf-8").replace("entry-title", "card-title"), encoding="utf-8")

    check = night()[READABLE_CHECK]

    assert not check.passed
    assert check.severity == dg.AssetCheckSeverity.ERROR
    assert check.asset_key == dg.AssetKey(["landing", CATALOGUE])
    assert check.description == (
        "UTTC catalogue, listing.html: selector 'article .entry-title a' found nothing, the catalogue cannot be empty."
    )
    assert raw(settings, "FROM raw.uttc_solution ORDER BY ALL") == before
    assert len(before) == 9
    assert sorted(settings.landing_dir.rglob("*.zst")) == landed


@pytest.mark.parametrize("folder", [CATALOGUE], indirect=True)
@pytest.mark.parametrize("pages", [1, 3])
def test_detail_pages_whose_selector_finds_nothing_are_a_failed_check_that_names_page_and_selector(
    settings: Settings, folder: Path, night: Night, pages: int
) -> None:
    night()
    before = raw(settings, "SELECT url, stage FROM raw.uttc_solution ORDER BY ALL")
    changed = sorted(folder.rglob("index.html"))[:pages]
    for page in changed:
        lose_stage(page)

    checks = night()

    check = checks["payload_is_decoded"]
    assert not check.passed
    sample = str(check.metadata["failing_sample"].value)
    for page in changed:
        assert f"{page.parent.name}/: selector '{STAGE}' found nothing" in sample
    latest = raw(
        settings, "SELECT url, arg_max(stage, snapshot_at) AS stage FROM raw.uttc_solution GROUP BY url ORDER BY ALL"
    )
    assert latest == before
    # One page waits in quarantine; as many as three are a changed layout, and the gate is closed.
    assert checks["quarantined_share_is_within_limit"].passed == (pages == 1)


@pytest.mark.parametrize("folder", ["survey"], indirect=True)
def test_an_export_nobody_can_read_is_a_failed_check_that_names_the_file(
    settings: Settings, folder: Path, night: Night
) -> None:
    assert night()[READABLE_CHECK].passed
    before = raw(settings, "SELECT count(*) FROM raw.survey_answer")
    (export,) = folder.glob("*.xlsx")
    export.write_bytes(export.read_bytes()[:2000])

    check = night()[READABLE_CHECK]

    assert not check.passed
    assert str(check.description).startswith(f"Survey export {export.name}: it is no readable workbook")
    assert raw(settings, "SELECT count(*) FROM raw.survey_answer") == before
