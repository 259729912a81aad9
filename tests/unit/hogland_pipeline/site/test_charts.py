import re
from zoneinfo import ZoneInfo

import pytest

from hogland_pipeline.site.charts import KINDS, Drawing, draw
from hogland_pipeline.site.words import LANGUAGES, Words

SWEDISH, ENGLISH = (Words.read(language, ZoneInfo("Europe/Stockholm")) for language in LANGUAGES)
DAYS = [{"day": f"2026-01-{day:02}", "low": day, "mean": day + 1, "high": day + 2} for day in range(1, 29)]
YEARS = [
    {"x": year, "y": 1000.0 * year, "series": 1, "area": "0682", "is_last": year == 2024, "line": "observed"}
    for year in (2015, 2020, 2024)
]
ANSWERS = [{"answer": "<Ja>", "place": 0, "share": 31.7, "low": 19.6, "high": 47.0, "hidden": ""}]
POINTS = {"spark": YEARS, "lines": YEARS, "path": YEARS, "band": DAYS, "depth": DAYS, "answers": ANSWERS}


def labels(drawing: Drawing, words: Words) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", drawing.titled(words, "c1", "Title"))


@pytest.mark.parametrize("kind", KINDS)
def test_every_chart_is_one_image_with_a_text_and_colours_of_the_theme(kind: str) -> None:
    element = draw(kind, POINTS[kind]).titled(SWEDISH, "c1", "Utsläpp <b>", "Står i tabellen")
    assert element.startswith(f'<svg class="chart {kind}" role="img" aria-labelledby="c1-t c1-d" viewBox="0 0 ')
    assert '<title id="c1-t">Utsläpp &lt;b&gt;</title><desc id="c1-d">Står i tabellen</desc>' in element
    assert element.count("role=") == 1
    assert element.endswith("</svg>")
    assert "http" not in element and "url(" not in element
    colours = set(re.findall(r'(?:fill|stroke)="([^"]+)"', element))
    assert {colour for colour in colours if not colour.startswith("var(--")} <= {"none", "currentColor", "transparent"}


def test_axes_are_in_the_language_of_the_page() -> None:
    lines = draw("lines", YEARS)
    assert "2\u202f016\u202f000" in labels(lines, SWEDISH)
    assert "2,016,000" in labels(lines, ENGLISH)
    assert "2020" in labels(lines, ENGLISH)
    days = [{**day, "day": day["day"].replace("-01-", "-05-")} for day in DAYS]
    assert "10\u00a0maj" in labels(draw("band", days), SWEDISH)
    assert "10\u00a0May" in labels(draw("band", days), ENGLISH)


@pytest.mark.parametrize("kind", ["lines", "path"])
@pytest.mark.parametrize("last", range(2016, 2026))
def test_a_year_is_told_once_however_few_there_are(kind: str, last: int) -> None:
    points = [{**YEARS[0], "x": year, "y": 10.0} for year in range(2015, last + 1)]
    years = [label for label in labels(draw(kind, points), SWEDISH) if len(label) == 4 and label.startswith("20")]
    assert len(years) >= 2
    assert len(set(years)) == len(years)


def test_shares_are_per_cent_as_the_language_writes_it() -> None:
    assert "50\u00a0%" in labels(draw("answers", ANSWERS), SWEDISH)
    assert "50%" in labels(draw("answers", ANSWERS), ENGLISH)


def test_what_stands_in_the_data_is_escaped() -> None:
    assert "&lt;Ja&gt;" in labels(draw("answers", ANSWERS), SWEDISH)


def test_a_series_without_points_is_drawn_empty() -> None:
    assert draw("spark", []).titled(SWEDISH, "c1", "Tom").startswith("<svg")
