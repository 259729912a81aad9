"""Makes ``samples/survey``: a Microsoft Forms export of 41 invented people. The same bytes every time.

    python samples/make_survey_sample.py [folder]

The totals of Q5 and Q6 are the published ones of the 2024–25 survey; everything else is made up (see
samples/README.md).
"""

import random
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import xlsxwriter

FILE_NAME: Final = "AI-mognad chefer 2024-25(1-41).xlsx"
RESPONSES: Final = {"Nässjö": 14, "Vetlanda": 12, "Eksjö": 6, "Sävsjö": 5, "Aneby": 4}
TECH_DIRECTION: Final = {"Ja": 13, "Nej": 27, "Vet ej": 1}  # published
AI_STRATEGY: Final = {"Ja": 7, "Nej": 34}  # published
ROLES: Final = {"Enhetschef": 24, "Verksamhetschef": 11, "Förvaltningschef": 5, "Annan roll": 1}
DATA_STRATEGY: Final = {"Ja": 9, "Nej": 25, "Vet ej": 7}
CROSS_FUNCTIONAL: Final = {"Ja": 15, "Nej": 21, "Vet ej": 5}
TRAINING: Final = {"Ja": 11, "Nej": 28, "Vet ej": 2}
READINESS: Final = {
    "Instämmer inte alls": 4,
    "Instämmer i liten grad": 11,
    "Varken eller": 13,
    "Instämmer i hög grad": 10,
    "Instämmer helt": 3,
}
USES: Final = ["Texter, sammanfattningar och översättning", "Analys och prognoser", "Service till invånare"]
OBSTACLES: Final = [
    "Tid; det blir aldrig av.",
    "Vi vet inte vem som äger frågan.\nFråga gärna igen!",
    'Osäkerhet kring "vad man får göra", och juridik',
]
HEADERS: Final = [
    "ID",
    "Starttid",
    "Slutförandetid",
    "E-post",
    "Namn",
    "Senast ändrad",
    "I vilken kommun arbetar du?",
    "Vilken är din roll?",
    "Har din verksamhet en framtagen riktning för arbetet med ny teknik?",
    "Har din verksamhet en uttalad strategi för AI?",
    "Var används AI i din verksamhet i dag? (flera svar möjliga)",
    "Finns det en strategi för data,\ninsamling, kvalitet och delning?",
    "Utforskar ni ny teknik tvärs över verksamheter?",
    "Har medarbetarna fått utbildning i AI?",
    "Jag är redo att leda arbetet med AI",
    "Vilket är det största hindret, med egna ord?",
]
FIRST_NAMES: Final = [
    "Alvina",
    "Birk",
    "Cornelis",
    "Dagny",
    "Eskil",
    "Frideborg",
    "Gillis",
    "Hillevi",
    "Ingemo",
    "Jerker",
]
LAST_NAMES: Final = ["Påhittsson", "Exempelgren", "Provlund", "Testberg", "Låtsasman"]
FIRST_START: Final = datetime(2024, 11, 18, 8, 5)  # noqa: DTZ001 - Excel knows no time zones


def main(folder: Path) -> None:
    """Write the workbook into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    with xlsxwriter.Workbook(folder / FILE_NAME) as workbook:
        workbook.set_properties({"created": FIRST_START, "author": ""})
        time_format = workbook.add_format({"num_format": "m/d/yy h:mm:ss"})
        sheet = workbook.add_worksheet("Sheet1")
        sheet.write_row(0, 0, HEADERS)
        for row, response in enumerate(make_responses(), start=1):
            for column, value in enumerate(response):
                if isinstance(value, datetime):
                    sheet.write_datetime(row, column, value, time_format)
                elif value != "":
                    sheet.write(row, column, value)


def make_responses() -> list[list[int | str | datetime]]:
    """41 responses, in the order of ``HEADERS``."""
    dice = random.Random(41)  # noqa: S311 - reproducible, not secret
    answers = (TECH_DIRECTION, AI_STRATEGY, DATA_STRATEGY, CROSS_FUNCTIONAL, TRAINING, READINESS)
    columns = [_shuffled(dice, counts) for counts in (RESPONSES, ROLES, *answers)]
    return [_response(dice, number, *answers) for number, answers in enumerate(zip(*columns, strict=True), start=1)]


def _response(dice: random.Random, number: int, *answers: str) -> list[int | str | datetime]:
    municipality, role, direction, strategy, data, cross_functional, training, readiness = answers
    start = FIRST_START + timedelta(hours=5 * number, seconds=dice.randrange(3600))
    completed = start + timedelta(seconds=dice.randrange(240, 1500))
    first, last = FIRST_NAMES[(number - 1) % len(FIRST_NAMES)], LAST_NAMES[(number - 1) // len(FIRST_NAMES)]
    is_anonymous = number % 9 == 0
    address = f"{first}.{last}@example.org".lower().replace("å", "a")
    uses = "".join(f"{use};" for use in USES if dice.random() < 0.3) or "Används inte;"
    if number == 17:
        uses += "Schemaläggning i hemtjänsten;"  # typed into "Annat"
    return [
        number,
        start,
        completed,
        "anonymous" if is_anonymous else address,
        "" if is_anonymous else f"{first} {last}",
        completed + timedelta(days=1) if number == 23 else "",
        municipality,
        role,
        direction,
        strategy,
        uses,
        data,
        cross_functional,
        training,
        readiness,
        dice.choice(OBSTACLES) if dice.random() < 0.4 else "",
    ]


def _shuffled(dice: random.Random, counts: dict[str, int]) -> list[str]:
    values = [value for value, count in counts.items() for _ in range(count)]
    dice.shuffle(values)
    return values


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "survey")
