"""Makes ``samples/ned``, ``samples/kolada`` and ``samples/scb``. The same content every time.

    python samples/make_indicator_samples.py [folder]

``samples/ned`` holds published emissions, all of them from ``samples/published_emissions.csv``. ``samples/kolada`` has
Kolada's shape, ids and areas, ``samples/scb`` Statistics Sweden's; their values are made up (see samples/README.md).
"""

import csv
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import xlsxwriter

FIGURES: Final = Path(__file__).with_name("published_emissions.csv")
COUNTIES: Final = {"Riket": "Alla", "Jönköpings län": "Jönköpings län"}
WORKBOOK: Final = "Lansrapport CO2 1990-2022.xlsx"
SERIES: Final = {"GGT": ("ghg", "emissions_tonnes_co2e"), "CO2": ("co2", "emissions_tonnes_co2")}

MUNICIPALITIES: Final = {"0604": 6_750, "0682": 31_600, "0684": 11_600, "0685": 27_500, "0686": 17_700}
# The rest of the county, so that there is somebody to be compared with.
NEIGHBOURS: Final = {
    "0617": 9_300, "0642": 7_400, "0643": 12_900, "0662": 29_300, "0665": 14_900, "0680": 145_000, "0683": 34_800,
    "0687": 18_900,
}  # fmt: skip
NAMES: Final = {
    "0604": "Aneby", "0682": "Nässjö", "0684": "Sävsjö", "0685": "Vetlanda", "0686": "Eksjö", "0617": "Gnosjö",
    "0642": "Mullsjö", "0643": "Habo", "0662": "Gislaved", "0665": "Vaggeryd", "0680": "Jönköping", "0683": "Värnamo",
    "0687": "Tranås",
}  # fmt: skip
SIMILAR: Final = {"G37328": "0604", "G37357": "0686", "G37487": "0682", "G37538": "0684", "G37577": "0685"}
SIMILAR_MEMBERS: Final = 7
HOGLANDET: Final = "G168177"
COUNTRY: Final = "0000"
PAGE_SIZE: Final = 1000
API: Final = "https://api.kolada.se/v3"
SCB_TABLE: Final = "TAB3138"
SCB_REGIONS: Final = {"00": "Riket", "06": "Jönköpings län"}
SCB_YEARS: Final = range(2010, 2024)
SCB_CONTENTS: Final = {
    "NR0105AH": ("BRP, löpande priser, mnkr", "mnkr", 0),
    "NR0105AI": ("BRP, volymutveckling i procent", "procent", 1),
}


@dataclass(frozen=True)
class Kpi:
    """A key figure: its Kolada id and title, the level and yearly change of its invented values, and its years."""

    id: str
    title: str
    level: float
    change: float
    first_year: int = 2019
    last_year: int = 2024
    decimals: int = 1
    ceiling: float | None = None
    by_gender: bool = False
    every: int = 1


KPIS: Final = (
    Kpi("N01951", "Invånare totalt, antal", 1, 0.002, first_year=2010, decimals=0, by_gender=True),
    Kpi("N03702", "Bruttoregionalprodukt (BRP), kr/inv", 390_000, 0.035, first_year=2010, last_year=2023, decimals=0),
    Kpi("N00401", "Utsläpp till luft av växthusgaser totalt, ton CO2-ekv/inv", 4.6, -0.02, decimals=2),
    Kpi("N85533", "Utsläpp till luft av växthusgaser, transporter, ton CO2-ekv", 1.6, -0.03, decimals=0),
    Kpi("N85532", "Utsläpp till luft av växthusgaser, egen uppvärmning, ton CO2-ekv", 0.06, -0.05, decimals=0),
    Kpi("N85536", "Utsläpp till luft av växthusgaser, el och fjärrvärme, ton CO2-ekv", 0.2, -0.03, decimals=0),
    Kpi("N45905", "Slutlig energianvändning inom det geografiska området, MWh/inv", 34, -0.01),
    Kpi("N45909", "Slutlig användning av icke-förnybara bränslen inom det geografiska området, MWh/inv", 9, -0.03),
    Kpi("N45930", "Fjärrvärmeproduktion av förnybara energikällor, andel (%)", 97, 0.002, ceiling=100),
    Kpi("N45925", "Elproduktion av förnybara energikällor, andel (%)", 98, 0.001, ceiling=100),
    Kpi("N45970", "Installerad effekt solceller, MW", 0.000_55, 0.35, decimals=2),
    Kpi("N07945", "Elbilar i trafik, andel (%)", 2.2, 0.45, decimals=2),
    Kpi("N07713", "Laddbara fordon per laddpunkt, antal", 11, 0.05),
    Kpi("N07806", "Cykelväg totalt, meter/inv", 3.4, 0.01, decimals=2),
    Kpi("U00502", "Fossiloberoende fordon i kommunorganisationen, andel (%)", 38, 0.06, ceiling=100),
    Kpi("N07918", "Tillgång till eller i absoluta närheten av 1 Gbit/s, andel (%)", 88, 0.02, ceiling=100),
    Kpi("N90002", "Hastighet nedströms enligt Bredbandskollen, Mbit/s", 150, 0.08),
    Kpi(
        "U21340",
        "Välfärdsteknik: digitala trygghetslarm i ordinärt boende, skala 0-2",
        1.4,
        0.04,
        ceiling=2,
        decimals=0,
    ),
    Kpi("U21345", "Välfärdsteknik: digital tillsyn i ordinärt boende, skala 0-2", 1.1, 0.06, ceiling=2, decimals=0),
    Kpi(
        "U21346",
        "Välfärdsteknik: digitala trygghetslarm i särskilt boende, skala 0-2",
        1.2,
        0.05,
        ceiling=2,
        decimals=0,
    ),
    Kpi("U21347", "Välfärdsteknik: digital tillsyn i särskilt boende, skala 0-2", 0.9, 0.08, ceiling=2, decimals=0),
    Kpi("U21348", "Välfärdsteknik: läkemedelsautomater, skala 0-2", 1.0, 0.1, ceiling=2, decimals=0),
    Kpi("U21349", "Välfärdsteknik: planering med digitala verktyg, skala 0-2", 1.6, 0.02, ceiling=2, decimals=0),
    Kpi(
        "N00601", "Medborgarundersökningen - Snöröjningen av gator och vägar, andel (%)", 62, 0, by_gender=True, every=2
    ),
    Kpi("U01601", "Medborgarundersökningen - Snöröjningen av gator och vägar, felmarginal (%)", 5, 0, every=2),
)
# Totals for a municipality, made per inhabitant.
COUNTS: Final = ("N01951", "N85533", "N85532", "N85536", "N45970")
# What has no value, and why: status as Kolada says it. None of these is 0.
STATUSES: Final = {
    ("N45905", "0604", 2021): "Private",
    ("N45905", "0604", 2022): "Private",
    ("N45909", "0604", 2022): "Private",
    ("N07713", "0684", 2019): "Missing",
    ("N90002", "0604", 2019): "Missing",
    ("U21349", "0685", 2020): "Missing",
}
DELETED: Final = {("N07806", "0686", 2019)}


def main(folder: Path) -> None:
    """Write both samples below ``folder``."""
    figures = list(csv.DictReader(FIGURES.read_text(encoding="utf-8").splitlines()))
    (folder / "ned").mkdir(parents=True, exist_ok=True)
    (folder / "kolada").mkdir(parents=True, exist_ok=True)
    totals = [row for row in figures if not row["sector"]]
    for vintage, substance in sorted({(row["vintage"], row["substance"]) for row in totals}):
        chosen = [row for row in totals if (row["vintage"], row["substance"]) == (vintage, substance)]
        _write_series(folder / "ned", vintage, substance, chosen)
    _write_workbook(folder / "ned" / WORKBOOK, [row for row in figures if row["sector"]])
    _write_json(folder / "kolada" / "kpi.json", _page([_metadata(kpi) for kpi in KPIS], len(KPIS), None))
    groups = [_group(HOGLANDET, "Höglandskommunerna", MUNICIPALITIES)]
    groups += [
        _group(group, f"Liknande kommuner, övergripande, {NAMES[code]}, 2025", similar_to(code))
        for group, code in SIMILAR.items()
    ]
    _write_json(folder / "kolada" / "municipality_groups.json", _page(groups, len(groups), None))
    rows = [row for kpi in KPIS for row in _data_rows(kpi)]
    for number, start in enumerate(range(0, len(rows), PAGE_SIZE), start=1):
        following = f"{API}/data/kpi?page={number + 1}&per_page={PAGE_SIZE}" if start + PAGE_SIZE < len(rows) else None
        page = _page(rows[start : start + PAGE_SIZE], len(rows), following)
        _write_json(folder / "kolada" / f"data-{number}.json", page)
    (folder / "scb").mkdir(parents=True, exist_ok=True)
    _write_json(folder / "scb" / f"{SCB_TABLE}-1.json", _regional_accounts())


def _years(row: dict[str, str]) -> list[tuple[str, str]]:
    return [(column, value) for column, value in row.items() if column.isdigit() and value]


def _write_series(folder: Path, vintage: str, substance: str, rows: list[dict[str, str]]) -> None:
    name, column = SERIES[substance]
    with (folder / f"{name}_{vintage}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["municipality", "county", "year", column])
        for row in rows:
            county = "" if row["area"] == "Riket" else "Jönköpings län"
            writer.writerows([row["area"], county, year, value] for year, value in _years(row))


def _write_workbook(path: Path, rows: list[dict[str, str]]) -> None:
    """As the database exports it: title, unit, years, and a second header row with names and the substance."""
    years = [year for year, _ in _years(rows[0])]
    with xlsxwriter.Workbook(path) as workbook:
        workbook.set_properties({"created": datetime(2024, 4, 18), "author": ""})  # noqa: DTZ001 - Excel has no zone
        sheet = workbook.add_worksheet("Koldioxid (CO2)")
        sheet.write_row(0, 0, ["Rapportnamn:", "Länsrapport, 2024-04-18"])
        sheet.write(1, 0, "Emissioner av Koldioxid (CO2)")
        sheet.write(2, 0, "Enhet: ton/år")
        sheet.write_row(4, 4, years)
        sheet.write_row(5, 0, ["Huvudsektor", "Undersektor", "Län", "Kommun", *["CO2"] * len(years)])
        for index, row in enumerate(rows, start=6):
            county = COUNTIES.get(row["area"], "Jönköpings län")
            municipality = "Alla" if row["area"] in COUNTIES else row["area"]
            sheet.write_row(index, 0, [row["sector"], row["subsector"], county, municipality])
            sheet.write_row(index, 4, [float(value) for _, value in _years(row)])


def _metadata(kpi: Kpi) -> dict[str, Any]:
    return {
        "id": kpi.id,
        "title": kpi.title,
        "description": f"Beskrivning av {kpi.id} (påhittad i detta exempel).",
        "is_divided_by_gender": int(kpi.by_gender),
        "municipality_type": "K",
        "operating_area": "Miljö" if kpi.id.startswith("N") else "Digitalisering",
        "auspices": "X",
        "perspective": "Övrigt",
        "has_ou_data": False,
        "publ_period": str(kpi.last_year),
        "publication_date": f"{kpi.last_year + 1}-10-15",
        "prel_publication_date": None,
        "ou_publication_date": None,
    }


def similar_to(code: str) -> list[str]:
    """Made up: some of the other municipalities of the county. A municipality is no member of its own group."""
    others = [other for other in (*MUNICIPALITIES, *NEIGHBOURS) if other != code]
    return sorted(others, key=lambda other: _chance("similar", code, other))[:SIMILAR_MEMBERS]


def _group(group: str, title: str, members: Iterable[str]) -> dict[str, Any]:
    listed = [{"member_id": code, "member_title": NAMES[code]} for code in sorted(members)]
    return {"id": group, "title": title, "members": listed}


def _data_rows(kpi: Kpi) -> Iterator[dict[str, Any]]:
    memberships = {HOGLANDET: list(MUNICIPALITIES)} | {group: similar_to(code) for group, code in SIMILAR.items()}
    for year in range(kpi.last_year, kpi.first_year - 1, -kpi.every):
        own = {area: _invented(kpi, area, year) for area in (*MUNICIPALITIES, *NEIGHBOURS)}
        empty = {area for kpi_id, area, of_year in {*STATUSES, *DELETED} if (kpi_id, of_year) == (kpi.id, year)}
        known = {area: value for area, value in own.items() if area not in empty}
        groups = {group: _mean(known, members, kpi) for group, members in memberships.items()}
        for area, value in {COUNTRY: _invented(kpi, COUNTRY, year), **own, **groups}.items():
            yield {
                "kpi": kpi.id,
                "municipality": area,
                "period": year,
                "values": [_value(kpi, area, year, gender, value) for gender in ("TKM" if kpi.by_gender else "T")],
            }


def _mean(known: dict[str, float], members: list[str], kpi: Kpi) -> float:
    """Unweighted, of the members that have a value, as Kolada's groups are."""
    values = [known[code] for code in members if code in known]
    return round(sum(values) / len(values), max(kpi.decimals, 1))


def _value(kpi: Kpi, area: str, year: int, gender: str, value: float) -> dict[str, Any]:
    status = STATUSES.get((kpi.id, area, year), "")
    share = {"T": 1.0, "K": 0.49, "M": 0.51}[gender] if kpi.id in COUNTS else {"T": 1.0, "K": 1.02, "M": 0.98}[gender]
    number = round(value * share, max(kpi.decimals, 1) if area[0] == "G" else kpi.decimals)
    return {
        "gender": gender,
        "count": 1 if area[0] != "G" else 5 if area == HOGLANDET else SIMILAR_MEMBERS,
        "status": status,
        "value": None if status else number,
        "isdeleted": (kpi.id, area, year) in DELETED,
    }


def _invented(kpi: Kpi, area: str, year: int) -> float:
    """A level that differs by area, a steady change by year and a small wobble; the same in every run."""
    size = (MUNICIPALITIES | NEIGHBOURS).get(area, 10_500_000) if kpi.id in COUNTS else 1
    place = 1 if kpi.id == "N01951" else 0.85 + 0.3 * _chance(kpi.id, area)
    wobble = 1 + (0.004 if kpi.id in COUNTS else 0.02) * (_chance(kpi.id, area, str(year)) - 0.5)
    value = kpi.level * size * place * wobble * (1 + kpi.change) ** (year - 2022)
    return round(value if kpi.ceiling is None else min(value, kpi.ceiling), kpi.decimals)


def _regional_accounts() -> dict[str, Any]:
    """JSON-stat 2.0 as the API sends it: gross regional product in current prices, and its change in volume."""
    contents = {code: text for code, (text, _, _) in SCB_CONTENTS.items()}
    names = {"Region": SCB_REGIONS, "ContentsCode": contents, "Tid": {str(year): str(year) for year in SCB_YEARS}}
    labels = {"Region": "region", "ContentsCode": "tabellinnehåll", "Tid": "år"}
    dimension: dict[str, Any] = {
        name: {
            "label": labels[name],
            "category": {"index": {code: place for place, code in enumerate(codes)}, "label": codes},
        }
        for name, codes in names.items()
    }
    units = {code: {"base": unit, "decimals": decimals} for code, (_, unit, decimals) in SCB_CONTENTS.items()}
    dimension["ContentsCode"]["category"]["unit"] = units
    return {
        "version": "2.0",
        "class": "dataset",
        "label": "Bruttoregionprodukt (BRP), sysselsatta och löner (ENS2010) efter region (NUTS1-3), påhittade värden",
        "source": "SCB",
        "updated": "2024-12-12T07:00:00Z",
        "role": {"time": ["Tid"], "geo": ["Region"], "metric": ["ContentsCode"]},
        "id": list(names),
        "size": [len(codes) for codes in names.values()],
        "dimension": dimension,
        "value": [*_invented_accounts("00", 3_600_000), *_invented_accounts("06", 113_000)],
    }


def _invented_accounts(region: str, amount: float) -> list[float]:
    """Amounts of the years, then the changes in volume that lead from one to the next with the changes in price."""
    volumes = [round(1.9 + 3.2 * (_chance("volume", region, str(year)) - 0.5), 1) for year in SCB_YEARS]
    amounts = [amount]
    for year, volume in list(zip(SCB_YEARS, volumes, strict=True))[1:]:
        price = 1.6 + 1.2 * _chance("price", str(year)) + (3.5 if year == 2022 else 0)
        amounts.append(amounts[-1] * (1 + volume / 100) * (1 + price / 100))
    return [*map(round, amounts), *volumes]


def _chance(*words: str) -> float:
    """A number in [0, 1) that depends on the words and nothing else."""
    return int.from_bytes(hashlib.sha256("/".join(words).encode()).digest()[:4], "big") / 2**32


def _page(values: list[dict[str, Any]], count: int, following: str | None) -> dict[str, Any]:
    return {"count": count, "previous_url": None, "next_url": following, "values": values}


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
