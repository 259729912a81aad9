"""``make bench-publish``: what publishing a mart costs, as a ratio to a bare copy of the same rows in the same run.

    python -m tests.bench.bench_publish [--rows 1000000 10000000] [--targets files timelines postgres] [--times 2]

files     a whole release in DuckDB and Parquet: copied, fingerprinted, compared, recorded, digested, made durable,
          switched; the mart's timeline begins. And once more for the night after, with a new day and a corrected one.
          Bare: CREATE TABLE AS and CHECKPOINT into a file of the same storage version, COPY to Parquet.
timelines the timeline alone of a mart with a new day and a corrected one, of one of which one row in a hundred changed,
          and of one that did not change. Bare: EXCEPT ALL both ways between the two releases, to Parquet.
postgres  loaded with index, statistics and rights where nobody sees it, counted, and switched. Bare: CREATE TABLE and
          one ADBC stream of the same Parquet file, without and with the index on the key.
          Its CPU is the client's and the server's together; the server tidies nothing up by itself meanwhile.

Each is measured some times, in turn, in a process of its own; the best of each counts.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from hogland_pipeline.contracts import MartContract
from hogland_pipeline.publish import publish
from hogland_pipeline.release_tables import (
    STORAGE_VERSION,
    WrittenTable,
    copy_marts,
    parquet_path,
    release_tables,
)
from hogland_pipeline.releases import DATABASE_NAME, Target
from hogland_pipeline.targets.postgres import PostgresTarget
from hogland_pipeline.targets.server_copy import ServerCopy
from hogland_pipeline.timeline_extension import extend_timelines
from tests.bench.measure import Cost, measured
from tests.postgres_server import Server, postgres_server

MART = "kpi_daily"
KEY = ("sensor_id", "local_date")
# A mart like kpi_operations__daily_snow: keys, texts, measurements with gaps, a time; sensors by day.
ROWS = """
    SELECT printf('A81758FFFE%06d', i % {sensors}) AS sensor_id, 'tts_hogland' AS feed,
           printf('06%02d', 80 + i % 7) AS municipality_code,
           DATE '1990-01-01' + (i // {sensors})::INTEGER AS local_date,
           round(50 + 40 * sin(i / 700), 1) AS snow_depth_low_cm,
           round(55 + 40 * sin(i / 700), 1) AS snow_depth_high_cm,
           CASE WHEN i % 5 = 0 THEN NULL ELSE round(8 * sin(i / 90), 2) END AS air_temperature_low_degc,
           round(random() * 100, 2) AS relative_humidity_mean_pct, 144::BIGINT AS expected_readings,
           (140 + i % 5)::BIGINT AS readings, i % 3 = 0 AS is_snow_cover_day,
           TIMESTAMPTZ '2026-01-01 00:00:00+00' + to_seconds(i) AS loaded_at
    FROM range({rows}) t(i)
"""
TARGETS = ["files", "timelines", "postgres"]
Work = Callable[[int], tuple[Path, int]]  # the turn -> the file it made, and its rows


def build(folder: Path, rows: int) -> Path:
    """A build database with one mart of that many rows."""
    path = folder / "marts.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute(f"CREATE TABLE {MART} AS {ROWS.format(rows=rows, sensors=max(rows // 10_000, 1))}")
    return path


def bare_files(build_db: Path, folder: Path) -> tuple[Path, int]:
    """The same rows into a DuckDB file and a Parquet file, and nothing else."""
    folder.mkdir()
    path = folder / "bare.duckdb"
    with duckdb.connect(config={"temp_directory": str(folder / "spill")}) as connection:
        connection.execute(f"ATTACH '{build_db}' AS build (READ_ONLY)")
        connection.execute(f"ATTACH '{path}' AS bare (STORAGE_VERSION '{STORAGE_VERSION}')")
        connection.execute(f"CREATE TABLE bare.{MART} AS FROM build.{MART}")
        connection.execute("CHECKPOINT bare")
        parquet = folder / f"{MART}.parquet"
        connection.execute(f"COPY bare.{MART} TO '{parquet}' (FORMAT parquet, COMPRESSION zstd)")
        [(rows,)] = connection.execute(f"SELECT count(*) FROM bare.{MART}").fetchall()
    return path, int(rows)


def our_files(build_db: Path, folder: Path) -> tuple[Path, int]:
    """A release as the night makes it, without an audit: what that costs depends on the suite."""
    publication = publish(
        build_db,
        Target(folder, keep=2),
        [MART],
        run_id="bench",
        sources=[],
        stale={},
        audit=lambda *_: (),
        published_at=datetime.now(UTC),
        contracts=contracts(),
    )
    return publication.folder / DATABASE_NAME, publication.marts[0].row_count


def a_night_later(build_db: Path, is_corrected: str, new_days: int) -> Path:
    """The same mart the night after: rows that meet the condition have another value, and there are more days."""
    path = build_db.with_name(f"later-{new_days}") / build_db.name
    path.parent.mkdir(exist_ok=True)
    with duckdb.connect(path) as connection:
        connection.execute(f"ATTACH '{build_db}' AS before (READ_ONLY)")
        connection.execute(
            f"CREATE OR REPLACE TABLE {MART} AS FROM before.{MART} SELECT * REPLACE ("
            f"CASE WHEN {is_corrected} THEN readings + 1 ELSE readings END AS readings)"
        )
        connection.execute(
            f"INSERT INTO {MART} FROM before.{MART} SELECT * REPLACE (local_date + {new_days} AS local_date)"
            f" WHERE local_date > (FROM before.{MART} SELECT max(local_date)) - {new_days}"
        )
    return path


def bare_difference(before: Path, after: Path, folder: Path) -> tuple[Path, int]:
    """What one release has more than the other, and less."""
    folder.mkdir()
    path = folder / "difference.parquet"
    with duckdb.connect(config={"temp_directory": str(folder / "spill")}) as connection:
        connection.execute(f"ATTACH '{before}' AS before (READ_ONLY)")
        connection.execute(f"ATTACH '{after}' AS after (READ_ONLY)")
        gained = f"FROM after.{MART} EXCEPT ALL FROM before.{MART}"
        lost = f"FROM before.{MART} EXCEPT ALL FROM after.{MART}"
        connection.execute(
            f"COPY (FROM ({gained}) SELECT *, 1 AS change UNION ALL FROM ({lost}) SELECT *, -1) TO '{path}'"
            " (FORMAT parquet, COMPRESSION zstd)"
        )
        [(rows,)] = connection.execute(f"FROM '{path}' SELECT count(*) FILTER (change < 0)").fetchall()
    return path, int(rows)


@dataclass(frozen=True)
class Candidate:
    """A release that is copied and not published yet, and the one before it."""

    folder: Path
    tables: Sequence[WrittenTable]
    before: Path


def candidate(build_db: Path, folder: Path, before: Path) -> Candidate:
    """As a publication has it when its timelines' turn comes."""
    (folder / "parquet").mkdir(parents=True)
    return Candidate(folder, copy_marts(build_db, folder, [MART], contracts()), before)


def our_timeline(copied: Candidate) -> tuple[Path, int]:
    """What a publication does for the timelines, and nothing else of it."""
    extend_timelines(copied.folder, copied.tables, contracts(), datetime.now(UTC), [copied.before])
    past = sorted((copied.folder / "timeline" / MART).glob("past-*.parquet"))
    return (past or [parquet_path(copied.folder, MART)])[0], sum(pq.read_metadata(path).num_rows for path in past)


def contracts() -> dict[str, MartContract]:
    """The mart's key: PostgreSQL gets an index on it."""
    return {MART: MartContract(MART, key=KEY, required=frozenset(KEY))}


def bare_server(server: Server, parquet: Path, with_index: bool, _turn: int) -> tuple[Path, int]:
    """One table and one stream of Arrow batches into a binary COPY; where asked, the index on the key after it."""
    from adbc_driver_postgresql import dbapi

    server.ask("DROP TABLE IF EXISTS bare_copy")
    with pq.ParquetFile(parquet) as file, dbapi.connect(server.uri, autocommit=True) as connection:
        rows = pa.RecordBatchReader.from_batches(file.schema_arrow, file.iter_batches(65_536))
        with connection.cursor() as cursor:
            loaded = int(cursor.adbc_ingest("bare_copy", rows, mode="create"))
    if with_index:
        server.ask(f"CREATE INDEX ON bare_copy ({', '.join(KEY)})")
    return parquet, loaded


def our_server(server: Server, release: Path, _turn: int) -> tuple[Path, int]:
    """As the publication does after the files."""
    tables, _ = release_tables(release)
    mart = [table for table in tables if table.name == MART]
    with ServerCopy(PostgresTarget(server.settings(kept_releases=1)), release.name) as copy:
        copy.load(release, mart, contracts())
        copy.switch()
        if copy.failure:
            raise SystemExit(copy.failure)
    return parquet_path(release, MART), mart[0].row_count


def best(work: Work, bare: Work, times: int, server: Server | None = None) -> tuple[Cost, Cost]:
    """Ours and bare in turn; the best of each."""
    pairs = [(cost_of(bare, turn, server), cost_of(work, turn, server)) for turn in range(times)]
    return min((ours for _, ours in pairs), key=_wall), min((floor for floor, _ in pairs), key=_wall)


def cost_of(work: Work, turn: int, server: Server | None) -> Cost:
    """One measurement, with what a server spent on it. It begins with nothing left to write from the one before."""
    if server is None:
        return measured(lambda: work(turn))
    server.ask("CHECKPOINT")
    before = server.cpu_seconds()
    cost = measured(lambda: work(turn))
    return replace(cost, cpu=cost.cpu + server.cpu_seconds() - before)


def _wall(cost: Cost) -> float:
    return cost.wall


def publishing(night: Path, scratch: Path) -> tuple[Work, Work]:
    """A release of a night's marts after those of the night before with the same turn, and the bare copy."""
    return (
        lambda turn: our_files(night, scratch / f"ours-{turn}"),
        lambda turn: bare_files(night, scratch / f"bare-{night.parent.name}-{turn}"),
    )


def extending(before: Path, release: Path, night: Path, scratch: Path, times: int) -> tuple[Work, Work]:
    """What a night's timelines cost after the release before, and the bare difference of both nights."""
    turns = [candidate(night, scratch / f"candidate-{turn}", release) for turn in range(times)]
    return (
        lambda turn: our_timeline(turns[turn]),
        lambda turn: bare_difference(before, night, scratch / f"difference-{turn}"),
    )


def bench(rows: int, targets: list[str], times: int, scratch: Path) -> Iterator[dict[str, Any]]:
    """Every target of one size."""
    build_db = build(scratch, rows)
    later = a_night_later(build_db, "local_date = DATE '1990-01-01'", new_days=1)
    if "files" in targets:
        for target, night in (("DuckDB and Parquet", build_db), ("the night after", later)):
            ours, bare = best(*publishing(night, scratch), times)
            yield {"target": target, "rows": rows, "ours": ours, "bare": bare}
    if "timelines" in targets:
        before, _ = our_files(build_db, scratch / "before")
        scattered = a_night_later(build_db, "hash(sensor_id, local_date) % 100 = 0", new_days=0)
        for target, night in (("timeline, two days", later), ("timeline, 1 % anywhere", scattered)):
            ours, bare = best(*extending(build_db, before.parent, night, scratch / night.parent.name, times), times)
            yield {"target": target, "rows": rows, "ours": ours, "bare": bare}
        same = candidate(build_db, scratch / "same", before.parent)
        cost = measured(lambda: our_timeline(same))
        yield {"target": "timeline, no change", "rows": rows, "ours": cost, "bare": replace(bare, rows=0)}
    if "postgres" in targets:
        database, _ = our_files(build_db, scratch / "release")
        parquet = parquet_path(database.parent, MART)
        with postgres_server() as server:
            server.ask("ALTER SYSTEM SET autovacuum TO off")
            server.ask("SELECT pg_reload_conf()")
            for target, with_index in (("PostgreSQL", False), ("to COPY and index", True)):
                ours, bare = best(
                    partial(our_server, server, database.parent),
                    partial(bare_server, server, parquet, with_index),
                    times,
                    server,
                )
                yield {"target": target, "rows": rows, "ours": ours, "bare": bare}


def main() -> None:
    """Print one row a target and size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=TARGETS)
    parser.add_argument("--times", type=int, default=2, help="how often each is measured")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    headings = ("rows", "target", "bare", "ours", "ratio", "bare CPU", "ours CPU", "peak (bare)")
    table = Table(*headings, title="publication")
    done = []
    for rows in options.rows:
        with tempfile.TemporaryDirectory() as scratch:
            for found in bench(rows, options.targets, options.times, Path(scratch)):
                bare, ours = found["bare"], found["ours"]
                if bare.rows != ours.rows:
                    raise SystemExit(f"{found['target']}: {ours.rows} rows instead of {bare.rows}")
                table.add_row(
                    f"{rows:,}",
                    found["target"],
                    f"{bare.wall:.1f} s",
                    f"{ours.wall:.1f} s",
                    f"{ours.wall / bare.wall:.2f}",
                    f"{bare.cpu:.1f} s",
                    f"{ours.cpu:.1f} s",
                    f"{ours.memory_mb:.0f} ({bare.memory_mb:.0f}) MB",
                )
                done.append({key: asdict(value) if isinstance(value, Cost) else value for key, value in found.items()})
    Console(width=None if sys.stdout.isatty() else 140).print(table)
    if options.json:
        options.json.write_text(json.dumps(done, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
