"""A feed without fresh data is a failed check, and one that is not loaded any more fails its policy."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
import yaml

from hogland_pipeline.assets.freshness import FRESH_DATA_CHECK, fresh_data_result, freshness_policy
from hogland_pipeline.assets.landed_source import landed_source_assets
from hogland_pipeline.partitions import feed_days
from hogland_pipeline.resources import BoundSource, bind_sources
from hogland_pipeline.settings import PROJECT_ROOT, Settings, load_settings
from hogland_pipeline.warehouse import Warehouse

RAW = dg.AssetKey(["raw", "tts_hogland"])


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(PROJECT_ROOT / "hogland.toml", {}, data_dir=tmp_path).model_copy(
        update={"as_of": date(2026, 2, 1)}
    )


def bound(settings: Settings, name: str) -> BoundSource:
    return next(each for each in bind_sources(settings) if each.source.name == name)


def checked(settings: Settings, *observed_at: str) -> dg.AssetCheckResult:
    warehouse = Warehouse(settings.warehouse_path)
    with warehouse.write() as connection:
        for moment in observed_at:
            connection.execute(
                "INSERT INTO raw.sensor_reading BY NAME SELECT 'tts_hogland' AS feed, ?::TIMESTAMPTZ AS observed_at",
                [moment],
            )
    (result,) = fresh_data_result(settings, warehouse, bound(settings, "tts_hogland"), RAW)
    return result


@pytest.mark.parametrize("newest", ["2026-01-31 22:59:00+00", "2026-01-30 23:00:00+00"])
def test_a_feed_with_data_of_the_last_day_is_fresh(settings: Settings, newest: str) -> None:
    assert checked(settings, "2025-12-01 00:00:00+00", newest).passed


@pytest.mark.parametrize(
    "observed_at", [(), ("2026-01-30 22:59:59+00",), ("2026-01-20 00:00:00+00", "2026-02-01 10:00:00+00")]
)
def test_a_feed_without_data_of_the_last_day_fails(settings: Settings, observed_at: tuple[str, ...]) -> None:
    result = checked(settings, *observed_at)

    assert not result.passed
    assert result.severity == dg.AssetCheckSeverity.ERROR
    assert (result.metadata is not None) and ("newest_observation" in result.metadata) == bool(observed_at)


@pytest.mark.parametrize(("newest", "is_fresh"), [(timedelta(minutes=-1), True), (timedelta(hours=1), False)])
def test_a_feed_that_begins_today_is_fresh_at_once(settings: Settings, newest: timedelta, is_fresh: bool) -> None:
    """A sensor whose clock runs an hour ahead has sent nothing yet that could be told."""
    today = settings.model_copy(update={"as_of": None})
    assert checked(today, (datetime.now(UTC) + newest).isoformat()).passed is is_fresh


def test_every_feed_has_a_policy_and_the_check_and_delivered_files_have_neither(settings: Settings) -> None:
    for each in bind_sources(settings):
        _, raw = landed_source_assets(settings, each, feed_days(settings) if each.is_daily else None)
        (spec,) = raw.specs
        checks = {check.name for check in raw.check_specs}
        assert (spec.freshness_policy is not None) == each.is_daily
        assert (FRESH_DATA_CHECK in checks) == each.is_daily


def test_a_pushed_feed_that_falls_silent_fails_like_one_that_is_fetched(tmp_path: Path) -> None:
    config = tmp_path / "hogland.toml"
    config.write_text(
        'data_dir = "data"\ntimezone = "Europe/Stockholm"\nfirst_day = 2026-01-01\nas_of = 2026-02-01\n'
        '[feeds.tts_hogland]\nkind = "chirpstack"\nlisten = { webhook = { secret_env = "HOGLAND_WEBHOOK_SECRET" } }\n',
        encoding="utf-8",
    )
    settings = load_settings(config, {})
    _, raw = landed_source_assets(settings, bound(settings, "tts_hogland"), None)

    assert next(iter(raw.specs)).freshness_policy is not None
    assert FRESH_DATA_CHECK in {check.name for check in raw.check_specs}
    assert not checked(settings, "2026-01-30 22:59:59+00").passed
    assert checked(settings, "2026-01-31 22:59:00+00").passed


def test_a_feed_fails_its_policy_when_a_night_is_left_out(settings: Settings) -> None:
    policy = freshness_policy(bound(settings, "tts_hogland"))

    assert policy == dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=30), warn_window=timedelta(hours=25))


def test_the_instance_evaluates_policies() -> None:
    instance = yaml.safe_load((PROJECT_ROOT / "dagster.yaml").read_text(encoding="utf-8"))

    assert instance["freshness"] == {"enabled": True}
