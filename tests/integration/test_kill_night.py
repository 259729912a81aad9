"""A night killed with -9 at any moment costs nothing: the next one ends as if it had not happened."""

import random
import time
from collections.abc import Callable
from pathlib import Path

import duckdb

from tests.integration.conftest import Platform

PATIENCE_SECONDS = 600


def kill_at(platform: Platform, phase: Callable[[Path], bool], moment: random.Random) -> None:
    """Start a night and kill it a random moment after ``phase`` shows in the data folder."""
    process = platform.start()
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not phase(platform.data):
            assert process.poll() is None, "the night ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(moment.uniform(0, 0.3))
    finally:
        process.kill()
        process.wait()


def is_loading(data: Path) -> bool:
    """A candidate waits for the gate, or is on its way through."""
    return any(data.glob("candidate/*.parquet"))


def is_building(data: Path) -> bool:
    return (data / "build" / "candidate" / "marts.duckdb").exists()


def is_publishing(data: Path) -> bool:
    return any(data.glob("releases/candidate-*"))


def test_three_killed_nights_and_one_whole_end_as_one_undisturbed(
    make_platform: Callable[[], Platform], first_night: Platform
) -> None:
    platform, moment = make_platform(), random.Random(20260201)
    for phase in (is_loading, is_building, is_publishing):
        kill_at(platform, phase, moment)
        assert_readable(platform)
    night = platform.night()
    assert night.is_good, night.failures
    assert platform.figures() == first_night.figures()
    assert platform.raw() == first_night.raw()
    assert left_behind(platform.data) == []


def test_a_night_killed_while_publishing_leaves_yesterdays_file(platform: Platform) -> None:
    before, release = platform.figures(), platform.published.resolve()
    kill_at(platform, is_publishing, random.Random(1))
    assert platform.figures() == before
    assert release.exists()
    night = platform.night()
    assert night.is_good, night.failures
    assert not night.is_changed
    assert platform.figures() == before
    assert left_behind(platform.data) == []


def assert_readable(platform: Platform) -> None:
    """The warehouse opens after a kill, and holds whole loads only."""
    path = platform.data / "warehouse.duckdb"
    if not path.exists():
        return
    with duckdb.connect(str(path)) as connection:
        rows = connection.execute(
            "SELECT source, sum(rows_inserted + rows_revised) FROM ops.load WHERE status = 'passed' GROUP BY source"
        ).fetchall()
        loaded = sum(count for _, count in rows)
        tables = connection.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'raw'").fetchall()
        stored = sum(connection.execute(f"SELECT count(*) FROM raw.{name}").fetchall()[0][0] for (name,) in tables)
    assert stored == loaded


def left_behind(data: Path) -> list[str]:
    """What a night must not leave: candidates, half written files, write-ahead logs. (A spooled candidate of a killed
    run is cleared after a day, since a run beside this one may still need its own.)
    """
    patterns = ("build/candidate", "releases/candidate-*", "landing/**/.incoming-*", "**/*.duckdb.wal")
    return sorted(str(path.relative_to(data)) for pattern in patterns for path in data.glob(pattern))


def test_the_search_for_leftovers_finds_them(make_platform: Callable[[], Platform]) -> None:
    data = make_platform().data
    (data / "build" / "candidate").mkdir(parents=True)
    (data / "warehouse.duckdb.wal").touch()
    assert left_behind(data) == ["build/candidate", "warehouse.duckdb.wal"]
