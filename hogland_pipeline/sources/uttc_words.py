"""The catalogue's printed words, Swedish and English, become codes and numbers."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

STAGES: Final = {"identifierade": "identified", "analyserade": "analysed", "validerade": "validated"}
KINDS: Final = {
    "brutto": "gross",
    "gross": "gross",
    "fotavtryck": "footprint",
    "footprint": "footprint",
    "netto": "net",
    "net": "net",
    "annat": "other",
    "other": "other",
}
CLAIMS: Final = {
    "angiven": "claimed",
    "claimed": "claimed",
    "uppskattad": "estimated",
    "estimated": "estimated",
    "uppmätt": "measured",
    "measured": "measured",
}
# "At least" and a plus sign say nearly "more than"; the vocabulary has no finer word.
QUALIFIERS: Final = {
    "upp till": "up_to",
    "up to": "up_to",
    "up_to": "up_to",
    "cirka": "about",
    "ca": "about",
    "ungefär": "about",
    "omkring": "about",
    "about": "about",
    "mer än": "more_than",
    "över": "more_than",
    "minst": "more_than",
    "more than": "more_than",
    "more_than": "more_than",
    "at least": "more_than",
    ">": "more_than",
}
UNITS: Final = {
    "t co2e/yr": "t CO2e/yr",
    "t co2e/år": "t CO2e/yr",
    "ton co2e per år": "t CO2e/yr",
    "tonnes co2e per year": "t CO2e/yr",
    "t co2/yr": "t CO2/yr",
    "t co2/år": "t CO2/yr",
    "ton co2 per år": "t CO2/yr",
    "tonnes co2 per year": "t CO2/yr",
    "%": "percent",
    "procent": "percent",
    "percent": "percent",
    "per cent": "percent",
    "msek": "MSEK",
    "mkr": "MSEK",
    "miljoner kronor": "MSEK",
    "million sek": "MSEK",
    "h/week": "h/week",
    "h/vecka": "h/week",
    "timme per vecka": "h/week",
    "timmar per vecka": "h/week",
    "hours per week": "h/week",
    "mwh/yr": "MWh/yr",
    "mwh per år": "MWh/yr",
}
QUANTITIES: Final = {
    "minskade utsläpp av växthusgaser": "greenhouse_gas_reduction",
    "underhållsskuld i beläggning": "paving_debt",
    "tid för inspektion": "inspection_time_change",
    "samlastade leveranser": "consolidated_deliveries",
    "årets högsta effekt": "yearly_peak_power_change",
}
_MONTHS: Final = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip

_NUMBER: Final = r"[-+]?\d+(?:[ ]\d{3})*(?:[.,]\d+)*"
_AMOUNT: Final = re.compile(
    rf"^(?:(?:från|from)\s+)?(?P<first>{_NUMBER})(?P<plus>\+)?"
    rf"(?:\s*(?:→|->|till|to)\s*(?P<second>{_NUMBER}))?\s*(?P<rest>.*)$"
)
_ENGLISH_DATE: Final = re.compile(r"^([a-z]+)\.? (\d{1,2}), (\d{4})$")


class UnknownWord(ValueError):
    """A printed word stands for nothing the catalogue's columns can hold."""


@dataclass(frozen=True)
class Amount:
    """A printed amount. ``value`` is as printed; for "from 20 to 1" it is the change, -19. ``unit`` may be
    empty.
    """

    value: float
    unit: str
    qualifier: str | None


def look_up(words: Mapping[str, str], printed: str, what: str) -> str:
    """The code of a printed word. Raises ``UnknownWord``."""
    code = words.get(_key(printed)) or (_key(printed) if _key(printed) in words.values() else None)
    if code is None:
        raise UnknownWord(f"{what} '{printed}' is none of {', '.join(dict.fromkeys(words.values()))}")
    return code


def quantity_code(printed: str) -> str:
    """The id of what an effect is about; one that is new here becomes its own words joined by underscores."""
    ascii_text = unicodedata.normalize("NFKD", _key(printed)).encode("ascii", "ignore").decode()
    return QUANTITIES.get(_key(printed)) or re.sub(r"[^a-z0-9]+", "_", ascii_text).strip("_")


def unit_code(printed: str) -> str:
    """The usual spelling of a unit that ``printed`` begins with; an unknown unit stays as printed."""
    key = _key(printed)
    for words in sorted(UNITS, key=len, reverse=True):
        if key.startswith(words) and not key[len(words) :][:1].isalpha():
            return UNITS[words]
    return " ".join(printed.split())


def read_amount(printed: str) -> Amount | None:
    """A number with its qualifier and unit, or None where the text holds no number in front.

    A space between digits parts thousands; so does a comma or point before exactly three digits, when it
    stands alone ("1,400"); any other comma or point is decimal.
    """
    text, qualifier = _without_qualifier(_key(printed))
    match = _AMOUNT.match(text)
    if match is None:
        return None
    value = _number(match["first"])
    if match["second"] is not None:
        value = _number(match["second"]) - value
    return Amount(
        value,
        unit_code(" ".join(printed.split())[-len(match["rest"]) :]) if match["rest"] else "",
        qualifier or ("more_than" if match["plus"] else None),
    )


def read_date(printed: str) -> date:
    """An English date such as "May 6, 2025", whatever the machine's language. Raises ``UnknownWord``."""
    match = _ENGLISH_DATE.match(_key(printed))
    months = [month for month in _MONTHS if match and len(match[1]) >= 3 and month.startswith(match[1])]
    try:
        if match is None or len(months) != 1:
            raise ValueError
        return date(int(match[3]), _MONTHS.index(months[0]) + 1, int(match[2]))
    except ValueError:
        raise UnknownWord(f"date '{printed}' is no date such as 'May 6, 2025'") from None


def _key(printed: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", printed).replace("−", "-").casefold().split())


def _without_qualifier(text: str) -> tuple[str, str | None]:
    for words, code in QUALIFIERS.items():
        if text.startswith(words) and not text[len(words) :][:1].isalpha():
            return text[len(words) :].lstrip(". "), code
    return text, None


def _number(text: str) -> float:
    digits = text.replace(" ", "")
    if re.fullmatch(r"[-+]?[1-9]\d{0,2}[.,]\d{3}", digits):
        return float(re.sub("[.,]", "", digits))
    *whole, last = re.split("[.,]", digits)
    return float("".join(whole) + "." + last) if whole else float(last)
