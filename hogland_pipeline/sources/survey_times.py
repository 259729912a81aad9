"""When a response was sent in, as platforms print it in two languages, becomes UTC."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

_FORMATS: Final = (
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M:%S",
    "%Y/%m/%d %I:%M:%S %p",
    "%Y/%m/%d %H:%M:%S",
    "%d %m %Y %H:%M:%S",
    "%d %m %Y %H:%M",
)
_MONTHS: Final = ("jan", "feb", "mar", "apr", "maj|may", "jun", "jul", "aug", "sep", "okt|oct", "nov", "dec")
_HALF_DAYS: Final = {"fm": "AM", "em": "PM", "f.m.": "AM", "e.m.": "PM"}
# Google prints the zone of whoever downloads; both names are Sweden's own.
_SWEDISH_ZONE: Final = re.compile(r"\s+(?:CET|CEST|MEZ|MESZ)$", re.IGNORECASE)
_OFFSET: Final = re.compile(r"\s*(?:(?:GMT|UTC)?([+-]\d{1,2})(?::?(\d{2}))?|(GMT|UTC|Z))$")


def utc_text(text: str, formats: Iterable[str], timezone: str) -> str | None:
    """ISO 8601 in UTC, or None for what is no time. Without an offset it is local time of ``timezone``.

    Knows the wave's ``formats`` first, then ISO, Google's "2025/01/14 9:01:00 em CET" and "14 januari 2025 09:01".
    """
    words, zone = _without_zone(_plain(text))
    for pattern in (*formats, *_FORMATS):
        try:
            moment = datetime.strptime(words, pattern).replace(tzinfo=ZoneInfo(timezone))
        except ValueError:
            continue
        if zone:
            moment = datetime.fromisoformat(f"{moment:%Y-%m-%dT%H:%M:%S}{zone}")
        return moment.astimezone(UTC).isoformat()
    return None


def _plain(text: str) -> str:
    words = " ".join(text.replace(" kl. ", " ").replace(" kl ", " ").split())
    words = re.sub(r"\.\d+$", "", words)  # parts of a second
    for number, names in enumerate(_MONTHS, start=1):
        words = re.sub(rf"(?<=\d )(?:{names})[a-zåäö]*\.?(?= \d)", str(number), words, flags=re.IGNORECASE)
    for word, half_day in _HALF_DAYS.items():
        words = re.sub(rf"(?<=\d ){re.escape(word)}(?=\s|$)", half_day, words, flags=re.IGNORECASE)
    return words


def _without_zone(words: str) -> tuple[str, str]:
    """The words before a printed zone, and the zone as ``+01:00`` (empty: the wave's own)."""
    words = _SWEDISH_ZONE.sub("", words)
    match = _OFFSET.search(words) if ":" in words else None
    if match is None:
        return words, ""
    if match[3]:
        return words[: match.start()], "+00:00"
    return words[: match.start()], f"{int(match[1]):+03d}:{match[2] or '00'}"
