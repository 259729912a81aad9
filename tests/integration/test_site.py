"""The KPI page in a real Chromium, opened from disk: languages, themes, filters, a phone, accessibility."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.site_release import site_draft, write_release

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# Its own sandbox needs rights that containers do not give; the rest keeps it from the network and the graphics card.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
# Without preload axe does not ask for the style sheet again, which a page from disk may not.
WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "preload": False}
# One page of every kind.
KINDS = (
    "index.html",
    "omrade-klimat.html",
    "kommun-nassjo.html",
    "sno.html",
    "sno-nassjo-snow-01.html",
    "losningar.html",
    "enkat.html",
    "datakvalitet.html",
    "definitioner.html",
    "en/index.html",
)
PHONE = {"width": 360, "height": 740}

pytestmark = pytest.mark.skipif(
    CHROMIUM is None and os.environ.get("CI") != "true", reason="chromium is not installed (apt-get install chromium)"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_release(site_draft(tmp_path_factory.mktemp("release")))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield running
        running.close()


class Visit:
    """A visitor with a browser of their own, and what went wrong while they read."""

    def __init__(self, context: BrowserContext, site: Path) -> None:
        self.site = site
        self.page: Page = context.new_page()
        self.faults: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda said: self.faults.append(said.text) if said.type != "log" else None)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def open(self, file: str) -> Page:
        self.page.goto((self.site / file).as_uri())
        return self.page


@pytest.fixture
def visit(browser: Browser, site: Path) -> Iterator[Visit]:
    with browser.new_context() as context:
        visitor = Visit(context, site)
        yield visitor
        assert visitor.faults == []
        assert [url for url in visitor.requests if not url.startswith("file:")] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_breaks_wcag_or_is_wider_than_a_phone(browser: Browser, site: Path, scheme: str) -> None:
    found: dict[str, list[str]] = {}
    with browser.new_context(color_scheme=scheme, viewport=PHONE) as phone:
        visitor = Visit(phone, site)
        for file in KINDS:
            page = visitor.open(file)
            # What is folded away is checked too.
            page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true })")
            widest = page.evaluate("document.documentElement.scrollWidth")
            page.set_viewport_size({"width": 1280, "height": 900})
            violations = Axe().run(page, options=WCAG).response["violations"]
            page.set_viewport_size(PHONE)
            faults = [f"{fault['id']}: {fault['nodes'][0]['html'][:160]}" for fault in violations]
            faults += [f"{widest} px wide"] if widest > PHONE["width"] else []
            if faults:
                found[file] = faults
    assert found == {}, json.dumps(found, indent=1, ensure_ascii=False)
    assert visitor.faults == []


def test_the_language_is_chosen_kept_and_remembered(visit: Visit) -> None:
    page = visit.open("kommun-nassjo.html")
    assert page.get_attribute("html", "lang") == "sv"
    page.get_by_role("link", name="English", exact=True).click()
    page.wait_for_url("**/en/kommun-nassjo.html")
    assert page.get_attribute("html", "lang") == "en"
    page.get_by_role("link", name="Climate", exact=True).first.click()
    assert page.get_by_role("heading", level=1).inner_text() == "Climate"
    visit.open("index.html")
    page.wait_for_url("**/en/index.html")
    page.get_by_role("link", name="Svenska", exact=True).click()
    page.wait_for_url("**/site/index.html")
    assert page.get_by_role("heading", level=1).inner_text() == "Läget på Höglandet"


def test_solutions_are_filtered_and_searched(visit: Visit) -> None:
    page = visit.open("losningar.html")
    solutions = page.locator("#solutions > li:visible")
    assert solutions.count() == 2
    page.get_by_label("Område").select_option("Byggnader")
    assert page.locator("#solutions > li:visible h2").all_inner_texts() == ["Värmen styrs digitalt"]
    assert page.get_by_role("status").inner_text() == "1 av 2 lösningar visas"
    page.get_by_role("button", name="Rensa").click()
    page.get_by_label("Sök").fill("SAMÅKNING granne")
    assert solutions.count() == 0
    page.get_by_label("Sök").fill("samåkning GRANNAR")
    assert solutions.count() == 1
    page.get_by_label("Sök").fill("")
    page.get_by_label("Effekt").select_option("none")
    assert solutions.count() == 1
    page.get_by_label("Stadium").select_option("analysed")
    assert solutions.count() == 0


def test_markup_in_the_data_is_shown_as_text(visit: Visit) -> None:
    page = visit.open("losningar.html")
    assert page.title() == "Lösningar för tvillingomställning – Höglandets nyckeltal"
    assert page.locator("#solutions h2").first.inner_text() == "<script>document.title = 'hostile'</script>"


def test_the_theme_is_switched_and_remembered_with_its_charts(visit: Visit) -> None:
    page = visit.open("omrade-klimat.html")
    colours = """() => [document.body, document.querySelector('.lines path[stroke]')].map(part => {
        const style = getComputedStyle(part)
        return [style.backgroundColor, style.stroke]
    })"""
    light = page.evaluate(colours)
    page.get_by_role("button", name="Mörkt läge").click()
    dark = page.evaluate(colours)
    assert light[0][0] != dark[0][0]
    assert light[1][1] != dark[1][1]
    visit.open("sno.html")
    assert page.get_by_role("button", name="Ljust läge").is_visible()


def test_a_chart_shows_a_days_values_where_it_is_pointed_at(visit: Visit) -> None:
    page = visit.open("sno-nassjo-snow-01.html")
    page.locator(".figure .chart").first.hover()
    assert page.locator(".tip:visible").inner_text() == "3\u00a0jan 2026: 2–4 cm"


def test_pages_are_whole_without_scripts(browser: Browser, site: Path) -> None:
    with browser.new_context(java_script_enabled=False, viewport=PHONE) as context:
        page = Visit(context, site).open("losningar.html")
        assert page.locator("#solutions > li:visible").count() == 2
        assert page.get_by_role("link", name="English", exact=True).is_visible()
        assert page.get_by_role("navigation").is_visible()


def test_every_figure_of_the_overview_leads_to_its_definition(visit: Visit) -> None:
    page = visit.open("index.html")
    page.get_by_role("link", name="108\u202f543").click()
    assert page.url.endswith("definitioner.html#ghg_total")
    assert page.locator("#ghg_total h3").inner_text() == "Utsläpp i allt"


def test_print_leaves_out_what_paper_cannot_use(visit: Visit) -> None:
    page = visit.open("losningar.html")
    page.emulate_media(media="print")
    assert not page.locator(".filters").is_visible()
    assert not page.locator("#menu").is_visible()
    assert page.get_by_role("heading", level=1).is_visible()
