"""Of a large mart only the periods that differ are compared and written, and every night is answered as it was."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hogland_pipeline import timeline_changes
from hogland_pipeline.contracts import MartContract
from hogland_pipeline.release_tables import copy_marts
from hogland_pipeline.timeline import read_index, relations_at
from hogland_pipeline.timeline_extension import Extension, extend_timelines

NIGHT = datetime(2026, 2, 1, 1, tzinfo=UTC)
FIRST_DAY = date(2026, 1, 1)
KEY = ("sensor_id", "local_date")
BY_DAY = MartContract("daily_snow", key=KEY, required=frozenset(KEY))
WITHOUT_KEY = MartContract("daily_snow")
# Sensor, day, depth.
Row = tuple[str, int, float]
WEEK: list[Row] = [(sensor, day, 10.0) for sensor in ("a", "b") for day in range(7)]


class Nights:
    """One mart, night after night, without what else a publication does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.releases: list[Path] = []

    def publish(
        self, rows: Sequence[Row], contract: MartContract = BY_DAY, columns: str = "", **options: str
    ) -> Extension:
        """The next night, with these rows; more columns after a comma."""
        night = len(self.releases)
        release = self.folder / f"release-{night}"
        (release / "parquet").mkdir(parents=True)
        build_db = self.folder / f"build-{night}.duckdb"
        with duckdb.connect(build_db) as connection:
            connection.execute("CREATE TABLE sent (sensor_id VARCHAR, day INTEGER, depth_cm DOUBLE)")
            connection.executemany("INSERT INTO sent VALUES (?, ?, ?)", [*rows, ("none", -1, 0.0)])
            day = options.get("day", f"DATE '{FIRST_DAY}' + day")
            connection.execute(
                f"CREATE TABLE daily_snow AS SELECT sensor_id, {day} AS local_date, depth_cm{columns}"
                " FROM sent WHERE day >= 0"
            )
        contracts = {contract.name: contract}
        tables = copy_marts(build_db, release, ["daily_snow"], contracts)
        self.releases.insert(0, release)
        return extend_timelines(release, tables, contracts, NIGHT + timedelta(night), self.releases[1:])

    def ask(self, night: int, columns: str = "sensor_id, local_date - DATE '2026-01-01' AS day, depth_cm") -> list[Row]:
        newest = self.releases[0]
        index = read_index(newest)
        assert index is not None
        [(_, query)] = relations_at(newest, index, NIGHT + timedelta(night))
        return duckdb.sql(f"FROM ({query}) SELECT {columns} ORDER BY ALL").fetchall()

    def files(self) -> dict[str, int]:
        """The files of the mart's timeline, and how many rows each has."""
        folder = self.releases[0] / "timeline" / "daily_snow"
        return {path.name: len(duckdb.sql(f"FROM '{path}'").fetchall()) for path in sorted(folder.iterdir())}


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    return Nights(tmp_path)


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[str] | None]:
    """The periods of each comparison, None for all."""
    periods_of_each: list[Sequence[str] | None] = []
    compare = timeline_changes.MartTimeline._compare

    def spied(timeline: timeline_changes.MartTimeline, table: object, periods: Sequence[str] | None) -> bool:
        periods_of_each.append(periods)
        return compare(timeline, table, periods)  # type: ignore[arg-type]

    monkeypatch.setattr(timeline_changes.MartTimeline, "_compare", spied)
    return periods_of_each


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four rows make a large mart."""
    monkeypatch.setattr(timeline_changes, "SEGMENT_ROWS", 4)


@pytest.mark.usefixtures("large")
def test_only_the_periods_that_lost_a_row_leave_the_file_that_is_a_link(nights: Nights) -> None:
    nights.publish(WEEK)
    corrected = [("a", 2, 12.5) if row == ("a", 2, 10.0) else row for row in WEEK]
    nights.publish([*corrected, ("a", 7, 11.0)])
    folder = nights.releases[0]
    unchanged = folder / "timeline" / "daily_snow" / "unchanged.parquet"
    assert unchanged.samefile(nights.releases[1] / "parquet" / "daily_snow.parquet")
    # The corrected row, the other one of its day, the new day; and what the corrected one was.
    assert nights.files() == {"current-0001.parquet": 3, "past-0001.parquet": 1, "unchanged.parquet": 14}
    assert nights.ask(0) == WEEK
    assert nights.ask(1) == sorted([*corrected, ("a", 7, 11.0)])


@pytest.mark.usefixtures("large")
def test_periods_that_do_not_differ_are_not_compared(nights: Nights, compared: list[Sequence[str] | None]) -> None:
    nights.publish(WEEK)
    nights.publish([*WEEK, ("a", 7, 11.0)])
    nights.publish([*WEEK[1:], ("a", 7, 11.0)])
    nights.publish([(sensor, day, depth + 1) for sensor, day, depth in WEEK])
    assert compared == [["2026-01-08"], ["2026-01-01"], None]


@pytest.mark.usefixtures("large")
def test_a_full_file_is_left_alone_while_another_is_filled(nights: Nights) -> None:
    nights.publish(WEEK)
    rows = list(WEEK)
    for day in range(7, 12):
        rows += [("a", day, 1.0), ("b", day, 1.0)]
        nights.publish(rows)
    assert nights.files() == {
        "current-0001.parquet": 4,
        "current-0002.parquet": 4,
        "current-0003.parquet": 2,
        "unchanged.parquet": 14,
    }
    full = [release / "timeline" / "daily_snow" / "current-0001.parquet" for release in nights.releases[:2]]
    assert full[0].samefile(full[1])
    nights.publish([row for row in rows if row != ("a", 7, 1.0)])
    assert nights.files()["current-0001.parquet"] == 3
    assert full[0].stat().st_nlink == 4, "the releases before keep theirs"
    assert [len(nights.ask(night)) for night in range(7)] == [14, 16, 18, 20, 22, 24, 23]


@pytest.mark.usefixtures("large")
def test_files_of_rows_that_have_gone_do_not_pile_up(nights: Nights) -> None:
    shown = [[(sensor, day + night, depth) for sensor, day, depth in WEEK] for night in range(9)]
    for rows in shown:
        nights.publish(rows)
    current = {name: count for name, count in nights.files().items() if name.startswith("current")}
    assert sum(current.values()) == len(WEEK)
    assert min(list(current.values())[:-1]) >= 2, "half of a file"
    assert [nights.ask(night) for night in range(9)] == [sorted(rows) for rows in shown]
    nights.publish([(sensor, day, depth + 1) for sensor, day, depth in shown[-1]])
    assert [count for name, count in nights.files().items() if name.startswith("current")] == [14]


@pytest.mark.usefixtures("large")
def test_a_large_file_without_number_of_an_older_release_is_followed_by_numbered_ones(nights: Nights) -> None:
    nights.publish(WEEK)
    rows = [(sensor, day, depth + 1) for sensor, day, depth in WEEK]
    nights.publish(rows)
    folder = nights.releases[0] / "timeline" / "daily_snow"
    (folder / "current-0001.parquet").rename(folder / "current.parquet")
    for day in range(7, 12):
        nights.publish([*rows, *(("a", number, 1.0) for number in range(7, day + 1))])
    assert nights.files() == {
        "current-0001.parquet": 4,
        "current-0002.parquet": 1,
        "current.parquet": 14,
        "past-0001.parquet": 14,
    }
    assert [len(nights.ask(night)) for night in range(7)] == [14, 14, 15, 16, 17, 18, 19]


@pytest.mark.usefixtures("large")
def test_columns_that_exchange_their_names_differ_in_every_period(nights: Nights) -> None:
    nights.publish(WEEK, columns=", depth_cm - 1 AS highest, depth_cm + 1 AS lowest")
    nights.publish([*WEEK, ("a", 7, 10.0)], columns=", depth_cm - 1 AS lowest, depth_cm + 1 AS highest")
    both = "max(lowest), max(highest), count(*)"
    assert (nights.ask(0, both), nights.ask(1, both)) == ([(11.0, 9.0, 14)], [(9.0, 11.0, 15)])


@pytest.mark.parametrize("name", ["gained", "row_hash", "is_leaving", "side"])
@pytest.mark.usefixtures("large")
def test_a_column_may_have_any_name_that_the_files_do_not_need(nights: Nights, name: str) -> None:
    for night in range(3):
        nights.publish([*WEEK[night:], ("b", 6, 10.0)], columns=f", 1 AS {name}")
    assert [nights.ask(night, f"sum({name})") for night in range(3)] == [[(15,)], [(14,)], [(13,)]]


@pytest.mark.usefixtures("large")
def test_rows_of_other_days_that_may_be_kept_from_now_on_are_known_before_a_file_is_written(
    nights: Nights, compared: list[Sequence[str] | None]
) -> None:
    hidden = MartContract("daily_snow", key=KEY, required=BY_DAY.required, timeline_rows="depth_cm < 11")
    shown = [("b", 6, 12.0), *WEEK]
    nights.publish(shown, hidden)
    nights.publish([*shown, ("a", 7, 10.0)], hidden)
    nights.publish([*shown, ("a", 7, 11.0)], BY_DAY)
    assert compared == [["2026-01-08"], None]
    assert nights.ask(1) == sorted([*WEEK, ("a", 7, 10.0)])
    assert nights.ask(2) == sorted([*shown, ("a", 7, 11.0)])


@pytest.mark.usefixtures("large")
def test_a_mart_of_which_most_changed_leaves_the_link_as_a_whole(nights: Nights) -> None:
    nights.publish(WEEK)
    changed = [(sensor, day, depth + (day < 4)) for sensor, day, depth in WEEK]
    nights.publish(changed)
    assert nights.files() == {"current-0001.parquet": 14, "past-0001.parquet": 8}
    assert (nights.ask(0), nights.ask(1)) == (WEEK, changed)


@pytest.mark.parametrize(
    ("contract", "day"),
    [
        (BY_DAY, "(DATE '2026-01-01' + day)::TIMESTAMP"),
        (BY_DAY, "(DATE '2026-01-01' + day)::TIMESTAMP AT TIME ZONE 'UTC'"),
        (MartContract("daily_snow", key=KEY), "DATE '2026-01-01' + day"),
        (WITHOUT_KEY, "DATE '2026-01-01' + day"),
    ],
    ids=["time", "time with zone", "may be null", "no key"],
)
@pytest.mark.usefixtures("large")
def test_a_day_is_told_by_any_time_of_the_key_that_is_never_null(
    nights: Nights, contract: MartContract, day: str
) -> None:
    nights.publish(WEEK, contract, day=day)
    nights.publish(WEEK[1:], contract, day=day)
    assert ("unchanged.parquet" in nights.files()) is bool(contract.required)
    count = "count(*)"
    assert (nights.ask(0, count), nights.ask(1, count)) == ([(14,)], [(13,)])


@pytest.mark.usefixtures("large")
def test_a_key_whose_days_are_told_otherwise_begins_a_new_form_where_periods_have_moved(nights: Nights) -> None:
    nights.publish(WEEK)
    nights.publish(WEEK[1:])
    nights.publish(WEEK[1:], WITHOUT_KEY)
    assert nights.files() == {"unchanged.parquet": 13}
    assert [len(nights.ask(night)) for night in range(3)] == [14, 13, 13]


@pytest.mark.usefixtures("large")
def test_a_column_that_is_added_is_null_before_and_moves_nothing(nights: Nights) -> None:
    nights.publish(WEEK)
    nights.publish(WEEK[1:])
    nights.publish(WEEK[1:], columns=", NULL::VARCHAR AS note")
    nights.publish(WEEK[1:], columns=", CASE WHEN day = 1 AND sensor_id = 'a' THEN 'seen' END AS note")
    assert nights.files()["unchanged.parquet"] == 14
    assert [nights.ask(night, "count(*), count(note)") for night in range(4)] == [
        [(14, 0)],
        [(13, 0)],
        [(13, 0)],
        [(13, 1)],
    ]


@pytest.mark.usefixtures("large")
def test_rows_that_another_mart_lets_in_are_found_though_the_mart_is_the_same(nights: Nights) -> None:
    hidden = MartContract("daily_snow", key=KEY, required=BY_DAY.required, timeline_rows="depth_cm < 5")
    nights.publish(WEEK, hidden)
    assert nights.ask(0) == []
    nights.publish(WEEK, BY_DAY)
    assert nights.ask(1) == WEEK


def test_a_mart_written_by_many_rows_lies_in_files_of_two_row_groups_in_order(nights: Nights) -> None:
    rows = 3 * timeline_changes.SEGMENT_ROWS
    many = f", unnest(range({rows} // 14)) AS number"
    nights.publish(WEEK, columns=many)
    nights.publish([(sensor, day, 11.0) for sensor, day, _ in WEEK], columns=many)
    files = nights.files()
    assert {name.partition("-")[0] for name in files} == {"current", "past"}
    assert sum(count for name, count in files.items() if name.startswith("current")) == rows // 14 * 14
    assert len(files) >= 4
    folder = nights.releases[0] / "timeline" / "daily_snow"
    days = duckdb.sql(f"FROM '{folder}/current-0001.parquet' SELECT count(DISTINCT local_date)").fetchall()
    assert days[0][0] < 7


MANY_ROWS = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 5), st.sampled_from([1.0, 1.5])), min_size=0, max_size=14
)


# Further columns, and what ``low`` then is.
COLUMNS = {"": None, ", 1 AS low, 2 AS high": 1, ", 1 AS high, 2 AS low": 2, ", 1 AS high, 2 AS low, 3 AS new": 2}
CONDITION = "depth_cm < 1.2"


@given(
    st.lists(st.tuples(MANY_ROWS, st.sampled_from(list(COLUMNS)), st.booleans()), min_size=2, max_size=5),
    st.sampled_from([3, 6, 100]),
    st.sampled_from([BY_DAY, WITHOUT_KEY]),
)
@settings(max_examples=20, deadline=None)
def test_every_night_is_answered_whatever_came_and_left(
    shown: list[tuple[list[Row], str, bool]], segment_rows: int, contract: MartContract
) -> None:
    with TemporaryDirectory() as folder, patch.object(timeline_changes, "SEGMENT_ROWS", segment_rows):
        nights = Nights(Path(folder))
        for rows, columns, is_partly_kept in shown:
            nights.publish(rows, replace(contract, timeline_rows=CONDITION if is_partly_kept else "true"), columns)
        for night, (rows, columns, _) in enumerate(shown):
            is_partly_kept = any(is_partly_kept for _, _, is_partly_kept in shown[night:])
            assert nights.ask(night) == sorted(row for row in rows if row[2] < 1.2 or not is_partly_kept)
            if columns:
                assert nights.ask(night, f"count(*) FILTER (low <> {COLUMNS[columns]})") == [(0,)]
