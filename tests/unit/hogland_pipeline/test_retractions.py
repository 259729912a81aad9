"""Stored rows that their own landing file is refused for now go out of raw, and nothing else does."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import duckdb
import pytest

from hogland_pipeline.retractions import take_back_refused
from hogland_pipeline.warehouse import SENSOR_READING
from tests.unit.hogland_pipeline.raw_rows import candidate, fresh_warehouse, merge, minutes, reading, stored

SHOWN = ("observed_at", "value", "landing_id", "revision")


@pytest.fixture
def warehouse() -> duckdb.DuckDBPyConnection:
    return fresh_warehouse()


def refuse(
    connection: duckdb.DuckDBPyConnection,
    rows: Sequence[Mapping[str, Any]],
    accepted: Sequence[Mapping[str, Any]] = (),
) -> int:
    """A batch as the gate has it: all rows staged, and which of them are refused and accepted."""
    connection.register("batch", candidate(SENSOR_READING, [*rows, *accepted]))
    connection.execute("CREATE OR REPLACE TEMP TABLE staged AS SELECT *, row_number() OVER () AS stage_row FROM batch")
    connection.execute(f"CREATE OR REPLACE TEMP TABLE refused AS FROM staged WHERE stage_row <= {len(rows)}")
    connection.execute("CREATE OR REPLACE TEMP TABLE accepted AS FROM staged ANTI JOIN refused USING (stage_row)")
    return take_back_refused(connection, SENSOR_READING, "staged")


def current(connection: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    return stored(connection, "raw.sensor_reading", SHOWN)


def earlier(connection: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    return stored(connection, "raw.sensor_reading_history", SHOWN)


def test_the_refused_row_goes_and_its_neighbours_stay(warehouse: duckdb.DuckDBPyConnection) -> None:
    rows = [reading(observed_at=minutes(minute), received_at=minutes(minute)) for minute in (0, 10, 20)]
    merge(warehouse, SENSOR_READING, rows)
    assert refuse(warehouse, [rows[1] | {"value": None}], [rows[0], rows[2]]) == 1
    assert [row[0] for row in current(warehouse)] == [minutes(0), minutes(20)]
    assert warehouse.execute("SELECT observed_at FROM taken_back").fetchall() == [(minutes(10),)]


def test_what_another_file_brought_is_current_again(warehouse: duckdb.DuckDBPyConnection) -> None:
    told = [reading(value=value, landing_id=file, received_at=minutes(number), precedence=0)
            for number, (file, value) in enumerate([("a", 1.0), ("b", 2.0), ("c", 99.9)])]  # fmt: skip
    for load_id, row in enumerate(told, 1):
        merge(warehouse, SENSOR_READING, [row], load_id)
    assert refuse(warehouse, [told[2]]) == 1
    assert [row[1:] for row in current(warehouse)] == [(2.0, "b", 2)]
    assert [row[1:] for row in earlier(warehouse)] == [(1.0, "a", 1)]


def test_an_earlier_version_goes_from_the_history(warehouse: duckdb.DuckDBPyConnection) -> None:
    told = [reading(value=value, landing_id=file, received_at=minutes(number))
            for number, (file, value) in enumerate([("a", 99.9), ("b", 2.0)])]  # fmt: skip
    for load_id, row in enumerate(told, 1):
        merge(warehouse, SENSOR_READING, [row], load_id)
    assert refuse(warehouse, [told[0]]) == 1
    assert [row[1:] for row in current(warehouse)] == [(2.0, "b", 1)]
    assert earlier(warehouse) == []


def test_an_uplink_that_two_files_tell_with_other_times_goes(warehouse: duckdb.DuckDBPyConnection) -> None:
    """Raw has it at the earlier time, of the file that told it last: neither file has that key."""
    told = [reading(value=99.9, uplink_key="uplink", landing_id=file, observed_at=at, received_at=at)
            for file, at in [("a", minutes(0)), ("b", minutes(0) + timedelta(seconds=1))]]  # fmt: skip
    for load_id, row in enumerate(told, 1):
        merge(warehouse, SENSOR_READING, [row], load_id)
    assert [row[:3] for row in current(warehouse)] == [(minutes(0), 99.9, "b")]
    assert refuse(warehouse, told) == 1
    assert current(warehouse) == []
    assert warehouse.execute("SELECT observed_at FROM taken_back").fetchall() == [(minutes(0),)]


def test_of_two_lines_of_a_file_the_one_that_it_still_gives_stays(warehouse: duckdb.DuckDBPyConnection) -> None:
    told = [reading(value=1.0), reading(value=99.9, landing_row=2)]
    merge(warehouse, SENSOR_READING, told)
    assert refuse(warehouse, [told[1] | {"value": None}], [told[0]]) == 1
    assert [row[1:] for row in current(warehouse)] == [(1.0, "file", 1)]
    assert earlier(warehouse) == []


@pytest.mark.parametrize(
    ("refused", "accepted"),
    [
        ([reading(landing_id="another file")], []),
        ([reading(quantity="relative_humidity")], []),
        ([reading(observed_at=None)], []),
        # The file gives it in another line, or at another time.
        ([reading(landing_row=2)], [reading()]),
        ([reading(landing_row=2)], [reading(uplink_key="uplink", observed_at=minutes(1))]),
        # Another measurement of the uplink, or the same one too late to be told again.
        ([reading(uplink_key="uplink@1", observed_at=minutes(1))], []),
        ([reading(uplink_key="uplink", observed_at=minutes(6))], []),
    ],
)
def test_what_its_file_still_gives_or_never_gave_stays(
    warehouse: duckdb.DuckDBPyConnection, refused: list[dict[str, Any]], accepted: list[dict[str, Any]]
) -> None:
    merge(warehouse, SENSOR_READING, [reading(uplink_key="uplink")])
    before = current(warehouse)
    assert refuse(warehouse, refused, accepted) == 0
    assert current(warehouse) == before
