"""Servers that answer as Kolada v3, PxWeb v2 and the national emission database do."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from tests.servers import Answer, Request


def as_json(content: Any) -> Answer:
    return Answer(200, json.dumps(content, ensure_ascii=False).encode(), {"Content-Type": "application/json"})


@dataclass
class KoladaServer:
    """Metadata by id, groups with their members, and rows; refuses segments of more than 25 ids and pages of more than
    5000 rows.

    ``next_name`` is the field with the next page; ``lost_rows`` are left out of the last page of data though
    they count; ``busy`` answers come first, with 429.
    """

    titles: Mapping[str, str]
    rows: Sequence[Mapping[str, Any]] = ()
    page_size: int = 5000
    next_name: str = "next_url"
    next_origin: str = ""
    lost_rows: int = 0
    busy: int = 0
    published: str = "2025-10-15"
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    def __call__(self, request: Request) -> Answer:
        self.requests.append(request)
        if self.busy:
            self.busy -= 1
            return Answer(429, b"", {"Retry-After": "0"})
        segments = request.path.strip("/").split("/")
        if any(len(segment.split(",")) > 25 for segment in segments) or int(request.query["per_page"]) > 5000:
            return Answer(400, b'{"message": "too many"}')
        if segments[:2] == ["v3", "kpi"]:
            asked = segments[2].split(",")
            return self._page(request, [self._metadata(kpi) for kpi in asked if kpi in self.titles])
        if segments[:2] == ["v3", "municipality_groups"]:
            listed = [group for group in segments[2].split(",") if group in self.groups]
            return self._page(request, [kolada_group(group, self.groups[group]) for group in listed])
        _, kind, _, kpis, area_kind, areas, _, years = segments
        assert (kind, area_kind) in {("data", "municipality"), ("oudata", "ou")}
        chosen = [
            row
            for row in self.rows
            if area_kind in row
            and row["kpi"] in kpis.split(",")
            and row[area_kind] in areas.split(",")
            and str(row["period"]) in years.split(",")
        ]
        return self._page(request, chosen)

    def _metadata(self, kpi: str) -> dict[str, Any]:
        return {
            "id": kpi,
            "title": self.titles[kpi],
            "description": f"Om {kpi}.",
            "is_divided_by_gender": 0,
            "municipality_type": "K",
            "has_ou_data": False,
            "publication_date": self.published,
        }

    def _page(self, request: Request, rows: Sequence[Mapping[str, Any]]) -> Answer:
        number = int(request.query.get("page", "1"))
        page = rows[(number - 1) * self.page_size : number * self.page_size]
        following = None
        if number * self.page_size < len(rows):
            origin = self.next_origin or f"http://{request.headers['Host']}"
            following = f"{origin}{request.path}?page={number + 1}&per_page={request.query['per_page']}"
        elif self.lost_rows and not request.path.startswith("/v3/kpi/"):
            page = page[: -self.lost_rows]
        return as_json({"count": len(rows), "previous_url": None, self.next_name: following, "values": list(page)})


def kolada_row(kpi: str, area: str, period: int, value: float | None = 1.0, **given: Any) -> dict[str, Any]:
    """One row of data, for a municipality or group, total only."""
    figure = {"gender": "T", "count": 1, "status": "", "value": value, "isdeleted": False} | given
    return {"kpi": kpi, "municipality": area, "period": period, "values": [figure]}


def kolada_group(group: str, members: Sequence[str]) -> dict[str, Any]:
    """A group of municipalities with its members."""
    listed = [{"member_id": code, "member_title": f"Kommun {code}"} for code in members]
    return {"id": group, "title": f"Liknande kommuner {group}", "members": listed}


@dataclass
class PxWebServer:
    """One ``table``; a call without a selection gets the default subset, as the real ones do.

    ``symbols`` are cells without a number, by (region, contents, period).
    """

    regions: Sequence[str] = ("00", "06", "0604", "0682", "0684", "0685", "0686")
    contents: Mapping[str, str] = field(default_factory=lambda: {"C1": "antal"})
    periods: Sequence[str] = ("2022", "2023", "2024")
    symbols: Mapping[tuple[str, str, str], str | None] = field(default_factory=dict)
    cell_limit: int = 150_000
    ignores_selection: bool = False
    lost_values: int = 0
    updated: str = "2025-02-21T07:00:00Z"
    table: str = "TAB1"
    requests: list[Request] = field(default_factory=list)

    def __call__(self, request: Request) -> Answer:
        self.requests.append(request)
        variables = {"Region": list(self.regions), "ContentsCode": list(self.contents), "Tid": list(self.periods)}
        if request.path.endswith(f"/tables/{self.table}/metadata"):
            return as_json(self._cube(variables, []))
        if not request.path.endswith(f"/tables/{self.table}/data"):
            return Answer(404, b'{"title": "Non-existent table"}')
        if self.ignores_selection:
            return as_json(self.answer(variables | {"Tid": [self.periods[-1]]}))
        chosen = {
            name: request.query[f"valueCodes[{name}]"].split(",")
            if f"valueCodes[{name}]" in request.query
            else codes[-1:]
            for name, codes in variables.items()
        }
        if math.prod(map(len, chosen.values())) > self.cell_limit:
            return Answer(403, b'{"title": "Too many cells selected"}')
        return as_json(self.answer(chosen))

    def answer(self, chosen: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        cells = list(product(*chosen.values()))
        values = [None if cell in self.symbols else float(index + 1) for index, cell in enumerate(cells)]
        status = {str(index): self.symbols[cell] for index, cell in enumerate(cells) if self.symbols.get(cell)}
        return self._cube(chosen, values[: len(values) - self.lost_values]) | ({"status": status} if status else {})

    def _cube(self, chosen: Mapping[str, Sequence[str]], values: Sequence[float | None]) -> dict[str, Any]:
        dimension: dict[str, Any] = {
            name: {"label": name, "category": {"index": {code: place for place, code in enumerate(codes)}}}
            for name, codes in chosen.items()
        }
        units = {code: {"base": unit, "decimals": 0} for code, unit in self.contents.items()}
        dimension["ContentsCode"]["category"]["unit"] = units
        return {
            "version": "2.0",
            "class": "dataset",
            "label": self.table,
            "updated": self.updated,
            "id": list(chosen),
            "size": [len(codes) for codes in chosen.values()],
            "role": {"time": ["Tid"], "geo": ["Region"], "metric": ["ContentsCode"]},
            "dimension": dimension,
            "value": list(values),
        }
