"""The pages of a small release, read as text: what they say, also when data are missing, and that they are safe."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from selectolax.lexbor import LexborHTMLParser as Document

from expectations.runner import CheckResult
from hogland_pipeline.site.marts import QUERIES, read_marts
from tests.site_release import MARTS, site_draft, write_release

HOSTILE = "<script>document.title = 'hostile'</script>"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_release(site_draft(tmp_path_factory.mktemp("release")))


def text(site: Path, file: str) -> str:
    """What a reader sees, with plain spaces."""
    body = Document((site / file).read_text(encoding="utf-8")).body
    assert body is not None
    return re.sub(r"\s+", " ", body.text(separator=" "))


def row(site: Path, file: str, heading: str) -> str:
    """The table row whose first cell begins with a heading."""
    rows = Document((site / file).read_text(encoding="utf-8")).css("tbody tr")
    texts = [re.sub(r"\s+", " ", found.text(separator=" ")).strip() for found in rows]
    return next(found for found in texts if found.startswith(heading))


def test_every_page_is_there_in_both_languages(site: Path) -> None:
    swedish = {path.name for path in site.glob("*.html")}
    assert swedish == {path.name for path in site.glob("en/*.html")}
    assert {"index.html", "kommun-nassjo.html", "omrade-klimat.html", "sno-nassjo-snow-01.html"} <= swedish


def test_an_indicator_shows_each_municipality_its_direction_and_its_period(site: Path) -> None:
    shown = row(site, "index.html", "Utsläpp i allt")
    assert "98 843" in shown and "108 543" in shown
    assert "Lägre är bättre" in shown
    assert "2024" in shown


def test_an_indicator_without_a_value_says_why_in_both_languages(site: Path) -> None:
    assert "Inget värde: ingen leverans har kommit" in row(site, "index.html", "Digital mognad")
    assert "No value: no delivery received" in row(site, "en/index.html", "Digital maturity")


def test_an_estimate_shows_its_interval_and_n(site: Path) -> None:
    assert "17,1 % 95 %: 8,5–31,3; n = 41" in row(site, "index.html", "Andel med AI-strategi")


def test_sensors_are_shown_from_lowest_to_highest(site: Path) -> None:
    assert "12–28 dygn (2 mätplatser)" in row(site, "index.html", "Dygn med snö")


def test_a_failed_source_marks_its_page_and_not_the_others(site: Path) -> None:
    assert "Inaktuella uppgifter." in text(site, "sno.html")
    assert "Källan tts_hogland gav inget i natt; värdena är från 30 jan 2026 kl. 04.00." in text(site, "sno.html")
    assert "Inaktuella" not in text(site, "enkat.html")


def test_a_municipality_shows_the_latest_value_and_says_that_a_later_one_is_confidential(site: Path) -> None:
    shown = row(site, "kommun-eksjo.html", "Utsläpp i allt")
    assert "98 843 2023 2024: sekretess" in shown


def test_a_municipality_is_compared_with_the_others_and_the_country(site: Path) -> None:
    shown = row(site, "kommun-nassjo.html", "Utsläpp per invånare")
    assert "3,4 2024 ↗ +0,4 sämre 1 av 2 4,5" in shown


def test_the_path_to_the_target_is_told_in_words(site: Path) -> None:
    assert "2024 släpptes 108 543 ton ut." in text(site, "kommun-nassjo.html")
    assert "nås målet omkring år 2049" in text(site, "kommun-nassjo.html")


def test_a_sensor_shows_lows_and_highs_and_the_days(site: Path) -> None:
    assert row(site, "sno-nassjo-snow-01.html", "Lufttemperatur") == "Lufttemperatur °C −14,2 −4,0 −6,0 5 jan 2026"
    assert row(site, "sno-nassjo-snow-01.html", "3 jan 2026") == "3 jan 2026 2 4 −12,2 −6,0 72 86"
    assert "Inga mätningar ännu." in text(site, "sno-eksjo-snow-01.html")


def test_a_suppressed_answer_says_why_and_shows_no_number(site: Path) -> None:
    assert row(site, "enkat.html", "Nej") == "Nej dolt: färre än 5 svar i en cell"
    assert row(site, "enkat.html", "Ja") == "Ja 17,1 % 8,5–31,3 7"
    assert row(site, "enkat.html", "Nässjö") == "Nässjö 14 dolt: skulle avslöja en annan grupp"


def test_a_question_with_several_answers_says_so(site: Path) -> None:
    assert "n = 41 · flera svar möjliga, andelarna summerar inte till 100" in text(site, "enkat.html")


def test_the_quality_page_shows_sources_checks_and_quarantine(site: Path) -> None:
    shown = text(site, "datakvalitet.html")
    assert "Källor som levererade 1 av 2" in shown
    assert "Stoppade rader 2" in shown
    assert "answered 503" in row(site, "datakvalitet.html", "Snölasrarna")
    assert "Eksjö torg fel tyst, låg tillgänglighet sedan 15 jan 2026" in shown


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("datakvalitet.html", "13 godkända, 1 varnar Håller inte: Varje sensor hördes."),
        ("en/datakvalitet.html", "13 passed, 1 warn Does not hold: Every sensor was heard."),
    ],
)
def test_a_warning_is_said_in_the_language_of_the_page(tmp_path: Path, file: str, said: str) -> None:
    heard = CheckResult("heard", None, "warning", "table", False, 8, 1, 0.1, "Every sensor was heard.", "Why.")
    told = replace(heard, description_sv="Varje sensor hördes.")
    draft = replace(site_draft(tmp_path), checks={"kpi_operations__daily_snow": [told]})
    assert said in text(write_release(draft), file)


def test_a_source_that_brought_nothing_is_explained(site: Path) -> None:
    shown = row(site, "datakvalitet.html", "Snölasrarna")
    assert "föll Gick inte att hämta eller läsa. Tidigare data ligger kvar." in shown


def test_definitions_show_formula_owner_and_lineage(site: Path) -> None:
    found = Document((site / "definitioner.html").read_text(encoding="utf-8")).css_first("#ghg_total")
    shown = re.sub(r"\s+", " ", found.text(separator=" "))
    english = Document((site / "en" / "definitioner.html").read_text(encoding="utf-8")).css_first("#ghg_total .formula")
    assert english.text() == "a + b"
    for expected in (
        "det räknas",
        "Klimatstrateg",
        "Nationella emissionsdatabasen: 4 rader (källfiler: 1) i raw.indicator_value",
        "int_kpi_value__climate",
    ):
        assert expected in shown


@pytest.mark.parametrize("file", ["index.html", "omrade-klimat.html", "definitioner.html"])
def test_the_most_important_indicators_stand_first(site: Path, file: str) -> None:
    html = (site / file).read_text(encoding="utf-8")
    main = html[html.index('aria-labelledby="all"') if file == "index.html" else html.index("<main") :]
    names = ("Utsläpp i allt", "Utsläpp per invånare", "Trend mot Carbon Law", "Nollpunkt")
    places = [main.index(f">{name}</a>") for name in names]
    assert places == sorted(places)


def test_values_of_the_data_are_text_and_never_markup(site: Path) -> None:
    for path in site.rglob("*.html"):
        html = path.read_text(encoding="utf-8")
        assert HOSTILE not in html
        assert "<database>" not in html
        assert "built-in method" not in html
    assert "&lt;script&gt;" in (site / "losningar.html").read_text(encoding="utf-8")


def test_a_withdrawn_solution_is_not_shown(site: Path) -> None:
    assert "Borttagen lösning" not in text(site, "losningar.html")


MODELS = Path(__file__).parents[4] / "dbt_project" / "models" / "marts"
NAMES = re.findall(r"create table (\w+)", MARTS.read_text(encoding="utf-8"))


@pytest.mark.parametrize("without", [["dim_kpi"], ["fct_kpi_value", "kpi_operations__daily_snow"], NAMES], ids=str)
def test_missing_marts_are_named_and_cost_no_page(without: list[str], site: Path, tmp_path: Path) -> None:
    rest = write_release(site_draft(tmp_path, without=without))
    registers = {"dim_municipality", "dim_sensor"} & set(without)
    by_register = {path.name for path in site.glob("*-*.html") if not path.name.startswith("omrade-")}
    expected = {path.name for path in site.glob("*.html")} - (by_register if registers else set())
    assert {path.name for path in rest.glob("*.html")} == expected
    shown = " ".join(text(rest, page) for page in expected)
    assert [mart for mart in without if not re.search(rf"saknar[^.]*\b{mart}\b", shown)] == []


@pytest.mark.parametrize("mart", NAMES)
def test_every_mart_is_read_by_some_page_and_missed_when_it_is_not_there(mart: str, tmp_path: Path) -> None:
    marts = read_marts(site_draft(tmp_path, without=[mart]))
    assert marts.missing == {mart}
    assert marts.missing_for(*QUERIES) == [mart]


def test_a_mart_with_other_columns_is_named_too(tmp_path: Path) -> None:
    changed = "create or replace table kpi_trajectory as select 'ghg_total' as kpi_id"
    assert "saknar kpi_trajectory" in text(write_release(site_draft(tmp_path, then=changed)), "kommun-nassjo.html")


def never_null(mart: str) -> set[str]:
    """The columns of a mart that its contract never leaves empty."""
    [model] = [
        model
        for file in sorted(MODELS.rglob("*.yml"))
        for model in yaml.safe_load(file.read_text(encoding="utf-8")).get("models", [])
        if model["name"] == mart
    ]
    return {column["name"] for column in model["columns"] if "not_null" in str(column)}


def test_whatever_may_be_empty_can_be(tmp_path: Path) -> None:
    draft = site_draft(tmp_path / "all")
    emptied = []
    for table in draft.tables:
        if not table.name.startswith("publication"):
            required = never_null(table.name)
            columns = [f"{column.name} = null" for column in table.columns if column.name not in required]
            emptied += [f"update {table.name} set {', '.join(columns)};"] if columns else []
    assert len(emptied) > 10
    rest = write_release(site_draft(tmp_path / "emptied", then="".join(emptied)))
    assert "None" not in text(rest, "enkat.html") + text(rest, "losningar.html") + text(rest, "kommun-nassjo.html")


def test_empty_marts_give_pages_that_say_so(tmp_path: Path) -> None:
    emptied = "".join(
        f"delete from {mart};"
        for mart in ("fct_kpi_value", "kpi_twin__solution", "kpi_digitalisation__survey_wave", "dim_sensor")
    )
    rest = write_release(site_draft(tmp_path, then=emptied))
    assert "Katalogen har inga lösningar." in text(rest, "losningar.html")
    assert "Ingen enkätomgång är publicerad." in text(rest, "enkat.html")
    assert "Inga mätplatser är registrerade." in text(rest, "sno.html")
    assert "Nyckeltal med värde 0 av 9" in text(rest, "index.html")


class References(HTMLParser):
    """Ids of a page and what it refers to."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.ids.append(value)
            if name in ("href", "src") and value:
                self.targets.append(value)


def test_every_link_and_anchor_leads_somewhere_inside_and_ids_are_unique(site: Path) -> None:
    pages: dict[Path, References] = {}
    for path in site.rglob("*.html"):
        pages[path.resolve()] = found = References()
        found.feed(path.read_text(encoding="utf-8"))
        assert len(found.ids) == len(set(found.ids)), path
    for path, references in pages.items():
        for target in references.targets:
            file, _, anchor = target.partition("#")
            aim = (path.parent / file).resolve() if file else path
            assert aim.is_file(), f"{path.name}: {target}"
            assert not anchor or anchor in pages[aim].ids, f"{path.name}: {target}"


def test_pages_are_small(site: Path) -> None:
    assert max(path.stat().st_size for path in site.rglob("*.html")) < 300_000
