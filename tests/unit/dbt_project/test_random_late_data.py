"""Whatever arrives late, in whatever order: the nights end with what one build of everything gives."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from tests.unit.dbt_project.small_build import Build, make_build

DAYS = 16
AS_OF = "2026-04-08"  # the day after the last of them
ROUNDS = 3
MODELS = ("plough_event", "daily_frost_risk", "daily_snow", "sensor_health", "sensor_gap")
STORED = (
    "intermediate.int_sensor_reading__hourly",
    "intermediate.int_sensor_reading__daily",
    "intermediate.int_sensor_day__trace",
    "intermediate.int_sensor_day__flat",
    "intermediate.int_sensor_day__landed",
    "intermediate.int_snow_hour__risen",
    "intermediate.int_road_day__judged",
    *(f"main.kpi_operations__{model}" for model in MODELS),
    "intermediate.int_kpi_value__operations",
    "main.fct_kpi_value",
    "main.kpi_lineage",
)

# Two lasers under snow that comes, settles and melts, and a road station around freezing, over the change of the clock
# on 29 March: local days of 24 and 23 hours.
READINGS = """
delete from raw.sensor_reading;
delete from ops.touched_day;
insert into raw.sensor_reading
select
    feed, sensor_id, quantity, observed_at,
    case quantity
        when 'distance' then 2900 - 20 * ((3 * epoch(observed_at)::bigint // 3600 + number * 17) % 23)
        when 'precipitation_hourly' then if(hour(observed_at) % 5 = 0, 1, 0)
        else 3 - (epoch(observed_at)::bigint // 3600 + number) % 7
    end,
    case quantity when 'distance' then 'mm' when 'precipitation_hourly' then 'mm' else 'degC' end,
    null, null, 'good', null, observed_at, 0, null, 'file', timestamptz '2026-04-10 01:00:00+00', 1, 1
from generate_series(
    timestamptz '2026-03-22 23:00:00+00', timestamptz '2026-04-07 21:00:00+00', interval 1 hour
) as moments(observed_at)
cross join (
    values ('tts_hogland', 'A81758FFFE04A001', 'distance', 1), ('tts_hogland', 'A81758FFFE04A002', 'distance', 2),
        ('smhi', '74180', 'road_surface_temperature', 3), ('smhi', '74180', 'dew_point', 4),
        ('smhi', '74180', 'precipitation_hourly', 5)
) as series(feed, sensor_id, quantity, number);
insert into ops.touched_day
select distinct 1, feed, timezone('Europe/Stockholm', observed_at)::date from raw.sensor_reading;
"""


def late(load_id: int, chance: random.Random) -> str:
    """Readings of a few random stretches of time that change, vanish or come, and the days they touch."""
    statements = []
    for _ in range(chance.randint(1, 4)):
        feed, sensor_id = chance.choice(
            [("tts_hogland", "A81758FFFE04A001"), ("tts_hogland", "A81758FFFE04A002"), ("smhi", "74180")]
        )
        start = chance.randrange(DAYS * 24)
        first = f"timestamptz '2026-03-22 23:00:00+00' + to_hours({start})"
        where = (
            f"feed = '{feed}' and sensor_id = '{sensor_id}' and observed_at >= {first}"
            f" and observed_at < {first} + to_hours({chance.randint(1, 60)})"
        )
        # A load takes no reading away, it moves one at most; the mended gate of a replay does not either.
        change = chance.choice(
            [
                f"update raw.sensor_reading set load_id = {load_id}, value = value - {chance.randint(-150, 150)}"
                f" where {where}",
                f"update raw.sensor_reading set load_id = {load_id}, quality = 'bad' where {where}",
                "insert into raw.sensor_reading select * replace (observed_at + interval 20 minutes as observed_at,"
                f" value + {chance.randint(-50, 50)} as value) from raw.sensor_reading where {where}",
            ]
        )
        touched = (
            f"insert into ops.touched_day select distinct {load_id}, feed,"
            f" timezone('Europe/Stockholm', observed_at)::date from raw.sensor_reading where {where}"
        )
        statements += [change, touched]
    return "; ".join(statements)


def contents(build: Build) -> dict[str, list[tuple[Any, ...]]]:
    return {table: build.query(f"from {table} order by all") for table in STORED}


@pytest.mark.parametrize("seed", [20260329])
def test_nights_of_late_data_equal_one_build_of_everything(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    build = make_build(tmp_path)
    build.change_warehouse(READINGS)
    values = ("int_kpi_value__operations", "fct_kpi_value", "kpi_lineage")
    select = ["--select", "int_sensor_day__landed", *(f"+kpi_operations__{model}" for model in MODELS), *values]
    assert not build.dbt("build", "--exclude-resource-type", "test", "unit_test", as_of=AS_OF)
    for load_id in range(2, 2 + ROUNDS):
        build.change_warehouse(late(load_id, chance))
        assert not build.dbt("run", *select, as_of=AS_OF)
    by_nights = contents(build)
    assert all(by_nights.values())
    assert {(1,), (2,), (3,)} <= set(build.query("select load_id from main.kpi_lineage"))
    assert not build.dbt("run", "--full-refresh", *select, as_of=AS_OF)
    at_once = contents(build)
    assert {table for table in STORED if by_nights[table] != at_once[table]} == set()
