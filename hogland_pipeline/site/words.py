"""Words, numbers and dates of one language: what every page says, and how it writes a figure."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

TEXTS = Path(__file__).parent / "texts"
LANGUAGES = ("sv", "en")
NARROW_SPACE, NO_BREAK_SPACE, MINUS, DASH = "\u202f", "\u00a0", "\u2212", "\u2013"
# Decimals of a unit where its size does not say: a whole ton, a tenth of a per cent, two digits of a ratio.
DECIMALS = {
    "t CO2e": 0,
    "t CO2e/year": 0,
    "t CO2e/inh": 1,
    "MWh/inh": 1,
    "%": 1,
    "%/year": 1,
    "ratio": 2,
    "ratio+state": 2,
    "count": 0,
    "days": 0,
    "years": 0,
    "0-100": 0,
    "cars/point": 1,
    "m/inh": 1,
    "cm": 0,
    "degC": 1,
    "percent": 0,
}


@cache
def in_both_languages(group: str) -> Mapping[str, str]:
    """``Validerad / Validated`` by the code of the data; empty where the texts have no such group."""
    swedish, english = (
        tomllib.loads((TEXTS / f"{language}.toml").read_text(encoding="utf-8")).get(group, {}) for language in LANGUAGES
    )
    pairs = {code: (_capital(words), _capital(english[code])) for code, words in swedish.items()}
    return {code: " / ".join(dict.fromkeys(pair)) for code, pair in pairs.items()}


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


@dataclass(frozen=True)
class Words:
    """One language. ``texts`` is its TOML file; times are written in ``timezone``."""

    language: str
    texts: Mapping[str, Any]
    timezone: ZoneInfo

    @classmethod
    def read(cls, language: str, timezone: ZoneInfo) -> Words:
        """The words of ``texts/<language>.toml``."""
        return cls(language, tomllib.loads((TEXTS / f"{language}.toml").read_text(encoding="utf-8")), timezone)

    def of(self, group: str, key: str | None) -> str:
        """What a word of the data is called (``of('direction', 'lower')``); the word itself where nobody has said."""
        if key is None:
            return DASH
        return cast(str, self.texts[group].get(key, key.replace("_", " ")))

    def own(self, row: Mapping[str, Any], name: str) -> str:
        """``name_sv`` or ``name_en`` of a row."""
        return cast(str, row[f"{name}_{self.language}"])

    def number(self, value: float | None, unit: str = "", decimals: int | None = None) -> str:
        """``108 543`` and ``−1,4`` in Swedish; a dash where there is no value."""
        if value is None:
            return DASH
        if decimals is None:
            decimals = DECIMALS.get(unit, 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2)
        text = f"{abs(value):,.{decimals}f}"
        sign = MINUS if value < 0 and float(text.replace(",", "")) != 0 else ""
        return self.separated(sign + text.replace(",", NARROW_SPACE).replace(".", ","))

    def separated(self, number: str) -> str:
        """A number of narrow spaces and a comma, with the separators of the language."""
        return number if self.language == "sv" else number.replace(",", ".").replace(NARROW_SPACE, ",")

    def change(self, value: float, unit: str = "") -> str:
        """A number with its sign, also where it rose."""
        text = self.number(value, unit)
        return text if value <= 0 or text.strip("0,.") == "" else f"+{text}"

    def interval(self, lower: float, upper: float, unit: str = "", decimals: int | None = None) -> str:
        """``8,5–31,3``."""
        return f"{self.number(lower, unit, decimals)}{DASH}{self.number(upper, unit, decimals)}"

    def share(self, value: float | None) -> str:
        """A share (0–1) as per cent."""
        return DASH if value is None else f"{self.number(100 * value, '%')}{self.texts['percent']}"

    def unit(self, unit: str | None) -> str:
        """The unit in words; nothing for a date, which needs none."""
        return cast(str, self.texts["units"].get(unit, unit or ""))

    def date(self, day: date | None, *, short: bool = False) -> str:
        """``23 november 2026``, or ``23 nov 2026``; of a moment the local day."""
        if day is None:
            return DASH
        if isinstance(day, datetime):
            day = day.astimezone(self.timezone).date()
        month = self.texts["months"][day.month - 1]
        return f"{day.day}{NO_BREAK_SPACE}{month[:3] if short else month} {day.year}"

    def month(self, day: str) -> str:
        """The month of an ISO date: ``mar 2058``."""
        return f"{self.texts['months'][int(day[5:7]) - 1][:3]} {day[:4]}"

    def moment(self, moment: datetime | None) -> str:
        """``23 november 2026 kl. 04.08``, local time."""
        if moment is None:
            return cast(str, self.texts["never"])
        return f"{self.date(moment, short=True)} {moment.astimezone(self.timezone):{self.texts['clock']}}"

    def period(self, period: str) -> str:
        """A period of the data in words: a year, years, a winter, a month or a day; other texts as they are."""
        if found := re.fullmatch(r"(\d{4})-(\d{2})-(\d{2})", period):
            return self.date(date(*map(int, found.groups())), short=True)
        if (found := re.fullmatch(r"(\d{4})-(\d{2})", period)) and 1 <= int(found[2]) <= 12:
            return f"{self.texts['months'][int(found[2]) - 1]} {found[1]}"
        if found := re.fullmatch(r"(\d{4})/(\d{4})", period):
            return f"{self.texts['winter']} {found[1]}/{found[2][2:]}"
        return re.sub(r"(?<=\d)-(?=\d{4}$)", DASH, period)
