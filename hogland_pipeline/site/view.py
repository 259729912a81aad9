"""What the templates of one language ask for: figures in words, charts with their text, links."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from markupsafe import Markup

from hogland_pipeline.release_tables import Draft
from hogland_pipeline.site.charts import SERIES, Drawing, Points, draw
from hogland_pipeline.site.kpis import Area, Figure, Kpi
from hogland_pipeline.site.marts import Marts, Row
from hogland_pipeline.site.words import DASH, MINUS, Words

DEFINITIONS = "definitioner.html"
# Charts with words of the data or the language in them; the others are drawn once for both.
WORDED = {"answers"}
MUNICIPALITY = "municipality"
# Marts whose numbers stand on pages without being values of an indicator; their columns are defined too.
DEFINED_MARTS = (
    "kpi_benchmark",
    "kpi_trajectory",
    "kpi_climate__emission_trend",
    "kpi_operations__daily_snow",
    "kpi_operations__sensor_status",
    "kpi_operations__plough_event",
    "kpi_twin__solution_effect",
    "kpi_digitalisation__survey_answer",
    "kpi_digitalisation__ai_readiness",
    "publication",
    "publication_source",
)
# How a check ends.
CHECKED = ("passed", "warned", "failed")
# Units that grow with the place.
AMOUNTS = {"t CO2e", "t CO2e/year"}


@dataclass(frozen=True)
class Page:
    """One page: its file, the template, its title in the language, and what the template gets."""

    file: str
    template: str
    title: str
    context: Mapping[str, Any]


class Gallery:
    """Charts drawn for this release; what both languages can use is drawn once."""

    def __init__(self) -> None:
        self._drawn: dict[tuple[str, ...], Drawing] = {}

    def drawing(self, kind: str, key: str, points: Callable[[], Points], words: Words) -> Drawing:
        """The chart of a kind with this key, drawn at the first call."""
        known = (kind, key, words.language) if kind in WORDED else (kind, key)
        if known not in self._drawn:
            self._drawn[known] = draw(kind, points())
        return self._drawn[known]


class View:
    """The release in one language."""

    def __init__(self, draft: Draft, marts: Marts, kpis: Sequence[Kpi], words: Words, gallery: Gallery) -> None:
        self.draft = draft
        self.marts = marts
        self.kpis = kpis
        self.words = words
        self._gallery = gallery
        self._ids = 0

    @cached_property
    def municipalities(self) -> Sequence[Row]:
        """The municipalities, each with its ``series`` number and the ``file`` of its page."""
        return [
            {**row, "series": min(number, SERIES), "file": f"kommun-{slug(row['municipality_name'])}.html"}
            for number, row in enumerate(self.marts["municipalities"], start=1)
        ]

    @cached_property
    def _series(self) -> Mapping[str, int]:
        return {row["municipality_code"]: row["series"] for row in self.municipalities}

    def kpi(self, kpi_id: str) -> Kpi | None:
        """The indicator of this id, where the registry has it."""
        return next((kpi for kpi in self.kpis if kpi.id == kpi_id), None)

    def name(self, kpi: Kpi) -> str:
        """Its name in the language."""
        return self.words.own(kpi.row, "name")

    def value(self, kpi: Kpi, figure: Figure) -> str:
        """The figure in words: a number, a date, or why there is none."""
        if not figure.is_observed:
            return self.words.of("status", figure.status)
        if kpi.unit == "date" and figure.text:
            return self._date(figure.text)
        return self.words.number(figure.value, kpi.unit)

    def state(self, kpi: Kpi, figure: Figure) -> str | None:
        """The state that a figure stands for (strong decoupling), where it is one."""
        return self.words.of("states", figure.text) if figure.text and kpi.unit != "date" else None

    def _date(self, text: str) -> str:
        """A computed date says no more than its month."""
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            return self.words.of("states", text)
        return self.words.month(text)

    def headline(self, kpi: Kpi) -> str | None:
        """One line for an indicator that has no figure a municipality."""
        unit = self.words.unit(kpi.unit)
        if stages := [area for area in kpi.of_kind("stage") if area.shown.is_observed]:
            stages.sort(key=lambda area: list(self.words.texts["stages"]).index(area.id))
            return ", ".join(
                f"{self.value(kpi, area.shown)} {self.words.of('stages_plural', area.id)}" for area in stages
            )
        for area in kpi.of_kind("federation", "catalogue"):
            if area.shown.is_observed:
                return f"{self.value(kpi, area.shown)} {unit}"
        if kpi.spread:
            lowest, highest, count = kpi.spread
            span = self.words.number(lowest, kpi.unit)
            if lowest != highest:
                span = self.words.interval(lowest, highest, kpi.unit)
            return f"{span} {unit} ({self.words.texts['sensors_count'].format(count=count)})"
        return None

    def interval(self, kpi: Kpi) -> str | None:
        """``95 %: 8,5–31,3; n = 41`` of an estimate for all of Höglandet."""
        for area in kpi.of_kind("federation"):
            figure = area.shown
            if figure.lower is not None and figure.upper is not None:
                bounds = self.words.interval(figure.lower, figure.upper, kpi.unit)
                n = self.words.number(figure.n, decimals=0)
                return str(self.words.texts["interval_n"].format(bounds=bounds, n=n))
        return None

    def reason(self, kpi: Kpi) -> str:
        """Why an indicator has no value, without the words that every reason begins with."""
        reason = kpi.row.get("missing_reason_sv") if self.words.language == "sv" else None
        return str(reason or kpi.row["value_status"]).removeprefix("no value yet: ")

    def is_comparable(self, kpi: Kpi) -> bool:
        """Whether a figure says something beside another place's: an amount grows with the place."""
        return kpi.unit not in AMOUNTS

    def is_better(self, kpi: Kpi, change: float) -> bool | None:
        """Whether a change goes the wanted way; None where no way is wanted, or nothing changed."""
        wanted = {"lower": -1, "earlier": -1, "higher": 1}.get(kpi.row["direction"], 0)
        return None if not wanted or self.words.change(change, kpi.unit).strip("+0,.") == "" else change * wanted > 0

    def arrow(self, change: float, unit: str) -> str:
        """Up, down or level, as the written change says."""
        written = self.words.change(change, "years" if unit == "date" else unit)
        return "↗" if written.startswith("+") else "↘" if written.startswith(MINUS) else "→"

    def compared(self, kpi: Kpi, value: float) -> str:
        """The figure of a group to compare with; a date as its year."""
        return str(int(value)) if kpi.unit == "date" else self.words.number(value, kpi.unit)

    def changed(self, kpi: Kpi, change: float) -> str:
        """A change with its sign; that of a date in years."""
        if kpi.unit != "date":
            return self.words.change(change, kpi.unit)
        return f"{self.words.change(change, 'years')} {self.words.texts['years']}"

    def spark(self, kpi: Kpi) -> Markup | None:
        """The small trend of an indicator's areas; None where no area has two values."""
        areas = [area for area in kpi.of_kind(MUNICIPALITY, "federation", "catalogue") if len(area.observed) > 1]
        if not areas:
            return None
        title = self.words.texts["trend_of"].format(name=self.name(kpi))
        return self.chart("spark", kpi.id, lambda: self._points(areas), title)

    def lines(self, kpi: Kpi) -> Markup | None:
        """A chart with a line a municipality; None where none has two values."""
        areas = [area for area in kpi.of_kind(MUNICIPALITY) if len(area.observed) > 1]
        if not areas:
            return None
        title = f"{self.name(kpi)}, {self.words.unit(kpi.unit)}"
        return self.chart("lines", kpi.id, lambda: self._points(areas), title, self.words.texts["chart_see_table"])

    def chart(self, kind: str, key: str, points: Callable[[], Points], title: str, description: str = "") -> Markup:
        """A chart as an element with an id of its own on the page."""
        self._ids += 1
        drawing = self._gallery.drawing(kind, key, points, self.words)
        return drawing.titled(self.words, f"c{self._ids}", title, description)

    def _points(self, areas: Sequence[Area]) -> Points:
        return [
            {
                "x": _year(figure.period, figure.period_end),
                "y": figure.value,
                "series": self._series.get(area.id, 1),
                "area": area.id,
                "is_last": figure is area.shown,
            }
            for area in areas
            for figure in area.observed
        ]

    def period(self, period: str) -> str:
        """A period in words; a wave of the survey by its title."""
        return self._waves.get(period) or self.words.period(period)

    @cached_property
    def _waves(self) -> Mapping[str, str]:
        return {row["wave"]: self.words.own(row, "title") for row in self.marts["survey_waves"]}

    def periods(self, kpi: Kpi) -> list[tuple[str, Mapping[str, Figure]]]:
        """Every period of the municipalities' figures, latest first, with the figure of each by code."""
        periods: dict[tuple[date, str], dict[str, Figure]] = defaultdict(dict)
        for area in kpi.of_kind(MUNICIPALITY):
            for figure in area.figures:
                periods[figure.period_end, figure.period][area.id] = figure
        return [(period, figures) for (_, period), figures in sorted(periods.items(), reverse=True)]

    def explanation(self, kpi: Kpi) -> str | None:
        """What the indicator says, in plain words."""
        explanation = kpi.row.get(f"explanation_{self.words.language}")
        return str(explanation) if explanation else None

    def sources(self, kpi: Kpi) -> str:
        """The sources that its rows came from, in words."""
        names = dict.fromkeys(row["load_source"] for row in kpi.lineage if row["load_source"])
        return ", ".join(self.words.of("sources", name) for name in names) or DASH

    def places(self, kpi: Kpi) -> list[tuple[str, Area]]:
        """Its sensors, stations and buildings by the name of their place."""
        areas = ((self.place(area), area) for area in kpi.of_kind("sensor", "station", "building"))
        return sorted(areas, key=lambda found: found[0])

    def place(self, area: Area) -> str:
        """Where a sensor or station is; its id where nobody has said."""
        return self._sites.get(area.id) or area.id

    @cached_property
    def _sites(self) -> Mapping[str, str]:
        return {row["sensor_id"]: row["site"] or row["device_id"] for row in self.marts["sensors"]}

    def sensor_reasons(self, status: Row) -> str:
        """Why a sensor needs attention, and since when."""
        reasons = [
            self.words.of("sensor_reasons", reason) for reason in (status["reasons"] or "").split(", ") if reason
        ]
        since = status["since_date"]
        told = ", ".join(reasons)
        return f"{told} {self.words.texts['since']} {self.words.date(since, short=True)}" if since else told

    def checks(self, row: Row) -> str:
        """How many checks passed, and how many warned or failed where any did."""
        counts = [(row[f"checks_{how}"], self.words.texts["quality"]["counts"][how]) for how in CHECKED]
        return ", ".join(text.format(count=count) for count, text in counts if count) or DASH

    def warnings(self, mart: str) -> Sequence[str]:
        """What the checks of a mart that did not hold say."""
        unmet = (check for check in self.draft.checks.get(mart, ()) if not check.passed)
        is_swedish = self.words.language == "sv"
        return [(is_swedish and check.description_sv) or check.description for check in unmet]

    def subgroup(self, kind: str, subgroup: str) -> str:
        """A subgroup of the survey in words."""
        if kind == MUNICIPALITY:
            names = {row["municipality_code"]: str(row["municipality_name"]) for row in self.municipalities}
            return names.get(subgroup) or self.words.of("roles", subgroup)
        return self.words.of("roles", subgroup)

    def definition(self, anchor: str) -> str:
        """Where an indicator or a mart is defined."""
        return f"{DEFINITIONS}#{anchor}" if anchor in self._defined else DEFINITIONS

    @cached_property
    def _defined(self) -> frozenset[str]:
        return frozenset({kpi.id for kpi in self.kpis} | set(self.defined_marts))

    @cached_property
    def defined_marts(self) -> Sequence[str]:
        """The marts whose columns are explained beside the indicators, of those that the release has."""
        return [mart for mart in DEFINED_MARTS if self.columns(mart)]

    def file_beside(self, *names: str) -> str | None:
        """The first of these files that the release has beside the site, as seen from its Swedish pages."""
        return next((f"../{name}" for name in names if (self.draft.folder / name).is_file()), None)

    def columns(self, mart: str) -> Sequence[tuple[str, str]]:
        """The columns of a mart and what they mean in the language."""
        table = next((table for table in self.draft.tables if table.name == mart), None)
        return (
            [(column.name, in_language(column.comment, self.words.language)) for column in table.columns]
            if table
            else []
        )

    def described(self, mart: str) -> str:
        """What a mart holds, in the language."""
        table = next((table for table in self.draft.tables if table.name == mart), None)
        comment = self.draft.contract(mart).description or (table.comment if table else "")
        return in_language(comment, self.words.language)


def sensor_file(sensor: Row) -> str:
    """The page of a sensor."""
    return f"sno-{slug(sensor['device_id'] or sensor['sensor_id'])}.html"


def in_language(description: str | None, language: str) -> str:
    """The half of ``svenska / English`` that is in the language; the whole where there is one only."""
    swedish, stroke, english = (description or "").partition(" / ")
    return (english if stroke and language == "en" else swedish).strip()


def slug(name: str) -> str:
    """A name as part of a file name: ``Nässjö`` becomes ``nassjo``."""
    plain = unicodedata.normalize("NFKD", name.lower()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "x"


def _year(period: str, end: date) -> float:
    """Where a period lies on the axis: a year at its number, another period at its last day."""
    if len(period) == 4 or re.fullmatch(r"\d{4}-\d{4}", period):
        return end.year
    return round(end.year + (end.timetuple().tm_yday - 1) / 366, 4)
