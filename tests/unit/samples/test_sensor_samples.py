"""The bundled sensor samples: made by their scripts, true where they claim a fact, with every trouble they tell of."""

import gzip
import math
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from sensors_ingest.decoders.profiles import PROFILES
from sensors_ingest.devices import load_devices
from sensors_ingest.http import Folder
from sensors_ingest.landing import Landing
from sensors_ingest.smhi import Series, Smhi
from sensors_ingest.the_things_stack import TheThingsStack
from tests import decoding

ROOT = Path(__file__).parents[3]
SAMPLES = ROOT / "samples"
SEEDS = ROOT / "dbt_project/seeds"
PANEL, REMOUNTED, TILTED, REJOINED, DEAD, SENTINEL = (
    "A81758FFFE04A001",
    "A81758FFFE04A002",
    "24E124713C140003",
    "24E124713C140004",
    "24E124713C140005",
    "A81758FFFE04A006",
)


@pytest.fixture(scope="module")
def candidates(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    """Everything the uplink sample decodes to, with its local day."""
    devices = load_devices(SEEDS / "sensors.csv", "tts_hogland", PROFILES)
    source = TheThingsStack("tts_hogland", Folder(SAMPLES / "tts_hogland"), devices)
    landing = Landing(tmp_path_factory.mktemp("landing"))
    files = source.fetch(landing, [date(2026, 1, day) for day in range(1, 32)])
    assert len(files) == 31
    rows = decoding.readings(source.decode(landing, files))
    return rows.with_columns(day=pl.col("observed_at").dt.convert_time_zone("Europe/Stockholm").dt.date())


@pytest.fixture(scope="module")
def readings(candidates: pl.DataFrame) -> pl.DataFrame:
    return candidates.filter(pl.col("reject_reason").is_null())


@pytest.fixture(scope="module")
def depths(readings: pl.DataFrame) -> pl.DataFrame:
    """Good distances as snow depth in cm, by the mounting that held that day."""
    mountings = pl.read_csv(SEEDS / "sensor_mountings.csv", try_parse_dates=True).sort("valid_from")
    distances = readings.filter((pl.col("quantity") == "distance") & (pl.col("quality") == "good")).sort("day")
    mounted = distances.join_asof(
        mountings, left_on="day", right_on="valid_from", by="sensor_id", check_sortedness=False
    )
    along = (pl.col("mount_height_mm") - pl.col("value")) * (pl.col("angle_deg") * math.pi / 180).cos()
    depth_cm = (along - pl.col("zero_offset_mm")) / 10
    return mounted.with_columns(depth_cm=depth_cm).sort("sensor_id", "observed_at")


def test_scripts_make_the_same_content_again(tmp_path: Path) -> None:
    """Content, not bytes: gzip's output may differ between builds of zlib."""
    for script in ("make_sensor_samples.py", "make_smhi_sample.py"):
        subprocess.run([sys.executable, SAMPLES / script, tmp_path], check=True)
    for folder in ("tts_hogland", "smhi"):
        made = {path.relative_to(tmp_path): path for path in (tmp_path / folder).rglob("*.*")}
        kept = {path.relative_to(SAMPLES): path for path in (SAMPLES / folder).rglob("*.*")}
        assert made.keys() == kept.keys()
        for name in made:
            contents = [path.read_bytes() for path in (made[name], kept[name])]
            first, second = map(gzip.decompress, contents) if name.suffix == ".gz" else contents
            assert first == second


def test_samples_are_small() -> None:
    assert sum(path.stat().st_size for path in (SAMPLES / "tts_hogland").iterdir()) < 2_500_000


@pytest.mark.parametrize(("quantity", "low", "high"), [("air_temperature", -14.2, 3.7), ("relative_humidity", 72, 86)])
def test_panel_truth(readings: pl.DataFrame, quantity: str, low: float, high: float) -> None:
    panel = readings.filter(
        (pl.col("sensor_id") == PANEL) & (pl.col("quantity") == quantity) & (pl.col("day") <= date(2026, 1, 21))
    )
    assert (panel["value"].min(), panel["value"].max()) == (low, high)


def test_panel_truth_snow_depth(depths: pl.DataFrame) -> None:
    panel = depths.filter((pl.col("sensor_id") == PANEL) & (pl.col("day") <= date(2026, 1, 21)))
    assert (panel["depth_cm"].min(), panel["depth_cm"].max()) == (0, 65)


def test_depth_is_never_negative_and_never_jumps_not_even_at_the_remounting(depths: pl.DataFrame) -> None:
    steps = depths.with_columns(step=pl.col("depth_cm").diff().over("sensor_id").abs())
    assert depths["depth_cm"].min() == 0
    assert steps["step"].max() < 2
    raw = depths.filter(pl.col("sensor_id") == REMOUNTED)["value"].diff().abs()
    assert raw.max() > 280


def test_rejects_are_the_ones_told_of(candidates: pl.DataFrame) -> None:
    rejects = candidates.filter(pl.col("reject_reason").is_not_null())
    assert sorted(rejects["reject_reason"].value_counts().rows()) == [
        ("distance sentinel 0 (no echo)", 9),
        ("distance sentinel 0xFFFF (no echo)", 8),
        ("payload is not valid base64: AXVjA2f*/wSCAQsFAAA=", 1),
        ("simulated uplink", 1),
        ("temperature sentinel 0x7FFF (probe missing)", 25),
        ("truncated payload 0x01ffe50250070e290e0b", 1),
        ("unknown device A81758FFFE0FFFFF", 1),
    ]
    sentinels = rejects.filter(pl.col("reject_reason").str.contains("sentinel"))
    assert sentinels["sensor_id"].unique().to_list() == [SENTINEL]


def test_duplicates_and_repeats_agree(readings: pl.DataFrame) -> None:
    keys = ["sensor_id", "quantity", "observed_at"]
    # A repeat was heard by other gateways, so its signal is another.
    measured = readings.filter(~pl.col("quantity").str.starts_with("signal").fill_null(value=False))
    values = measured.group_by(keys).agg(pl.len(), pl.col("value").n_unique().alias("values"))
    assert values["values"].max() == 1
    assert 0.01 < values.filter(pl.col("len") > 1).height / values.height < 0.02
    heard = readings.group_by("uplink_key").agg(pl.col("observed_at").max() - pl.col("observed_at").min())
    assert timedelta() < heard["observed_at"].max() <= timedelta(seconds=1)  # type: ignore[operator]


def test_late_uplinks_arrive_in_a_later_file(readings: pl.DataFrame) -> None:
    delay = readings["received_at"] - readings["observed_at"]
    assert timedelta(hours=47) < delay.max() < timedelta(hours=48)  # type: ignore[operator]
    late = readings.filter(delay > timedelta(hours=1))
    assert late["sensor_id"].n_unique() == 6
    days = late.select("day", pl.col("received_at").dt.convert_time_zone("Europe/Stockholm").dt.date())
    assert days.filter(pl.col("received_at") > pl.col("day")).height > 1000


def test_dead_tilted_rejoined_and_clockless(readings: pl.DataFrame) -> None:
    def last_day(sensor_id: str) -> object:
        return readings.filter(pl.col("sensor_id") == sensor_id)["day"].max()

    assert last_day(DEAD) == date(2026, 1, 14)
    assert {last_day(sensor) for sensor in (PANEL, REMOUNTED, TILTED, REJOINED, SENTINEL)} == {date(2026, 1, 31)}
    tilted = readings.filter(pl.col("source_quality") == "tilt")
    assert set(tilted.select("sensor_id", "quantity", "quality").rows()) == {(TILTED, "distance", "suspect")}
    assert tilted["day"].min() == date(2026, 1, 18)
    rejoined = readings.filter(pl.col("sensor_id") == REJOINED).select(
        pl.col("uplink_key").str.extract("/(.*)/").alias("session"),
        pl.col("uplink_key").str.extract(r"/(\d+)$").cast(pl.Int64).alias("count"),
    )
    assert rejoined["session"].n_unique() == 2
    assert rejoined["count"].min() == 0
    clockless = readings.filter(pl.col("source_quality") == "network_time")
    assert set(clockless.select("sensor_id", "quality").rows()) == {(REJOINED, "unverified")}


def test_smhi_archive_corrects_the_overlap(tmp_path: Path) -> None:
    source = Smhi("smhi", Folder(SAMPLES / "smhi"), (Series(1, 74180), Series(8, 74180)))
    landing = Landing(tmp_path)
    rows = pl.DataFrame(pa.Table.from_batches(list(source.decode(landing, source.fetch(landing)))))
    rejects = rows.filter(pl.col("reject_reason").is_not_null())
    assert rejects["reject_reason"].to_list() == ["no value"] * 3
    keys = ["quantity", "observed_at"]
    good = rows.filter(pl.col("reject_reason").is_null())
    overlap = good.filter(pl.col("precedence") == 0).join(good.filter(pl.col("precedence") == 1), on=keys)
    differing = overlap.filter(pl.col("value") != pl.col("value_right"))
    assert overlap.filter(pl.col("quantity") == "air_temperature").height == 31 * 24
    assert differing.select("quality", "quality_right").rows() == [("suspect", "good")] * 4
    snow = good.filter(pl.col("quantity") == "snow_depth")
    assert snow.filter(pl.col("observed_at") < datetime(2025, 11, 1, tzinfo=UTC))["value"].unique().to_list() == [0]
    assert 40 < snow["value"].max() < 60  # type: ignore[operator]
    assert set(snow["source_unit"]) == {"m"}
