"""Make the bundled SMHI sample: air temperature and snow depth of Hagshult (74180), autumn 2025 and January
2026.

    python samples/make_smhi_sample.py [FOLDER]

Run by hand; what it writes is committed. The shapes are SMHI's, the values invented: see
``samples/README.md``.
"""

import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

STATION, NAME = 74180, "Hagshult Mo"
LATEST = (datetime(2025, 10, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
ARCHIVE = (datetime(2025, 9, 1, tzinfo=UTC), datetime(2025, 11, 1, tzinfo=UTC))
UPDATED = datetime(2026, 2, 1, 0, 10, tzinfo=UTC)
# The station is silent for half a day; those hours are absent, as SMHI leaves them out.
SILENT = (datetime(2025, 11, 18, 20, tzinfo=UTC), datetime(2025, 11, 19, 8, tzinfo=UTC))
FIRST_SNOW = datetime(2025, 11, 15, tzinfo=UTC)
# Hours of the overlap where latest-months holds an unchecked value that the archive corrects.
CORRECTED = tuple(datetime(2025, 10, day, 4, tzinfo=UTC) for day in (5, 12, 17, 26))
BLANK = tuple(datetime(2025, 9, day, 13, tzinfo=UTC) for day in (9, 10, 21))

# (days since 1 October, degrees)
MEAN_DEGC = (
    (-31, 16), (-10, 13), (0, 11), (20, 8), (35, 4), (50, -1), (70, 2), (92, 1), (95, -3),
    (101, -14), (105, -4), (112, 0), (123, 1),
)  # fmt: skip
SNOW_CM = (
    (-31, 0),
    (45, 0),
    (49, 8),
    (60, 3),
    (70, 0),
    (90, 0),
    (94, 10),
    (100, 30),
    (107, 52),
    (115, 38),
    (123, 14),
)


def between(knots: tuple[tuple[int, int], ...], days: float) -> float:
    """Straight lines between the knots."""
    for (day0, value0), (day1, value1) in pairwise(knots):
        if days <= day1:
            return value0 + (value1 - value0) * (days - day0) / (day1 - day0)
    return float(knots[-1][1])


@dataclass(frozen=True)
class Observation:
    """What the station saw: the checked value, as SMHI writes it."""

    at: datetime
    value: str


def air_temperature() -> list[Observation]:
    """Hourly, one decimal."""
    noise = Random(74180)  # noqa: S311 -- sample data
    observations = []
    for hour in range(int((LATEST[1] - ARCHIVE[0]) / timedelta(hours=1))):
        at = ARCHIVE[0] + timedelta(hours=hour)
        degc = between(MEAN_DEGC, (at - LATEST[0]) / timedelta(days=1))
        degc += 2.5 * math.sin((at.hour - 8) / 24 * 2 * math.pi) + (noise.random() - 0.5) * 0.8
        if not SILENT[0] <= at < SILENT[1]:
            observations.append(Observation(at, f"{degc:.1f}"))
    return observations


def snow_depth() -> list[Observation]:
    """Daily at 06 UTC, in metres. No rows before the first snow nor on weekends: gaps, not zeros."""
    noise = Random(8)  # noqa: S311 -- sample data
    observations = []
    for day in range((LATEST[1] - FIRST_SNOW).days):
        at = FIRST_SNOW + timedelta(days=day, hours=6)
        centimetres = max(0, round(between(SNOW_CM, (at - LATEST[0]) / timedelta(days=1)) + noise.random() - 0.5))
        if at.weekday() < 5:
            observations.append(Observation(at, f"{centimetres / 100:.2f}"))
    # October's only observer note: bare ground, seen three times.
    bare = [datetime(2025, 10, day, 6, tzinfo=UTC) for day in (27, 28, 29)]
    return [Observation(at, "0.00") for at in bare] + observations


PARAMETERS = {
    1: ("Lufttemperatur", "momentanvärde, 1 gång/tim", "celsius", air_temperature),
    8: ("Snödjup", "momentanvärde, 1 gång/dygn, kl 06", "meter", snow_depth),
}


def milliseconds(moment: datetime) -> int:
    """SMHI's time: milliseconds since 1970."""
    return round(moment.timestamp() * 1000)


def latest_value(observation: Observation) -> dict[str, Any]:
    """One entry of ``latest-months``; the values the archive corrects are still unchecked here."""
    is_corrected = observation.at in CORRECTED
    value = f"{float(observation.value) + 1.5:.1f}" if is_corrected else observation.value
    return {"date": milliseconds(observation.at), "value": value, "quality": "Y" if is_corrected else "G"}


def latest_months(parameter: int) -> str:
    """The JSON document."""
    name, summary, unit, observe = PARAMETERS[parameter]
    document = {
        "value": [latest_value(o) for o in observe() if LATEST[0] <= o.at < LATEST[1]],
        "updated": milliseconds(UPDATED),
        "parameter": {"key": str(parameter), "name": name, "summary": summary, "unit": unit},
        "station": {
            "key": str(STATION),
            "name": NAME,
            "owner": "SMHI",
            "ownerCategory": "CLIMATE",
            "height": 2.0,
        },
        "period": {
            "key": "latest-months",
            "from": milliseconds(LATEST[0]),
            "to": milliseconds(LATEST[1]),
            "summary": "Data från senaste fyra månaderna",
            "sampling": "Ej angivet",
        },
        "position": [
            {
                "from": -820454400000,
                "to": milliseconds(UPDATED),
                "height": 169.0,
                "latitude": 57.2924,
                "longitude": 14.1351,
            }
        ],
        "link": [],
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def archive_lines(parameter: int) -> Iterator[str]:
    """The preamble of several blocks, two positions, then rows whose first few carry footnotes in a last
    column.
    """
    name, summary, unit, observe = PARAMETERS[parameter]
    yield "\ufeffStationsnamn;Stationsnummer;Stationsnät;Mäthöjd (meter över marken)"
    yield f"{NAME};{STATION};SMHIs stationsnät;2.0"
    yield ""
    yield "Parameternamn;Beskrivning;Enhet"
    yield f"{name};{summary};{unit}"
    yield ""
    yield (
        "Tidsperiod (fr.o.m);Tidsperiod (t.o.m);Höjd (meter över havet);"
        "Latitud (decimalgrader);Longitud (decimalgrader)"
    )
    yield "1944-01-01 00:00:00;1995-07-31 23:59:59;172.0;57.2900;14.1300"
    yield "1995-08-01 00:00:00;2025-10-31 23:59:59;169.0;57.2924;14.1351"
    yield ""
    yield f"Datum;Tid (UTC);{name};Kvalitet;;Tidsutsnitt:"
    footnotes = iter(
        [
            "Kvalitetskontrollerade historiska data (utom de senaste 3 mån)",
            "Tidsperiod (fr.o.m.) = 2025-09-01 00:00:00 (UTC)",
            "Tidsperiod (t.o.m.) = 2025-10-31 23:59:59 (UTC)",
            "",
            "Kvalitetskoderna:",
            "Grön (G) = Kontrollerade och godkända värden.",
            "Gul (Y) = Misstänkta eller aggregerade värden.",
        ]
    )
    for observation in observe():
        if ARCHIVE[0] <= observation.at < ARCHIVE[1]:
            value = "" if observation.at in BLANK else observation.value
            note = next(footnotes, None)
            yield f"{observation.at:%Y-%m-%d;%H:%M:%S};{value};G" + ("" if note is None else f";;{note}")


def write_station(folder: Path) -> None:
    """Both periods of both parameters, in the tree of the real address."""
    for parameter in PARAMETERS:
        periods = folder / "parameter" / str(parameter) / "station" / str(STATION) / "period"
        archive = "".join(line + "\n" for line in archive_lines(parameter))
        for name, content in (
            ("latest-months/data.json", latest_months(parameter)),
            ("corrected-archive/data.csv", archive),
        ):
            path = periods / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode())


if __name__ == "__main__":
    write_station((Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent) / "smhi")
