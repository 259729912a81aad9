"""Charts: Altair specifications, drawn as SVG by vl-convert.

Each kind of chart is specified once and drawn with the data of each figure. Colours are CSS variables, which the page's
theme sets: ``--series-1`` … for the municipalities in alphabetical order, ``currentColor`` for text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from typing import Any

import altair as alt
import vl_convert as vlc
from markupsafe import Markup, escape

from hogland_pipeline.site.words import MINUS, NARROW_SPACE, Words

Points = Sequence[Mapping[str, Any]]
# What layering gives: a chart of several marks.
Chart = alt.LayerChart | alt.FacetChart

SERIES = 5
# A dash pattern each, so that lines are told apart without their colour.
DASHES = ([1, 0], [6, 2], [2, 2], [8, 2, 2, 2], [4, 4])
TABLE = "figure"
# The chart is one image with one text; Vega would name each of its marks.
ROLES = re.compile(r' (?:role|aria-[a-z]+)="[^"]*"')
FIRST_TAG = re.compile(r'<svg [^>]*?width="([\d.]+)" height="([\d.]+)"[^>]*>')
# Labels of axes, as they are drawn: a number with narrow spaces and a decimal comma, a day and its month by
# number, or per cent.
NUMBERS: dict[str, Any] = {
    "decimal": ",",
    "thousands": NARROW_SPACE,
    "grouping": [3],
    "currency": ["", ""],
    "minus": MINUS,
}
LABEL = re.compile(rf">(?:(?P<number>{MINUS}?[\d{NARROW_SPACE},]+)|(?P<day>\d+)/(?P<month>\d+)|(?P<share>\d+)%)</text>")


class Drawing:
    """An SVG without words; ``titled`` gives it those that stand for it where it is not seen."""

    def __init__(self, kind: str, svg: str) -> None:
        found = FIRST_TAG.match(svg)
        if not found:
            raise ValueError(f"not the SVG of a chart: {svg[:80]}")
        self.kind = kind
        self.width, self.height = (round(float(size)) for size in found.groups())
        self.content = ROLES.sub("", svg[found.end() :])

    def titled(self, words: Words, key: str, title: str, description: str = "") -> Markup:
        """The element to put into a page, its axes in the language; ``key`` is unique in the page."""
        content = LABEL.sub(lambda label: f">{_label(label, words)}</text>", self.content)
        described = f'<desc id="{key}-d">{escape(description)}</desc>' if description else ""
        labels = f"{key}-t {key}-d" if description else f"{key}-t"
        size = f'viewBox="0 0 {self.width} {self.height}" width="{self.width}" height="{self.height}"'
        return Markup(  # noqa: S704 - vl-convert escapes texts of the data, and the words are escaped here
            f'<svg class="chart {self.kind}" role="img" aria-labelledby="{labels}" {size}>'
            f'<title id="{key}-t">{escape(title)}</title>{described}{content}'
        )


def _label(label: re.Match[str], words: Words) -> str:
    if label["day"]:
        return words.date(date(2000, int(label["month"]), int(label["day"])), short=True).removesuffix(" 2000")
    if label["share"]:
        return label["share"] + str(words.texts["percent"])
    # A year is no number with thousands, and has none.
    return words.separated(label["number"])


def draw(kind: str, points: Points) -> Drawing:
    """A chart of one kind (a name of ``KINDS``) of these points; ``Drawing.titled`` puts its axes into a language."""
    spec = {**_specification(kind), "datasets": {TABLE: list(points)}}
    return Drawing(kind, vlc.vegalite_to_svg(spec, format_locale=NUMBERS))


@cache
def _specification(kind: str) -> dict[str, Any]:
    chart = KINDS[kind]().configure(
        aria=False,
        background="transparent",
        font="Arial, Liberation Sans, sans-serif",
        padding=2,
        view=alt.ViewConfig(stroke=None),
        axis=alt.AxisConfig(
            domainColor="var(--rule)",
            tickColor="var(--rule)",
            gridColor="var(--grid)",
            labelColor="currentColor",
            labelFontSize=12,
            labelOverlap=True,
            title=None,
            tickSize=4,
        ),
        axisX=alt.AxisConfig(grid=False, labelFlush=False),
        axisY=alt.AxisConfig(domain=False, ticks=False, labelPadding=8),
    )
    return dict(chart.to_dict())


def _spark() -> Chart:
    """Lines of all areas on one small scale: ``x`` a year with a fraction, ``y``, ``series``."""
    lines = alt.Chart(alt.NamedData(TABLE), width=132, height=34).encode(
        x=alt.X("x:Q", axis=None, scale=alt.Scale(nice=False, zero=False)),
        y=alt.Y("y:Q", axis=None, scale=alt.Scale(zero=False, nice=False)),
        color=_series_colour(),
    )
    return alt.layer(
        lines.mark_line(strokeWidth=1.6, strokeCap="round"),
        lines.transform_filter("datum.is_last").mark_point(filled=True, size=14, opacity=1),
    )


def _lines() -> Chart:
    """A line an area by year, with points."""
    lines = alt.Chart(alt.NamedData(TABLE), width=380, height=170).encode(
        x=alt.X("x:Q", axis=_years(4), scale=alt.Scale(nice=False, zero=False)),
        y=alt.Y("y:Q", axis=alt.Axis(tickCount=4, format=",~f"), scale=alt.Scale(zero=False)),
        color=_series_colour(),
    )
    return alt.layer(
        lines.mark_line(strokeWidth=2).encode(strokeDash=_series_dash()),
        lines.mark_point(filled=True, size=18, opacity=1),
    )


def _path() -> Chart:
    """Emissions, the straight path to a target and the trend; ``line`` is observed, path or trend."""
    base = alt.Chart(alt.NamedData(TABLE), width=400, height=220).encode(
        x=alt.X("x:Q", axis=_years(6), scale=alt.Scale(nice=False, zero=False)),
        y=alt.Y("y:Q", axis=alt.Axis(tickCount=5, format=",~f"), scale=alt.Scale(zero=True)),
    )
    styles: dict[str, dict[str, Any]] = {
        "path": {"stroke": "var(--good)", "strokeDash": [6, 4], "strokeWidth": 2},
        "trend": {"stroke": "var(--warn)", "strokeDash": [2, 3], "strokeWidth": 2},
        "observed": {"stroke": "var(--accent)", "strokeWidth": 2.5},
    }
    lines = [base.transform_filter(f"datum.line === '{line}'").mark_line(**style) for line, style in styles.items()]
    dots = base.transform_filter("datum.line === 'observed'").mark_point(
        filled=True, size=28, opacity=1, color="var(--accent)"
    )
    return alt.layer(*lines, dots)


def _band() -> Chart:
    """Low to high of a day as a band, the mean as a line: ``day``, ``low``, ``high``, ``mean``."""
    base = alt.Chart(alt.NamedData(TABLE), width=400, height=120).encode(
        x=alt.X("day:T", scale=alt.Scale(type="utc"), axis=alt.Axis(format="%-d/%-m", tickCount=5))
    )
    y: dict[str, Any] = {"axis": alt.Axis(tickCount=4, format=",~f"), "scale": alt.Scale(zero=False)}
    return alt.layer(
        base.mark_area(color="var(--band)", line=False).encode(y=alt.Y("low:Q", **y), y2="high:Q"),
        base.mark_line(color="var(--accent)", strokeWidth=2).encode(y=alt.Y("mean:Q", **y)),
    )


def _depth() -> Chart:
    """Snow depth of a day: as ``_band``, from zero."""
    base = alt.Chart(alt.NamedData(TABLE), width=400, height=160).encode(
        x=alt.X("day:T", scale=alt.Scale(type="utc"), axis=alt.Axis(format="%-d/%-m", tickCount=5))
    )
    y: dict[str, Any] = {"axis": alt.Axis(tickCount=4, format=",~f"), "scale": alt.Scale(zero=True, domainMin=0)}
    return alt.layer(
        base.mark_area(color="var(--band)").encode(y=alt.Y("low:Q", **y), y2="high:Q"),
        base.mark_line(color="var(--accent)", strokeWidth=2).encode(y=alt.Y("mean:Q", **y)),
    )


def _answers() -> Chart:
    """Share of each answer, per cent: ``answer``, ``place``, ``share``, its bounds ``low`` and ``high``, ``hidden``."""
    base = alt.Chart(alt.NamedData(TABLE), width=320, height=alt.Step(28)).encode(
        y=alt.Y(
            "answer:N",
            sort=alt.EncodingSortField("place"),
            axis=alt.Axis(labelLimit=200, domain=False, ticks=False, labelPadding=6),
        )
    )
    x: dict[str, Any] = {
        "axis": alt.Axis(values=[0, 50, 100], grid=True, labelExpr="datum.value + '%'"),
        "scale": alt.Scale(domain=[0, 100]),
    }
    return alt.layer(
        base.mark_bar(height=13, color="var(--bar)").encode(x=alt.X("share:Q", **x)),
        base.mark_rule(strokeWidth=2, color="currentColor").encode(x=alt.X("low:Q", **x), x2="high:Q"),
        base.mark_tick(thickness=2, size=8, color="currentColor").encode(x=alt.X("low:Q", **x)),
        base.mark_tick(thickness=2, size=8, color="currentColor").encode(x=alt.X("high:Q", **x)),
        base.mark_text(align="left", dx=4, color="currentColor").encode(x=alt.datum(0), text="hidden:N"),
    )


def _years(count: int) -> alt.Axis:
    """About so many ticks, each a whole year: between few years Vega puts halves, which would tell a year twice."""
    whole = "datum.value % 1 === 0"
    return alt.Axis(
        tickCount=count,
        labelExpr=f"{whole} ? format(datum.value, 'd') : ''",
        tickOpacity={"condition": {"test": whole, "value": 1}, "value": 0},
    )


def _series_colour() -> alt.Color:
    numbers = list(range(1, SERIES + 1))
    scale = alt.Scale(domain=numbers, range=[f"var(--series-{number})" for number in numbers])
    return alt.Color("series:O", scale=scale, legend=None)


def _series_dash() -> alt.StrokeDash:
    scale = alt.Scale(domain=list(range(1, SERIES + 1)), range=[list(dash) for dash in DASHES])
    return alt.StrokeDash("series:O", scale=scale, legend=None)


KINDS = {"spark": _spark, "lines": _lines, "path": _path, "band": _band, "depth": _depth, "answers": _answers}
