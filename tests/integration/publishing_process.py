"""The processes around a published file: `python -m tests.integration.publishing_process ROLE ARGUMENTS`.

Every table of night N holds N in every row, so that a reader can tell one release from a mixture.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from hogland_pipeline.publish import Publication, publish
from hogland_pipeline.releases import Target, published_at
from hogland_pipeline.timeline import read_index, relations_at

ROWS = 20_000
KEPT = 20
FIRST_NIGHT = datetime(2026, 1, 1, 1, tzinfo=UTC)
MARTS = ("daily_snow", "dim_sensor")
TABLES = (*MARTS, "publication")
# What a publication does to files; a process killed at each of them leaves every state there is between them.
FILE_EVENTS = {"open", "os.mkdir", "os.rename", "os.symlink", "os.remove", "os.rmdir", "shutil.rmtree"}


def publish_night(root: Path, night: int, *, rows: int = ROWS, keep: int = KEPT) -> Publication:
    build_db = root.parent / f"build-{os.getpid()}" / "marts.duckdb"
    build_db.parent.mkdir(exist_ok=True)
    with duckdb.connect(build_db) as connection:
        for mart in MARTS:
            query = f"select {night} as night, range as number from range({rows})"
            connection.execute(f"create or replace table {mart} as {query}")
    return publish(
        build_db,
        Target(root, keep=keep),
        MARTS,
        run_id=f"{night}",
        sources=[],
        stale={},
        audit=lambda *_: [],
        published_at=FIRST_NIGHT + timedelta(days=night),
    )


def night_in(connection: duckdb.DuckDBPyConnection, tables: dict[str, str]) -> int:
    """The one night that every row of every table belongs to; a table that is not whole is an error."""
    nights: set[int] = set()
    for table, relation in tables.items():
        column = "run_id::integer" if table == "publication" else "night"
        expected = len(MARTS) if table == "publication" else ROWS
        query = f"select min({column}), max({column}), count(*) from {relation}"
        [(low, high, rows)] = connection.execute(query).fetchall()
        if rows != expected:
            raise AssertionError(f"{table} has {rows} rows, not {expected}")
        nights |= {low, high}
    if len(nights) != 1:
        raise AssertionError(f"a mixture of nights {sorted(nights)}")
    return nights.pop()


def read_database(root: Path) -> int:
    with duckdb.connect(Target(root).database, read_only=True) as connection:
        return night_in(connection, {table: f"main.{table}" for table in TABLES})


def read_folder(root: Path) -> int:
    """As a reader of several files does: resolve the link once, then read DuckDB, Parquet, timelines and manifest."""
    folder = Target(root).published.resolve()
    with duckdb.connect(folder / "hogland.duckdb", read_only=True) as connection:
        night = night_in(connection, {table: f"main.{table}" for table in TABLES})
        parquet = {table: f"'{folder}/parquet/{table}.parquet'" for table in TABLES}
        if night_in(connection, parquet) != night:
            raise AssertionError("Parquet and DuckDB differ")
    if night_in_timelines(folder, published_at(folder.name)) != night:
        raise AssertionError("timelines and DuckDB differ")
    if json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["run_id"] != str(night):
        raise AssertionError("the manifest is of another night")
    return night


def night_in_timelines(folder: Path, moment: datetime) -> int:
    """The one night that the timelines of a release give for a moment."""
    index = read_index(folder)
    if index is None:
        raise AssertionError("there are no timelines")
    relations = {mart: f"({query})" for mart, query in relations_at(folder, index, moment)}
    if sorted(relations) != sorted(MARTS):
        raise AssertionError(f"timelines of {sorted(relations)}")
    with duckdb.connect() as connection:
        return night_in(connection, relations)


def nights_in_timelines(root: Path) -> list[int]:
    """Every night that the timelines of the current release tell of, each asked at its own moment."""
    folder = Target(root).published.resolve()
    files = str(folder / "timeline" / MARTS[0] / "*.parquet")
    with duckdb.connect() as connection:
        query = f"select distinct published_from at time zone 'UTC' from '{files}' order by 1"
        moments = [moment.replace(tzinfo=UTC) for (moment,) in connection.execute(query).fetchall()]
    return [night_in_timelines(folder, moment) for moment in moments]


def publish_nights(root: Path, first: str, count: str) -> None:
    _say("ready")
    for night in range(int(first), int(first) + int(count)):
        publish_night(root, night)


def poll(root: Path, stop: str, report: str) -> None:
    """Fresh opens until the stop file is there; reports reads, nights seen, and anything that was wrong."""
    seen: dict[str, Any] = {"reads": 0, "nights": [], "errors": []}
    _say("ready")
    last = -1
    while not (stopping := Path(stop).exists()) or seen["reads"] == 0:
        for read in (read_database, read_folder):
            try:
                night = read(root)
            except Exception as error:
                seen["errors"].append(f"{read.__name__}: {type(error).__name__}: {error}")
                continue
            if night < last:
                seen["errors"].append(f"{read.__name__}: night {night} after night {last}")
            if night != last:
                seen["nights"].append(night)
            last = night
            seen["reads"] += 1
        if stopping:
            break
    Path(report).write_text(json.dumps(seen), encoding="utf-8")


def hold(root: Path, stop: str, report: str) -> None:
    """One connection kept open through all swaps: it goes on reading the release it opened."""
    seen: dict[str, Any] = {"reads": 0, "nights": [], "errors": []}
    with duckdb.connect(Target(root).database, read_only=True) as connection:
        seen["nights"].append(night_in(connection, {table: f"main.{table}" for table in TABLES}))
        _say("ready")
        while not Path(stop).exists() or seen["reads"] == 0:
            try:
                night = night_in(connection, {table: f"main.{table}" for table in TABLES})
                if night != seen["nights"][0]:
                    seen["errors"].append(f"night {night} in a connection opened on {seen['nights'][0]}")
            except Exception as error:
                seen["errors"].append(f"{type(error).__name__}: {error}")
            seen["reads"] += 1
    Path(report).write_text(json.dumps(seen), encoding="utf-8")


def hold_result(root: Path, stop: str, report: str) -> None:
    """A result of which only the beginning is fetched, and a table not touched yet; the rest once the file is there."""
    with duckdb.connect(Target(root).database, read_only=True) as connection:
        result = connection.cursor().execute("select night, number from daily_snow")
        fetched = result.fetchmany(ROWS)
        _say("ready")
        while not Path(stop).exists():
            time.sleep(0.05)
        while batch := result.fetchmany(100_000):
            fetched += batch
        nights = {night for night, _ in fetched}
        untouched = connection.execute("select max(night), sum(number)::bigint from dim_sensor").fetchone()
    seen = {
        "nights": sorted(nights),
        "sum": sum(number for _, number in fetched),
        "untouched": untouched,
        "after_closing": read_database(root),
    }
    Path(report).write_text(json.dumps(seen), encoding="utf-8")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def die_everywhere(root: Path) -> None:
    """Publish night after night, each killed one file operation later than the last, until one survives.

    Says for every attempt, the night that a fresh process read afterwards.
    """
    nights = []
    survived = False
    while not survived:
        attempt = len(nights) + 1
        survived = _forked(partial(_publish_and_die, root, attempt)) == 0
        nights.append(_forked(partial(read_folder, root)))
    _say(json.dumps(nights))


def _publish_and_die(root: Path, attempt: int) -> int:
    counted = 0

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal counted
        if event in FILE_EVENTS and str(root) in str(arguments):
            counted += 1
            if counted == attempt:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    publish_night(root, attempt)
    return 0


def _forked(work: Callable[[], int]) -> int:
    """What the work returned in a child process, negative when it was killed, 255 when it raised."""
    child = os.fork()
    if child == 0:
        code = 255
        try:
            code = work()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


ROLES = {
    "publish": publish_nights,
    "poll": poll,
    "hold": hold,
    "hold-result": hold_result,
    "die": die_everywhere,
}

if __name__ == "__main__":
    role, data, *rest = sys.argv[1:]
    ROLES[role](Path(data), *rest)
