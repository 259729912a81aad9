"""An uplink that is told more than once is one reading, in whatever order and loads its tellings come."""

import base64
import itertools
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hogland_pipeline.revisions import MergeCounts
from hogland_pipeline.warehouse import SENSOR_READING
from sensors_ingest import uplinks
from sensors_ingest.devices import Device
from sensors_ingest.landing import Landing
from sensors_ingest.readings import READING_SCHEMA
from tests.unit.hogland_pipeline.raw_rows import NOON, fresh_warehouse, merge, reading, stored, touched_days

QUANTITIES = ("air_temperature", "relative_humidity")
SHOWN = ("uplink_key", "quantity", "observed_at", "value", "source_quality", "revision")
# One telling: counter, whether the device was restarted since, seconds after it was first heard, value, received after.
Telling = tuple[int, int, int, int, int]
TELLINGS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(0, 2),
        st.sampled_from([0, 1, 2, 60, 299, 300]),
        st.integers(0, 1),
        st.integers(0, 9),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda telling: (telling[0], telling[1], telling[4]),
)


def first_heard(counter: int, restarts: int) -> datetime:
    """Ten minutes after the restart before, and around a midnight."""
    return datetime(2026, 1, 10, 23, 50, 25 * counter, tzinfo=UTC) + timedelta(minutes=10.1 * restarts)


def rows_of(telling: Telling) -> list[dict[str, Any]]:
    counter, restarts, seconds, value, received = telling
    heard = first_heard(counter, restarts) + timedelta(seconds=seconds)
    # The first counter's messages hold one quantity when they were not heard at once, as another decoder gives them.
    quantities = QUANTITIES[:1] if counter == 0 and seconds else QUANTITIES
    return [
        reading(
            uplink_key=f"laser//{counter}",
            quantity=quantity,
            observed_at=heard,
            value=float(value),
            source_quality="network_time" if seconds == 300 else None,
            received_at=NOON + timedelta(hours=10 * restarts, minutes=received),
        )
        for quantity in quantities
    ]


@st.composite
def loads_of_tellings(draw: st.DrawFn) -> list[list[Telling]]:
    """The same tellings in any order, cut into any number of loads; some come twice."""
    tellings = draw(TELLINGS)
    repeated = draw(st.lists(st.sampled_from(tellings), max_size=3))
    shuffled = draw(st.permutations([*tellings, *repeated]))
    cuts = sorted(draw(st.sets(st.integers(1, len(shuffled)), max_size=5)))
    return [shuffled[start:end] for start, end in zip([0, *cuts], [*cuts, len(shuffled)], strict=True) if start < end]


def state(loads: Sequence[Sequence[Telling]]) -> tuple[list[Any], list[Any]]:
    with fresh_warehouse() as connection:
        for load_id, load in enumerate(loads, start=1):
            rows = [row for telling in load for row in rows_of(telling)]
            counts = merge(connection, SENSOR_READING, rows, load_id)
            assert counts.inserted + counts.revised + counts.unchanged == len(rows)
            assert min(counts.inserted, counts.revised, counts.unchanged) >= 0
        return stored(connection, "raw.sensor_reading", SHOWN), stored(connection, "raw.sensor_reading_history", SHOWN)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(loads=loads_of_tellings())
def test_any_order_and_any_cut_into_loads_is_one_reading_at_the_earliest_time(loads: list[list[Telling]]) -> None:
    everything = sorted(telling for load in loads for telling in load)
    raw, history = state(loads)
    assert (raw, history) == state([everything])
    expected = set()
    for (counter, _), group in itertools.groupby(everything, key=lambda telling: telling[:2]):
        rows = [row for telling in group for row in rows_of(telling)]
        earliest = min(row["observed_at"] for row in rows)
        expected |= {(f"laser//{counter}", row["quantity"], earliest) for row in rows}
    assert sorted(row[:3] for row in raw) == sorted(expected)


def telling(after: float = 0, **given: Any) -> dict[str, Any]:
    return reading(**{"uplink_key": "one", "observed_at": NOON + timedelta(seconds=after)} | given)


def times(connection: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    return stored(connection, "raw.sensor_reading", ("observed_at", "value"))


def test_a_later_time_of_the_same_uplink_changes_nothing(connection: duckdb.DuckDBPyConnection) -> None:
    merge(connection, SENSOR_READING, [telling()], 1)
    assert merge(connection, SENSOR_READING, [telling(1)], 2) == MergeCounts(0, 0, 1)
    assert times(connection) == [(NOON, -3.5)]
    assert touched_days(connection, 2) == []


def test_an_earlier_time_moves_the_reading_and_touches_both_its_days(connection: duckdb.DuckDBPyConnection) -> None:
    midnight = datetime(2026, 1, 10, 23, tzinfo=UTC)  # in Sweden
    before = midnight - timedelta(seconds=1)
    merge(connection, SENSOR_READING, [telling(observed_at=midnight, value=1.0, received_at=NOON)], 1)
    merge(connection, SENSOR_READING, [telling(observed_at=midnight, value=2.0)], 2)
    counts = merge(connection, SENSOR_READING, [telling(observed_at=before, value=2.0)], 3)
    assert counts == MergeCounts(0, 0, 1)
    assert times(connection) == [(before, 2.0)]
    assert stored(connection, "raw.sensor_reading_history", ("observed_at", "value")) == [(before, 1.0)]
    assert touched_days(connection, 3) == [("tts_hogland", "2026-01-10"), ("tts_hogland", "2026-01-11")]


def test_what_a_corrected_decoder_said_stays_the_latest_when_the_reading_moves(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    for load_id, value in enumerate((-35.0, 7.0, -3.5), start=1):
        merge(connection, SENSOR_READING, [telling(1, value=value)], load_id)
    merge(connection, SENSOR_READING, [telling(quantity="relative_humidity", value=80.0)], 4)
    assert stored(connection, "raw.sensor_reading", ("observed_at", "value", "revision")) == [
        (NOON, -3.5, 3),
        (NOON, 80.0, 1),
    ]


def test_another_uplink_of_the_same_second_stays_where_it_is(connection: duckdb.DuckDBPyConnection) -> None:
    merge(connection, SENSOR_READING, [telling(1, uplink_key="two", value=2.0, received_at=NOON)], 1)
    assert merge(connection, SENSOR_READING, [telling(1, value=1.0)], 2) == MergeCounts(0, 1, 0)
    assert merge(connection, SENSOR_READING, [telling(value=1.0)], 3) == MergeCounts(0, 0, 1)
    assert times(connection) == [(NOON, 1.0), (NOON + timedelta(seconds=1), 2.0)]
    assert stored(connection, "raw.sensor_reading_history", ("*",)) == []


def test_a_counter_that_began_again_and_rows_without_a_key_are_told_by_their_time(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    again = timedelta(minutes=5, seconds=1)
    merge(connection, SENSOR_READING, [telling(), telling(observed_at=NOON - again)], 1)
    merge(connection, SENSOR_READING, [telling(observed_at=NOON + again)], 2)
    merge(connection, SENSOR_READING, [telling(second, uplink_key=None) for second in (1, 2)], 3)
    merge(connection, SENSOR_READING, [telling(3, feed="another")], 4)
    assert len(times(connection)) == 6


EUI, HEARD = "A81758FFFE04A001", datetime(2026, 1, 5, 11, 0, 1, tzinfo=UTC)


def message(payload: str, port: int, *delays: int) -> str:
    """One uplink as gateways heard it that many seconds after each other."""
    gateways = [{"time": (HEARD + timedelta(seconds=delay)).isoformat(), "rssi": -100 - delay} for delay in delays]
    said = {
        "session_key_id": "AXPo",
        "f_port": port,
        "f_cnt": 6,
        "frm_payload": base64.b64encode(bytes.fromhex(payload)).decode(),
        "rx_metadata": gateways,
        "received_at": (HEARD + timedelta(seconds=9)).isoformat(),
    }
    return json.dumps({"end_device_ids": {"dev_eui": EUI}, "received_at": said["received_at"], "uplink_message": said})


def readings_of(folder: Path, decoder: str, *loads: Sequence[str]) -> list[tuple[Any, ...]]:
    """What raw holds after ``loads``, each of them the lines of one landing file."""
    landing = Landing(folder)
    with fresh_warehouse() as connection:
        for load_id, lines in enumerate(loads, start=1):
            file = landing.write("tts", ["\n".join(lines).encode()], address="a", suffix="ndjson", day=date(2026, 1, 5))
            batches = uplinks.decode("tts", (Device(EUI, decoder),), landing, [file])
            merge(connection, SENSOR_READING, pa.Table.from_batches(batches, READING_SCHEMA).to_pylist(), load_id)
        return stored(connection, "raw.sensor_reading", ("quantity", "observed_at", "value"))


def test_the_gateways_of_an_uplink_may_come_one_by_one(tmp_path: Path) -> None:
    lines = [message("0e0bb8", 5, delay) for delay in (2, 0, 1)]
    for number, order in enumerate(itertools.permutations(lines)):
        for cut in range(3):
            found = readings_of(tmp_path / f"{number}-{cut}", "elsys", order[:cut], order[cut:])
            assert {(quantity, at) for quantity, at, _ in found} == {
                ("distance", HEARD),
                ("signal_rssi", HEARD),
                ("signal_snr", HEARD),
            }


def test_measurements_a_device_kept_are_not_repeats_of_each_other(tmp_path: Path) -> None:
    """Two measurements two seconds apart in one message, which comes twice."""
    kept = "0b3d01f47fff016307e5b60a3d01f47fff016307e7b6"
    lines = [message(kept, 3, delay) for delay in (1, 0)]
    apart = kept.replace("6307e7b6", "6307e5b8")
    for name, payload in (("far", kept), ("near", apart)):
        lines = [message(payload, 3, delay) for delay in (1, 0)]
        found = readings_of(tmp_path / name, "dragino_lht52", lines[:1], lines[1:])
        assert [value for quantity, _, value in found if quantity == "air_temperature"] == [28.77, 26.21]


def test_readings_that_meet_do_not_hide_what_else_is_new(connection: duckdb.DuckDBPyConnection) -> None:
    """A telling between two that were taken for two events makes them one."""
    merge(connection, SENSOR_READING, [telling(value=1.0), telling(8 * 60, value=1.0)], 1)
    arriving = [telling(4 * 60, value=1.0), telling(uplink_key="other", sensor_id="B")]
    assert merge(connection, SENSOR_READING, arriving, 2) == MergeCounts(1, 0, 1)
    assert len(times(connection)) == 2


def test_readings_that_meet_with_other_values_are_not_revisions_of_the_batch(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    merge(connection, SENSOR_READING, [telling(value=1.0), telling(8 * 60, value=2.0)], 1)
    arriving = [telling(4 * 60, value=3.0), telling(uplink_key="other", sensor_id="B")]
    assert merge(connection, SENSOR_READING, arriving, 2) == MergeCounts(1, 1, 0)
    assert len(stored(connection, "raw.sensor_reading_history", ("*",))) == 2


def test_a_reading_that_moves_keeps_its_load(connection: duckdb.DuckDBPyConnection) -> None:
    merge(connection, SENSOR_READING, [telling(1, value=1.0)], 1)
    merge(connection, SENSOR_READING, [telling(1, value=2.0, received_at=NOON + timedelta(hours=1))], 2)
    assert merge(connection, SENSOR_READING, [telling(value=3.0)], 3) == MergeCounts(0, 1, 0)
    everything = stored(connection, "raw.sensor_reading", ("value", "revision", "load_id"))
    everything += stored(connection, "raw.sensor_reading_history", ("value", "revision", "load_id"))
    assert sorted(everything) == [(1.0, 1, 1), (2.0, 3, 2), (3.0, 2, 3)]
