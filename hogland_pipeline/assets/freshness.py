"""When a feed is fresh, told in two ways, since it can fail in two.

The policy speaks of loads: a night that did not run, a source that could not be fetched or whose gate was closed. The
daemon evaluates it, so it fails without any run. The check speaks of data: the night was fine, what it brought is old.
"""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import dagster as dg

from hogland_pipeline.resources import BoundSource
from hogland_pipeline.settings import Settings
from hogland_pipeline.warehouse import Warehouse

FRESH_DATA_CHECK = "feed_has_fresh_data"
# A town's gateway may be offline for half a day and bring its uplinks later; a feed of several towns is not for a day.
OLDEST_DATA = timedelta(hours=24)
# A night begins at 02:00 and takes minutes; the next one may be late by six hours.
WARN_WINDOW, FAIL_WINDOW = timedelta(hours=25), timedelta(hours=30)


def _is_feed(bound: BoundSource) -> bool:
    """Whether sensors send every day, fetched or pushed to us; files that people deliver come when they come."""
    return bound.is_daily or bound.is_pushed


def freshness_policy(bound: BoundSource) -> dg.FreshnessPolicy | None:
    """A feed is loaded every night."""
    if not _is_feed(bound):
        return None
    return dg.FreshnessPolicy.time_window(fail_window=FAIL_WINDOW, warn_window=WARN_WINDOW)


def fresh_data_spec(bound: BoundSource, asset: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """The check of the data, for feeds."""
    if not _is_feed(bound):
        return []
    return [
        dg.AssetCheckSpec(
            name=FRESH_DATA_CHECK,
            asset=asset,
            description=f"The newest observation is at most {OLDEST_DATA / timedelta(hours=1):.0f} hours old.",
            metadata={"severity": "error", "scope": "table", "threshold_reason": "Longer than a gateway is offline."},
        )
    ]


def fresh_data_result(
    settings: Settings, warehouse: Warehouse, bound: BoundSource, asset: dg.AssetKey
) -> list[dg.AssetCheckResult]:
    """The age of the newest observation at the end of the last complete day; no observation at all is not fresh.

    A pushed feed that begins or comes back today is fresh at once.
    """
    if not _is_feed(bound):
        return []
    with warehouse.read() as connection:
        midnight = datetime.combine(settings.today(), time(), ZoneInfo(settings.timezone))
        # What came after a day of the past says nothing of that day, and a time to come nothing at all.
        until = midnight if settings.as_of else datetime.now(UTC)
        row = connection.execute(
            "SELECT max(observed_at) FROM raw.sensor_reading WHERE feed = ? AND observed_at < ?",
            [bound.source.name, until],
        ).fetchone()
    newest = row[0] if row else None
    age = max(midnight - newest, timedelta()) if newest is not None else None
    metadata: dict[str, dg.MetadataValue] = {"limit_hours": dg.MetadataValue.float(OLDEST_DATA / timedelta(hours=1))}
    if age is not None:
        metadata["newest_observation"] = dg.MetadataValue.timestamp(newest)
        metadata["age_hours"] = dg.MetadataValue.float(round(age / timedelta(hours=1), 1))
    return [
        dg.AssetCheckResult(
            asset_key=asset,
            check_name=FRESH_DATA_CHECK,
            passed=age is not None and age <= OLDEST_DATA,
            severity=dg.AssetCheckSeverity.ERROR,
            metadata=metadata,
        )
    ]
