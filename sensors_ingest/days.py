"""Local days, and the spans of time a feed is asked for."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

ONE_DAY = timedelta(days=1)


def local_day(day: date, timezone: str) -> tuple[datetime, datetime]:
    """[midnight, next midnight) of a local day: 23, 24 or 25 hours."""
    zone = ZoneInfo(timezone)
    return datetime.combine(day, time.min, zone), datetime.combine(day + ONE_DAY, time.min, zone)


def spans(days: Iterable[date], lookback: int) -> Iterator[tuple[date, date]]:
    """(first day to ask for, day that it lands as): each day itself, and before every run of days ``lookback`` more.

    So late and restated values of the days before come with the first day, and each day is asked for once.
    """
    asked = sorted(set(days))
    for position, day in enumerate(asked):
        is_first = position == 0 or asked[position - 1] != day - ONE_DAY
        yield (day - timedelta(days=lookback) if is_first else day), day
