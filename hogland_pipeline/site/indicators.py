"""Pages of indicators: the overview, a page a domain, a page a municipality, and the definitions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from hogland_pipeline.site.charts import Points
from hogland_pipeline.site.kpis import DOMAINS, Area, Kpi
from hogland_pipeline.site.marts import Row
from hogland_pipeline.site.view import DEFINITIONS, MUNICIPALITY, Page, View

# What the card of a municipality shows, in this order.
KEY_FIGURES = ("ghg_per_capita", "ghg_cagr_since_2015", "trend_to_carbon_law", "net_zero_date")
DOMAIN_FILES = {
    "climate": "omrade-klimat.html",
    "twin": "omrade-tvilling.html",
    "digitalisation": "omrade-digitalisering.html",
    "operations": "omrade-drift.html",
}


def indicator_pages(view: View) -> Iterator[Page]:
    """Overview, domains, municipalities and definitions."""
    texts = view.words.texts
    yield Page("index.html", "overview", texts["overview"]["title"], {"domains": _domains(view), "cards": _cards(view)})
    for domain, file in DOMAIN_FILES.items():
        # Those with a chart first, so that cards of one size lie beside each other.
        kpis = sorted(
            (kpi for kpi in view.kpis if kpi.row["domain"] == domain), key=lambda kpi: not has_municipalities(kpi)
        )
        yield Page(file, "domain", texts["domains"][domain], {"domain": domain, "kpis": kpis})
    paths = _paths(view)
    for place in view.municipalities:
        yield Page(place["file"], "municipality", place["municipality_name"], _municipality(view, place, paths))
    yield Page(DEFINITIONS, "definitions", texts["definitions"]["title"], {"domains": _domains(view)})


def _domains(view: View) -> list[tuple[str, list[Kpi]]]:
    """Every indicator of the registry, also of a domain that is new."""
    domains: dict[str, list[Kpi]] = {domain: [] for domain in DOMAINS}
    for kpi in view.kpis:
        domains.setdefault(kpi.row["domain"], []).append(kpi)
    return [(domain, kpis) for domain, kpis in domains.items() if kpis]


def _cards(view: View) -> list[tuple[Row, list[tuple[Kpi, Area]]]]:
    """Key figures by municipality."""
    return [(place, _key_figures(view, place["municipality_code"])) for place in view.municipalities]


def _key_figures(view: View, code: str) -> list[tuple[Kpi, Area]]:
    kpis = filter(None, map(view.kpi, KEY_FIGURES))
    return [(kpi, kpi.areas[code]) for kpi in kpis if code in kpi.areas]


def _municipality(view: View, place: Row, paths: Mapping[str, Sequence[Row]]) -> Mapping[str, Any]:
    code = place["municipality_code"]
    groups: dict[str, dict[str, Row]] = defaultdict(dict)
    for row in view.marts["benchmarks"]:
        if row["municipality_code"] == code:
            groups[row["kpi_id"]][row["group_kind"]] = row
    path = paths.get(code, [])
    return {
        "place": place,
        "key_figures": _key_figures(view, code),
        "domains": [
            (domain, [(kpi, kpi.areas[code]) for kpi in kpis if code in kpi.areas]) for domain, kpis in _domains(view)
        ],
        "without": [kpi for kpi in view.kpis if code not in kpi.areas and not kpi.areas],
        "groups": groups,
        "path": path,
        "path_points": _path_points(path),
        "sensors": [row for row in view.marts["sensors"] if row["municipality_code"] == code],
    }


def _paths(view: View) -> Mapping[str, Sequence[Row]]:
    """The years of total emissions towards their target, by municipality."""
    paths: dict[str, list[Row]] = defaultdict(list)
    for row in view.marts["trajectories"]:
        if row["kpi_id"] == "ghg_total" and row["target_year"] is not None:
            paths[row["municipality_code"]].append(row)
    return paths


def _path_points(path: Sequence[Row]) -> Callable[[], Points]:
    lines = {"observed": "observed_value", "path": "path_value", "trend": "trend_value"}
    return lambda: [
        {"x": row["year"], "y": row[column], "line": line}
        for line, column in lines.items()
        for row in path
        if row[column] is not None
    ]


def has_municipalities(kpi: Kpi) -> bool:
    """Whether any municipality has a value, so that a column each is worth it."""
    return any(area.shown.is_observed for area in kpi.of_kind(MUNICIPALITY))
