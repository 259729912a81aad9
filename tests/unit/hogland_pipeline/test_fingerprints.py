"""A mart has changed when its rows or columns have, not their order nor the last digits of a sum."""

from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from hogland_pipeline import release_tables
from hogland_pipeline.contracts import MartContract
from hogland_pipeline.releases import Target
from tests.unit.hogland_pipeline.small_release import NIGHT, SNOW, build, release


def test_the_same_rows_in_another_order_are_no_change(tmp_path: Path, target: Target) -> None:
    first = release(build(tmp_path), target)
    again = release(build(tmp_path, daily_snow=f"{SNOW} order by day desc"), target, at=NIGHT + timedelta(days=1))
    assert first.is_changed
    assert not again.is_changed
    assert [mart.content_fingerprint for mart in first.marts] == [mart.content_fingerprint for mart in again.marts]


@pytest.mark.parametrize(
    "changed",
    [
        "select range::integer as day, range * 0.5 + (range = 20)::integer as snow_depth_cm from range(21)",
        "select range::integer as day, nullif(range * 0.5, 0) as snow_depth_cm from range(21)",
        f"{SNOW} union all ({SNOW} limit 1)",
        f"{SNOW} limit 20",
        "select range::integer as day, range * 0.5 as snow_depth_mm from range(21)",
        "select range::bigint as day, range * 0.5 as snow_depth_cm from range(21)",
    ],
    ids=["value", "null", "duplicate row", "missing row", "renamed column", "other type"],
)
def test_any_change_of_rows_or_columns_changes_the_fingerprint(tmp_path: Path, target: Target, changed: str) -> None:
    release(build(tmp_path), target)
    publication = release(
        build(tmp_path, daily_snow=changed), target, at=NIGHT + timedelta(days=1), may_break_contracts=True
    )
    assert [mart.is_changed for mart in publication.marts] == [True, False]


def test_two_equal_rows_that_come_or_go_change_the_fingerprint(tmp_path: Path, target: Target) -> None:
    pair = f"{SNOW} union all (select 1, 0.5) union all (select 1, 0.5)"
    release(build(tmp_path), target)
    publication = release(build(tmp_path, daily_snow=pair), target, at=NIGHT + timedelta(days=1))
    assert publication.marts[0].is_changed


def test_an_unreadable_manifest_makes_every_mart_count_as_changed(tmp_path: Path, target: Target) -> None:
    folder = release(build(tmp_path), target).folder
    (folder / "manifest.json").write_text("{broken", encoding="utf-8")
    assert all(mart.is_changed for mart in release(build(tmp_path), target, at=NIGHT + timedelta(1)).marts)


@pytest.mark.parametrize(
    ("number", "is_same"),
    [
        ("55.33570041784493", True),
        ("55.335700418", False),
        ("'nan'::DOUBLE", False),
        ("0.0", False),
        ("NULL::DOUBLE", False),
    ],
)
def test_the_order_of_a_sum_is_no_change_but_the_twelfth_digit_is(tmp_path: Path, number: str, is_same: bool) -> None:
    fingerprints = []
    for attempt, value in enumerate(("55.33570041784494", number)):
        with duckdb.connect() as connection:
            connection.execute("ATTACH ':memory:' AS hogland")
            connection.execute(f"CREATE TABLE hogland.main.mart AS SELECT {value} AS mean")
            connection.execute("ALTER TABLE hogland.main.mart ALTER mean TYPE DOUBLE")
            (tmp_path / str(attempt) / "parquet").mkdir(parents=True)
            mart = release_tables._write_table(connection, tmp_path / str(attempt), MartContract("mart"))
            fingerprints.append(mart.fingerprint)
    assert (fingerprints[0] == fingerprints[1]) is is_same
