"""The days a night asks for."""

import gzip
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from hogland_pipeline.partitions import feed_days, last_complete_day, nightly_range
from hogland_pipeline.resources import BoundSource, bind_sources
from hogland_pipeline.settings import PROJECT_ROOT, Settings, load_settings
from sensors_ingest.landing import Landing

SETTINGS = load_settings(PROJECT_ROOT / "hogland.toml", {})
FEEDS = ("tts_hogland", "smhi")


def settings(**given: object) -> Settings:
    return SETTINGS.model_copy(update=given)


def sources() -> list[BoundSource]:
    """Those of the sample, as if all their files had landed."""
    return [replace(bound, delivered=list) for bound in bind_sources(SETTINGS)]


def days(first: str, last: str) -> list[str]:
    start, end = date.fromisoformat(first), date.fromisoformat(last)
    return [(start + timedelta(days=number)).isoformat() for number in range((end - start).days + 1)]


def both(loaded: list[str]) -> dict[str, Iterable[str]]:
    return dict.fromkeys(FEEDS, loaded)


def instance_with(loaded: dict[str, Iterable[str]]) -> dg.DagsterInstance:
    instance = dg.DagsterInstance.ephemeral()
    for feed, partitions in loaded.items():
        for partition in partitions:
            instance.report_runless_asset_event(dg.AssetMaterialization(["raw", feed], partition=partition))
    return instance


@pytest.mark.parametrize(
    ("loaded", "expected"),
    [
        ({}, ("2026-01-01", "2026-01-31")),
        (both(days("2026-01-01", "2026-01-30")), ("2026-01-31", "2026-01-31")),
        (both(days("2026-01-01", "2026-01-31")), ("2026-01-31", "2026-01-31")),
        (
            both([*days("2026-01-01", "2026-01-09"), *days("2026-01-11", "2026-01-31")]),
            ("2026-01-10", "2026-01-31"),
        ),
        (
            {"tts_hogland": days("2026-01-01", "2026-01-31"), "smhi": days("2026-01-01", "2026-01-19")},
            ("2026-01-20", "2026-01-31"),
        ),
        ({"tts_hogland": days("2026-01-01", "2026-01-31")}, ("2026-01-01", "2026-01-31")),
    ],
    ids=["first night", "yesterday", "nothing missing", "gap", "one feed behind", "one feed never"],
)
def test_the_night_starts_at_the_first_missing_day(loaded: dict[str, Iterable[str]], expected: tuple[str, str]) -> None:
    with instance_with(loaded) as instance:
        assert nightly_range(SETTINGS, sources(), instance) == expected


def test_the_night_looks_back_only_so_far() -> None:
    with instance_with({}) as instance:
        assert nightly_range(settings(catch_up_days=3), sources(), instance) == ("2026-01-29", "2026-01-31")
        assert nightly_range(settings(catch_up_days=1), sources(), instance) == ("2026-01-31", "2026-01-31")


TABLES = """
data_dir = "data"
first_day = 2026-01-05
as_of = 2026-01-11
[feeds.snow]
kind = "tabular"
folder = "tables"
form = "csv"
columns = { sensor_id = "Station", observed_at = "Tid" }
quantities.depth = { quantity = "snow_depth", unit = "cm" }
[feeds.chirp]
kind = "chirpstack"
folder = "uplinks"
[feeds.tts]
kind = "the_things_stack"
folder = "uplinks"
"""


def test_the_night_asks_again_for_days_whose_files_came_late_or_were_not_whole(tmp_path: Path) -> None:
    (tmp_path / "hogland.toml").write_text(TABLES, encoding="utf-8")
    (tmp_path / "tables").mkdir()
    (tmp_path / "uplinks").mkdir()
    given = load_settings(tmp_path / "hogland.toml", {})
    landing, bound = Landing(given.landing_dir), bind_sources(given)
    loaded = dict.fromkeys(("snow", "chirp", "tts"), days("2026-01-05", "2026-01-10"))

    def first_day() -> str:
        with instance_with(loaded) as instance:
            first, last = nightly_range(given, bound, instance)
        assert last == "2026-01-10"
        for each in bound:
            each.source.fetch(landing, [date.fromisoformat(day) for day in days(first, last)])
        return first

    assert first_day() == "2026-01-10"
    for name in ("tables/2026-01-08.csv", "tables/undated.csv", "tables/2026-01-04.csv"):
        (tmp_path / name).write_text("Station;Ti", encoding="utf-8")
    assert first_day() == "2026-01-08"
    assert first_day() == "2026-01-10"
    (tmp_path / "tables/2026-01-08.csv").write_text("Station;Tid;depth\n", encoding="utf-8")
    assert first_day() == "2026-01-08"
    (tmp_path / "uplinks/2026-01-07-evening.ndjson.gz").write_bytes(gzip.compress(b"{}\n"))
    assert first_day() == "2026-01-07"
    assert first_day() == "2026-01-10"
    # Packed, renamed or twice the same: it has landed. What cannot be unpacked would stop the feed every night.
    with gzip.open(tmp_path / "tables/2026-01-08.csv.gz", "wb") as packed:
        packed.write((tmp_path / "tables/2026-01-08.csv").read_bytes())
    (tmp_path / "tables/2026-01-08.csv").rename(tmp_path / "tables/2026-01-08-old.csv")
    (tmp_path / "uplinks/2026-01-06-late.ndjson.gz").write_bytes(gzip.compress(b"{}\n" * 1000)[:-12])
    assert first_day() == "2026-01-10"


def test_the_night_begins_also_when_deliveries_cannot_be_listed(tmp_path: Path) -> None:
    """No folder of tables, and an uplink file whose name tells no day: the run will tell."""
    (tmp_path / "hogland.toml").write_text(TABLES, encoding="utf-8")
    (tmp_path / "uplinks").mkdir()
    (tmp_path / "uplinks" / "readme.ndjson").touch()
    given = load_settings(tmp_path / "hogland.toml", {})
    with instance_with(dict.fromkeys(("snow", "chirp", "tts"), days("2026-01-05", "2026-01-10"))) as instance:
        assert nightly_range(given, bind_sources(given), instance) == ("2026-01-10", "2026-01-10")


def test_where_every_feed_is_pushed_the_night_asks_for_yesterday() -> None:
    pushed = [bound for bound in sources() if not bound.is_daily]
    with instance_with({}) as instance:
        assert nightly_range(SETTINGS, pushed, instance) == ("2026-01-31", "2026-01-31")


@pytest.mark.parametrize(
    ("now", "yesterday"),
    [
        ("2026-01-31 22:59", "2026-01-30"),
        ("2026-01-31 23:00", "2026-01-31"),
        ("2026-03-29 22:00", "2026-03-29"),
        ("2026-03-29 21:59", "2026-03-28"),
        ("2026-10-25 22:59", "2026-10-24"),
        ("2026-10-25 23:00", "2026-10-25"),
    ],
)
def test_yesterday_is_the_local_one(now: str, yesterday: str) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert last_complete_day(settings(as_of=None), moment).isoformat() == yesterday
    assert last_complete_day(SETTINGS, moment) == date(2026, 1, 31)


def test_partitions_are_whole_local_days() -> None:
    keys = feed_days(SETTINGS).get_partition_keys()
    assert (keys[0], keys[-1], len(keys)) == ("2026-01-01", "2026-01-31", 31)
    windows = feed_days(settings(as_of=date(2026, 12, 1))).time_window_for_partition_key
    hours = {
        key: (windows(key).end.timestamp() - windows(key).start.timestamp()) / 3600
        for key in ("2026-01-10", "2026-03-29", "2026-10-25")
    }
    assert hours == {"2026-01-10": 24, "2026-03-29": 23, "2026-10-25": 25}
