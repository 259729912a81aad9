"""The data dictionary: one page of every published table and column, made from the contracts. Swedish first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from hogland_pipeline.columns import Column
from hogland_pipeline.contracts import ALL_ROWS, MartContract, languages
from hogland_pipeline.docs_sites.page import render
from hogland_pipeline.release_tables import Draft, WrittenTable

# House rule: the unit is the end of a column's name. Bounds of a value are in the unit of the value.
UNITS = {
    "cm": "cm",
    "deg": "°",
    "degc": "°C",
    "degree_days": "°C·d",
    "hours": "h",
    "kw": "kW",
    "kwh": "kWh",
    "kwh_per_m2": "kWh/m²",
    "m": "m",
    "mbit_per_s": "Mbit/s",
    "minutes": "min",
    "mm": "mm",
    "mwh": "MWh",
    "pct": "%",
    "share": "0–1",
    "t": "ton",
    "t_per_year": "ton/år",
    "v": "V",
    "w": "W",
}
BOUND = re.compile(r"_(?:lower|upper)_bound$")
DOMAINS = {
    "climate": ("Klimat", "Climate"),
    "digitalisation": ("Digitalisering", "Digitalisation"),
    "operations": ("Drift", "Operations"),
    "twin": ("Tvillingomställning", "Twin transition"),
    "shared": ("Gemensamt", "Shared"),
    "publication": ("Publiceringen", "The publication"),
}


@dataclass(frozen=True)
class ColumnEntry:
    """A row of the dictionary."""

    name: str
    type: str
    unit: str
    swedish: str
    english: str
    is_key: bool
    is_required: bool


@dataclass(frozen=True)
class TableEntry:
    """A table of the dictionary; `has_model` says that dbt docs have a page about it."""

    table: WrittenTable
    domain: str
    swedish: str
    english: str
    owner: str
    version: int
    deprecated_until: str
    key: tuple[str, ...]
    columns: tuple[ColumnEntry, ...]
    has_model: bool
    latest: str
    timeline: str


def dictionary_page(draft: Draft, license_url: str, *, has_site: bool = False) -> str:
    """The page as HTML; links lead to dbt docs, the results of checks and the KPI page beside it."""
    entries = [_entry(draft, table) for table in draft.tables]
    groups = [
        (name, *DOMAINS.get(name, (name, name)), [entry for entry in entries if entry.domain == name])
        for name in sorted({entry.domain for entry in entries}, key=lambda name: (name not in DOMAINS, name))
    ]
    return render("dictionary.j2", draft=draft, groups=groups, license_url=license_url, has_site=has_site)


def unit_of(column: str) -> str:
    """The unit that a column's name ends with, empty without one: `snow_depth_high_cm` → `cm`."""
    name = BOUND.sub("", column)
    ends = (name[match.end() :] for match in re.finditer("_", name))
    return next((UNITS[end] for end in ends if end in UNITS), "")


def _entry(draft: Draft, table: WrittenTable) -> TableEntry:
    contract = draft.contract(table.name)
    swedish, english = _both(contract.description or table.comment or "")
    until = contract.deprecated_until
    return TableEntry(
        table=table,
        domain=contract.domain or "publication",
        swedish=swedish,
        english=english,
        owner=contract.owner or "",
        version=contract.version,
        deprecated_until=until.isoformat() if until else "",
        key=contract.key,
        columns=tuple(_columns(draft, table)),
        has_model=table.name in draft.contracts,
        latest=_latest(table),
        timeline=_timeline(contract) if table.name in draft.contracts else "ingen / none",
    )


def _latest(table: WrittenTable) -> str:
    """Which rows are the latest, in both languages."""
    flag = next((column.name for column in table.columns if column.name in ("is_latest", "is_current")), None)
    if flag:
        return f"rader med {flag} / rows with {flag}"
    return "alla rader: tabellen håller bara det senaste / every row: the table holds the latest only"


def _timeline(contract: MartContract) -> str:
    """Whether the mart can be asked as of an earlier day (docs/publishing.md), in both languages."""
    if contract.timeline_rows is None:
        return "ingen: den vilar på enkätsvar / none: it rests on answers of a survey"
    if contract.timeline_rows == ALL_ROWS:
        return "alla rader / every row"
    return "alla rader utom enkätens / every row but those of the survey"


def _columns(draft: Draft, table: WrittenTable) -> Iterator[ColumnEntry]:
    contract = draft.contract(table.name)
    for column in table.columns:
        swedish, english = _both(column.comment or "")
        yield ColumnEntry(
            column.name,
            column.type.lower(),
            _unit(column),
            swedish,
            english,
            column.name in contract.key,
            column.name in contract.required,
        )


def _unit(column: Column) -> str:
    return "" if column.type in ("VARCHAR", "DATE", "BOOLEAN") else unit_of(column.name)


def _both(description: str) -> tuple[str, str]:
    """Swedish and English; where only one is written, it stands first."""
    texts = dict(languages(description))
    return texts.get("sv", texts["en"]), texts["en"] if "sv" in texts else ""
