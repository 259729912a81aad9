"""The days of the sensor feeds. One partition is one local delivery day, 23 or 25 hours long when the clock changes."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import dagster as dg

from hogland_pipeline.resources import BoundSource
from hogland_pipeline.settings import Settings
from sensors_ingest.deliveries import days_not_landed
from sensors_ingest.http import SourceUnreachable
from sensors_ingest.landing import Landing, LandingDamaged


def feed_days(settings: Settings) -> dg.DailyPartitionsDefinition:
    """Every local day from ``first_day`` to yesterday (the day before ``as_of`` where that is set)."""
    return dg.DailyPartitionsDefinition(
        start_date=datetime.combine(settings.first_day, time()),
        end_date=datetime.combine(settings.as_of, time()) if settings.as_of else None,
        timezone=settings.timezone,
    )


def last_complete_day(settings: Settings, now: datetime | None = None) -> date:
    """Yesterday, local time."""
    today = settings.as_of or (now.astimezone(ZoneInfo(settings.timezone)).date() if now else settings.today())
    return today - timedelta(days=1)


def nightly_range(
    settings: Settings,
    sources: Sequence[BoundSource],
    instance: dg.DagsterInstance,
    now: datetime | None = None,
) -> tuple[str, str]:
    """First and last partition the nightly run asks for: from the first day that some feed has not loaded, or of which
    a file was delivered since, at most ``catch_up_days`` back, to yesterday.

    With nothing missing it is yesterday again, which costs little and changes nothing.
    """
    last = last_complete_day(settings, now)
    first = max(settings.first_day, last - timedelta(days=settings.catch_up_days - 1))
    daily = [bound for bound in sources if bound.is_daily]
    if not daily:  # every feed is pushed
        return last.isoformat(), last.isoformat()
    keys = [dg.AssetKey(["raw", bound.source.name]) for bound in daily]
    loaded = set.intersection(*(set(instance.get_materialized_partitions(key)) for key in keys))
    days = [first + timedelta(days=number) for number in range((last - first).days)]
    late = set[date]().union(*(_late_days(settings, bound, days) for bound in daily))
    missing = (day for day in days if day.isoformat() not in loaded or day in late)
    return next(missing, last).isoformat(), last.isoformat()


def _late_days(settings: Settings, bound: BoundSource, days: Sequence[date]) -> set[date]:
    """Days of files that were put into a drop folder, or written to their end, after their night."""
    try:
        return days_not_landed(Landing(settings.landing_dir), bound.source.name, bound.delivered(), days)
    except (SourceUnreachable, LandingDamaged, OSError):
        return set()  # the run will tell
