"""Workbooks as the national emission database exports them, in every shape they drift into."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import xlsxwriter

from hogland_pipeline.sources.emission_database import SECTORS

ABOVE = (["Rapportnamn:", "Länsrapport, 2024-04-18"], ["Emissioner av Koldioxid (CO2)"], ["Enhet: ton/år"], [])
NAMES = [names[-1] for names in SECTORS.values()]
YEARS = ["2021", "2022"]


def write_workbook(
    path: Path,
    *,
    above: Sequence[Sequence[str]] = ABOVE,
    years: Sequence[str] = YEARS,
    between: Sequence[Sequence[str]] = (),
    below: Sequence[Sequence[str]] = (),
    sectors: Sequence[str] = NAMES,
    cells: Mapping[tuple[str, str], Any] | None = None,
    areas: Sequence[tuple[str, str]] = (("Alla", "Alla"), ("Jönköpings län", "Alla"), ("Jönköpings län", "Nässjö")),
    substance: str = "CO2",
) -> Path:
    """9 t of a total and 1 t of every sector; ``cells`` replaces single ones by sector and municipality (last year)."""
    with xlsxwriter.Workbook(path) as workbook:
        sheet = workbook.add_worksheet()
        rows: list[Sequence[Any]] = [*above, ["", "", "", "", *years], *between]
        rows.append(["Huvudsektor", "Undersektor", "Län", "Kommun", *[substance] * len(years)])
        rows += below
        for sector in sectors:
            for county, municipality in areas:
                number = 9.0 if sector == "Alla" else 1.0
                last = (cells or {}).get((sector, municipality), number)
                rows.append([sector, "Alla", county, municipality, *[number] * (len(years) - 1), last])
        rows.append(["Transporter", "Bussar", "Jönköpings län", "Nässjö", *[0.25] * len(years)])
        for index, row in enumerate(rows):
            sheet.write_row(index, 0, [None if cell == "" else cell for cell in row])
    return path
