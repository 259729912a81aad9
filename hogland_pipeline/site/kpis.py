"""Indicators with their latest figures: what overview, domain and municipality pages show of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby

from hogland_pipeline.site.marts import Marts, Row

DOMAINS = ("climate", "twin", "digitalisation", "operations")
OBSERVED = "observed"


@dataclass(frozen=True)
class Figure:
    """One value of an indicator, or why there is none; ``text`` is a date or a state, where the value is one."""

    period: str
    period_end: date
    value: float | None
    text: str | None
    status: str
    n: int
    lower: float | None
    upper: float | None

    @property
    def is_observed(self) -> bool:
        """Whether there is a value."""
        return self.status == OBSERVED


@dataclass(frozen=True)
class Area:
    """The figures of one municipality, sensor and so on, oldest first; never empty."""

    kind: str
    id: str
    figures: tuple[Figure, ...]

    @property
    def observed(self) -> tuple[Figure, ...]:
        """Those with a value."""
        return tuple(figure for figure in self.figures if figure.is_observed)

    @property
    def shown(self) -> Figure:
        """The latest with a value; where none has one, the latest."""
        return (self.observed or self.figures)[-1]

    @property
    def newer_without_value(self) -> Figure | None:
        """A later period than the shown one, which has no value."""
        return self.figures[-1] if self.figures[-1] is not self.shown else None

    @property
    def change(self) -> float | None:
        """The latest value less the one before."""
        last = [figure.value for figure in self.observed[-2:] if figure.value is not None]
        return last[1] - last[0] if len(last) == 2 else None


@dataclass(frozen=True)
class Kpi:
    """An indicator: its row of ``dim_kpi``, its areas by id, its lineage, and the sources of it that failed last."""

    row: Row
    areas: Mapping[str, Area]
    lineage: Sequence[Row]
    failed_sources: Sequence[Row]

    @property
    def id(self) -> str:
        """Key of the indicator, and its anchor on the page of definitions."""
        return str(self.row["kpi_id"])

    @property
    def unit(self) -> str:
        """Unit of its values, as the data writes it."""
        return str(self.row["unit"])

    def of_kind(self, *kinds: str) -> list[Area]:
        """Its areas of these kinds."""
        return [area for area in self.areas.values() if area.kind in kinds]

    @property
    def spread(self) -> tuple[float, float, int] | None:
        """Lowest and highest of the areas' latest values, and how many have one."""
        values = [area.shown.value for area in self.areas.values() if area.shown.value is not None]
        return (min(values), max(values), len(values)) if values else None

    @property
    def period(self) -> str | None:
        """The latest period with a value."""
        shown = [area.shown for area in self.areas.values() if area.shown.is_observed]
        return max(shown, key=lambda figure: figure.period_end).period if shown else None

    @property
    def loaded_at(self) -> datetime | None:
        """When the newest rows behind it were loaded."""
        return max((row["loaded_at"] for row in self.lineage if row["loaded_at"]), default=None)


def read_kpis(marts: Marts) -> list[Kpi]:
    """Every indicator of the registry, in its order, whether it has values or not."""
    areas: dict[str, dict[str, Area]] = defaultdict(dict)
    for (kpi_id, kind, area_id), rows in groupby(
        marts["values"], key=lambda row: (row["kpi_id"], row["area_type"], row["area_id"])
    ):
        areas[kpi_id][area_id] = Area(kind, area_id, tuple(_figure(row) for row in rows))
    lineage: dict[str, list[Row]] = defaultdict(list)
    for row in marts["lineage"]:
        lineage[row["kpi_id"]].append(row)
    failed = [row for row in marts["sources"] if row["status"] != "passed"]
    return [
        Kpi(
            row,
            areas[row["kpi_id"]],
            lineage[row["kpi_id"]],
            [
                source
                for source in failed
                if source["source"] in {step["load_source"] for step in lineage[row["kpi_id"]]}
            ],
        )
        for row in marts["kpis"]
    ]


def _figure(row: Row) -> Figure:
    return Figure(
        row["period"],
        row["period_end"],
        row["value"],
        row["value_text"],
        row["value_status"],
        row["n"],
        row["lower_bound"],
        row["upper_bound"],
    )
