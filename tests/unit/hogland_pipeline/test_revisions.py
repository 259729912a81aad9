"""Raw and its history follow from what was received, whatever the loads it came in."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hogland_pipeline.revisions import ConservationError, MergeCounts
from hogland_pipeline.warehouse import (
    AREA_GROUP,
    INDICATOR_SERIES,
    INDICATOR_VALUE,
    RAW_TABLES,
    SENSOR_READING,
    SURVEY_ANSWER,
    UTTC_SOLUTION,
    RawTable,
    Warehouse,
)
from tests.unit.hogland_pipeline.raw_rows import (
    NOON,
    answer,
    dump,
    effect,
    figure,
    fresh_warehouse,
    group,
    merge,
    minutes,
    reading,
    series,
    solution,
    stored,
    touched_days,
)

# (key number, value number, precedence, minutes to receipt): small ranges, so that keys, values and times meet.
SENDINGS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 1), st.integers(0, 9)),
    min_size=1,
    max_size=14,
    unique_by=lambda sending: (sending[0], sending[2], sending[3]),
)


@st.composite
def loads_of_sendings(draw: st.DrawFn) -> list[list[tuple[int, int, int, int]]]:
    """The same sendings in any order, cut into any number of loads; some come twice."""
    sendings = draw(SENDINGS)
    repeated = draw(st.lists(st.sampled_from(sendings), max_size=4))
    shuffled = draw(st.permutations([*sendings, *repeated]))
    cuts = sorted(draw(st.sets(st.integers(1, len(shuffled)), max_size=4)))
    return [shuffled[start:end] for start, end in zip([0, *cuts], [*cuts, len(shuffled)], strict=True) if start < end]


def as_row(table: RawTable, sending: tuple[int, int, int, int]) -> dict[str, Any]:
    key, value, precedence, received = sending
    if table is SENSOR_READING:
        days_ago = timedelta(days=300 * key)
        return reading(
            observed_at=NOON - days_ago,
            value=None if value == 2 else float(value),
            precedence=precedence,
            received_at=minutes(received),
        )
    if table is SURVEY_ANSWER:
        return answer(
            respondent=str(key) * 32,
            answer=("yes", "no", "dont_know")[value],
            submitted_at=minutes(precedence),
            received_at=minutes(received),
        )
    if table is INDICATOR_VALUE:
        return figure(
            area_id=f"068{key}",
            value=None if value == 2 else float(value),
            value_status="missing" if value == 2 else "observed",
            received_at=minutes(100 * precedence + received),
        )
    if table is INDICATOR_SERIES:
        return series(
            series_id=f"N0195{key}",
            title=("Invånare", "Folkmängd", None)[value],
            is_withdrawn=value == 2,
            received_at=minutes(100 * precedence + received),
        )
    if table is AREA_GROUP:
        return group(
            group_id=f"G{key}",
            members=[["0682"], ["0682", "0685"], None][value],
            received_at=minutes(100 * precedence + received),
        )
    return solution(
        url=f"https://example.org/2025/05/06/{key}",
        effects=[[], [effect()], [effect(value=21.0), effect(unit=None)]][value],
        received_at=minutes(10 * precedence + received),
    )


def state(table: RawTable, loads: Sequence[Sequence[tuple[int, int, int, int]]]) -> tuple[list[Any], list[Any]]:
    columns = (*table.columns, "revision")
    with fresh_warehouse() as connection:
        for load_id, load in enumerate(loads, start=1):
            counts = merge(connection, table, [as_row(table, sending) for sending in load], load_id)
            assert counts.inserted + counts.revised + counts.unchanged == len(load)
        return (
            stored(connection, f"raw.{table.name}", columns),
            stored(connection, f"raw.{table.name}_history", columns),
        )


def latest_of_each_key(table: RawTable, sendings: Sequence[tuple[int, int, int, int]]) -> set[tuple[int, int]]:
    latest = {}
    for sending in sorted(sendings, key=lambda each: (each[2], each[3])):
        latest[sending[0]] = sending[1]
    return set(latest.items())


@pytest.mark.parametrize("noon", [datetime(1961, 1, 8, 12, tzinfo=UTC), datetime(1969, 12, 31, 23, 59, tzinfo=UTC)])
def test_a_reading_before_1970_meets_the_one_of_the_same_key(
    connection: duckdb.DuckDBPyConnection, noon: datetime
) -> None:
    """Weather stations are older than the epoch, where an integer division rounds the other way."""
    assert merge(connection, SENSOR_READING, [reading(observed_at=noon)], 1) == MergeCounts(1, 0, 0)
    assert merge(connection, SENSOR_READING, [reading(observed_at=noon)], 2) == MergeCounts(0, 0, 1)
    local_day = (noon + timedelta(hours=1)).date()
    assert [day for *_, day in stored(connection, "ops.touched_day", ("local_date",))] == [local_day]


@pytest.mark.parametrize("table", RAW_TABLES, ids=lambda table: table.name)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(loads=loads_of_sendings())
def test_any_order_and_any_cut_into_loads_ends_the_same(
    table: RawTable, loads: list[list[tuple[int, int, int, int]]]
) -> None:
    everything = [sending for load in loads for sending in load]
    raw, history = state(table, loads)
    assert (raw, history) == state(table, [sorted(everything)])
    told = [list(table.columns).index(column) for column in (*table.key, *table.version)]
    expected = [as_row(table, (key, value, 0, 0)) for key, value in latest_of_each_key(table, everything)]
    current = [[row[index] for index in told] for row in raw]
    wanted = [[row[column] for column in (*table.key, *table.version)] for row in expected]
    assert sorted(map(as_text, current)) == sorted(map(as_text, wanted))


def as_text(values: list[Any]) -> str:
    return repr([str(value) if isinstance(value, datetime) else value for value in values])


@pytest.mark.parametrize(
    ("table", "row"),
    [
        (SENSOR_READING, reading()),
        (SURVEY_ANSWER, answer()),
        (UTTC_SOLUTION, solution()),
        (INDICATOR_VALUE, figure()),
        (INDICATOR_SERIES, series()),
    ],
    ids=lambda each: getattr(each, "name", ""),
)
def test_the_same_rows_again_change_nothing(
    connection: duckdb.DuckDBPyConnection, table: RawTable, row: dict[str, Any]
) -> None:
    assert merge(connection, table, [row], load_id=1) == MergeCounts(1, 0, 0)
    before = connection.execute(f"FROM raw.{table.name}").fetchall()
    assert merge(connection, table, [row, row], load_id=2) == MergeCounts(0, 0, 2)
    assert connection.execute(f"FROM raw.{table.name}").fetchall() == before
    assert stored(connection, f"raw.{table.name}_history", ["*"]) == []
    assert touched_days(connection, 2) == []


@pytest.mark.parametrize("column", SENSOR_READING.key)
def test_an_accepted_row_without_its_key_stops_the_load(connection: duckdb.DuckDBPyConnection, column: str) -> None:
    with pytest.raises(ConservationError, match=r"1 accepted rows for raw\.sensor_reading have an empty key column"):
        merge(connection, SENSOR_READING, [reading(), reading(**{column: None})])
    assert stored(connection, "raw.sensor_reading", ["*"]) == []


def test_an_archived_value_stays_when_an_ordinary_one_comes_later(connection: duckdb.DuckDBPyConnection) -> None:
    """The archive confirmed the first value; a later ordinary one must not displace it."""
    merge(connection, SENSOR_READING, [reading(value=1.0, received_at=minutes(1))], 1)
    merge(connection, SENSOR_READING, [reading(value=1.0, received_at=minutes(2), precedence=1)], 2)
    counts = merge(connection, SENSOR_READING, [reading(value=2.0, received_at=minutes(3))], 3)
    assert counts == MergeCounts(0, 1, 0)
    assert stored(connection, "raw.sensor_reading", ["value", "revision"]) == [(1.0, 2)]
    assert stored(connection, "raw.sensor_reading_history", ["value", "revision"]) == [(2.0, 1)]
    assert touched_days(connection, 3) == []


def test_a_version_sent_again_keeps_when_it_was_first_loaded(connection: duckdb.DuckDBPyConnection) -> None:
    merge(connection, SENSOR_READING, [reading()], 1)
    first = stored(connection, "raw.sensor_reading", ["ingested_at", "load_id", "revision"])
    assert merge(connection, SENSOR_READING, [reading(received_at=minutes(60))], 2) == MergeCounts(0, 0, 1)
    assert stored(connection, "raw.sensor_reading", ["ingested_at", "load_id", "revision"]) == first
    assert stored(connection, "raw.sensor_reading", ["received_at"]) == [(minutes(60),)]
    assert touched_days(connection, 2) == []


def test_what_a_corrected_decoder_says_of_the_same_bytes_wins(connection: duckdb.DuckDBPyConnection) -> None:
    merge(connection, SENSOR_READING, [reading(value=-35.0)], 1)
    merge(connection, SENSOR_READING, [reading(value=-3.5)], 2)
    assert stored(connection, "raw.sensor_reading", ["value", "revision"]) == [(-3.5, 2)]


def test_a_straggler_of_300_days_ago_touches_its_own_day(connection: duckdb.DuckDBPyConnection) -> None:
    rows = [reading(observed_at=NOON + timedelta(minutes=10 * step)) for step in range(1000)]
    merge(connection, SENSOR_READING, rows, 1)
    old = NOON - timedelta(days=300)
    counts = merge(connection, SENSOR_READING, [reading(observed_at=old), rows[-1]], 2)
    assert counts == MergeCounts(1, 0, 1)
    assert touched_days(connection, 2) == [("tts_hogland", "2025-03-16")]
    assert stored(connection, "raw.sensor_reading", ["count(*)", "min(observed_at)"]) == [(1001, old)]


@pytest.mark.parametrize(
    ("observed_at", "local_day"),
    [
        ("2026-01-09 22:59:59", "2026-01-09"),
        ("2026-01-09 23:00:00", "2026-01-10"),
        ("2026-03-28 22:59:59", "2026-03-28"),
        ("2026-03-28 23:00:00", "2026-03-29"),  # 23 hours
        ("2026-03-29 21:59:59", "2026-03-29"),
        ("2026-03-29 22:00:00", "2026-03-30"),
        ("2026-10-24 22:00:00", "2026-10-25"),  # 25 hours
        ("2026-10-25 22:59:59", "2026-10-25"),
        ("2026-10-25 23:00:00", "2026-10-26"),
    ],
)
def test_the_touched_day_is_the_local_one(
    connection: duckdb.DuckDBPyConnection, observed_at: str, local_day: str
) -> None:
    moment = datetime.fromisoformat(observed_at).replace(tzinfo=UTC)
    merge(connection, SENSOR_READING, [reading(observed_at=moment, received_at=moment)], 1)
    assert touched_days(connection, 1) == [("tts_hogland", local_day)]


def test_only_days_whose_current_value_changed_are_touched(connection: duckdb.DuckDBPyConnection) -> None:
    day = timedelta(days=1)
    rows = [reading(observed_at=NOON + day * number, received_at=NOON + day * 9) for number in range(4)]
    merge(connection, SENSOR_READING, rows, 1)
    later, earlier = NOON + day * 10, NOON + day * 8
    merge(
        connection,
        SENSOR_READING,
        [
            reading(observed_at=NOON, received_at=later),  # the same value once more
            reading(observed_at=NOON + day, received_at=later, value=9.0),  # a correction
            reading(observed_at=NOON + day * 2, received_at=earlier, value=9.0),  # superseded on arrival
            reading(observed_at=NOON + day * 3, received_at=later, quality="suspect"),
        ],
        2,
    )
    assert touched_days(connection, 2) == [("tts_hogland", "2026-01-11"), ("tts_hogland", "2026-01-13")]


def test_a_merge_of_nothing_changes_nothing(connection: duckdb.DuckDBPyConnection) -> None:
    assert merge(connection, SENSOR_READING, []) == MergeCounts(0, 0, 0)


def test_dump_sees_every_table(tmp_path: Any) -> None:
    """What other tests call "nothing has changed" looks everywhere."""
    tables = {f"raw.{t.name}{suffix}" for t in RAW_TABLES for suffix in ("", "_history")}
    assert set(dump(Warehouse(tmp_path / "w.duckdb"))) == tables | {f"quarantine.{t.name}" for t in RAW_TABLES}


def test_versions_of_one_load_keep_their_order_when_an_earlier_one_arrives(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    """Later lines of a file win; where a row stood is known no more when the next load comes, but its revision is."""
    sensors = [f"S{number:02}" for number in range(20)]
    rows = [
        reading(sensor_id=sensor, value=float(line), landing_row=line) for sensor in sensors for line in (1, 9, 2, 8, 3)
    ]
    merge(connection, SENSOR_READING, rows, 1)
    late = [reading(sensor_id=sensor, value=0.0, received_at=NOON) for sensor in sensors]
    assert merge(connection, SENSOR_READING, late, 2) == MergeCounts(0, 20, 0)
    assert {row[0] for row in stored(connection, "raw.sensor_reading", ("value",))} == {9.0}
    history = stored(connection, "raw.sensor_reading_history", ("revision", "value"))
    assert set(history) == {(1, 0.0), (2, 1.0), (3, 2.0), (4, 3.0), (5, 8.0)}
