"""The sites about the data in a real browser, from disk: nothing is asked of the network, nothing fails."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.integration.conftest import Platform

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
)  # fmt: skip

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(OPTIONS))
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser said while a page was open."""
    return []


@pytest.fixture
def page(browser: Browser, complaints: list[str]) -> Iterator[Page]:
    page = browser.new_page()
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(request.url))
    page.on("request", lambda request: complaints.append(request.url) if not is_local(request.url) else None)
    yield page
    page.close()


def is_local(url: str) -> bool:
    return url.startswith(("file:", "data:", "blob:"))


def docs(platform: Platform) -> str:
    folder = (platform.data / "published" / "site" / "docs").resolve()
    return folder.as_uri()


def test_dbt_docs_show_a_mart_with_its_columns_and_rows(
    first_night: Platform, page: Page, complaints: list[str]
) -> None:
    page.goto(f"{docs(first_night)}/dbt/index.html#!/model/model.hogland.kpi_operations__daily_snow")
    page.get_by_text("snow_depth_high_cm").first.wait_for()
    assert "Snödjup, temperatur" in page.inner_text("body")
    assert complaints == []


def test_dbt_docs_begin_with_what_the_project_is_and_lead_on_to_the_kpi_page(
    first_night: Platform, page: Page, complaints: list[str]
) -> None:
    page.goto(f"{docs(first_night)}/dbt/index.html")
    page.get_by_text("Where to begin.").wait_for()
    page.click("text=data dictionary")
    page.click("text=Nyckeltalen")
    assert page.inner_text("h1") == "Läget på Höglandet"
    assert complaints == []


def test_data_docs_lead_from_the_index_to_a_table(first_night: Platform, page: Page, complaints: list[str]) -> None:
    page.goto(f"{docs(first_night)}/checks/index.html")
    page.click("text=fct_kpi_value")
    assert "One value per indicator, area, period" in page.inner_text("main")
    page.click("text=Alla kontroller")
    page.click("text=tts_hogland")
    assert "payload" in page.inner_text("main")
    assert complaints == []


def test_the_dictionary_finds_a_column_and_leads_to_its_model(
    first_night: Platform, page: Page, complaints: list[str]
) -> None:
    page.goto(f"{docs(first_night)}/dictionary/index.html")
    page.fill("#filter", "snow_depth_high_cm")
    assert [each.get_attribute("id") for each in page.locator("details:visible").all()] == [
        "kpi_operations__daily_snow"
    ]
    page.click("text=modell och ursprung >> visible=true")
    page.get_by_text("snow_depth_high_cm").first.wait_for()
    assert complaints == []


def test_the_browser_tells_of_what_is_missing_and_of_the_network(
    tmp_path: Path, page: Page, complaints: list[str]
) -> None:
    (tmp_path / "bad.html").write_text('<img src="no.png"><script src="http://127.0.0.1:9/x.js"></script>', "utf-8")
    page.goto((tmp_path / "bad.html").as_uri())
    assert {url.rpartition("/")[2] for url in complaints if "ERR" not in url} == {"no.png", "x.js"}


def test_every_page_but_dbts_own_is_small(first_night: Platform) -> None:
    folder = first_night.data / "published" / "site" / "docs"
    sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in folder.rglob("*.html")}
    assert len(sizes) > 30
    assert sizes.pop("dbt/index.html") < 6_000_000  # 1.8 MB of it is dbt's script
    assert max(sizes.values()) < 300_000
