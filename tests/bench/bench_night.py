"""What a night's batch costs over 1, 10 and 100 million rows of history: it should cost the same.

    python -m tests.bench.bench_night [--history 1000000 10000000]

The history is written straight into raw, ten minutes apart for 2,000 sensors and sorted by time, as nightly loads leave
it. The batch is what the workload generator delivers on the last day, and one straggler 300 days old (or as old as the
history is); the day before it was loaded the night before, as on any night but the first. It loads twice. A bare append
inserts the same rows into a copy of the warehouse. What the file grows by is told by the blocks in use: those that
writing the history left free would be filled first, by either.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table

from hogland_pipeline.settings import load_settings
from hogland_pipeline.warehouse import Warehouse
from sensors_ingest.landing import Landing
from tests.bench.bench_load import fetch_and_load, load
from tests.bench.measure import measured
from tests.bench.workloads import FIRST_DAY, Workload, count, generate

SENSORS = 2000
ROWS_A_DAY = SENSORS * 144
LAST_DAY = FIRST_DAY + timedelta(days=1)


def write_history(warehouse: Warehouse, rows: int, catalogue: Path) -> None:
    """``rows`` readings of the catalogue's sensors, until ``FIRST_DAY`` begins."""
    quantities = {"temperature": "air_temperature", "humidity": "relative_humidity"} | {
        "co2": "carbon_dioxide",
        "noise": "sound_level",
    }
    slots = rows // SENSORS
    midnight = datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, tzinfo=UTC)
    with warehouse.write() as connection:
        connection.execute(
            "CREATE TEMP TABLE sensor AS SELECT row_number() OVER () AS number, sensor_id, quantity"
            " FROM read_csv(?, all_varchar = true)",
            [str(catalogue)],
        )
        canonical = " ".join(f"WHEN '{said}' THEN '{quantity}'" for said, quantity in quantities.items())
        connection.execute(
            f"""
            INSERT INTO raw.sensor_reading
            SELECT 'bench', sensor_id, CASE quantity {canonical} END, moment, value, 'degC', value::VARCHAR, 'degC',
                   'good', 'G', moment + INTERVAL 20 SECOND, 0, NULL, sha256((epoch(moment) // 86400)::VARCHAR),
                   moment + INTERVAL 1 DAY, 1, (epoch(moment) // 86400)::BIGINT
            FROM (
                SELECT *, $midnight::TIMESTAMPTZ - to_minutes((10 * slot)::BIGINT) AS moment,
                       round(20 + 5 * sin(slot / 23) + hash(slot, number) % 100 / 50, 2) AS value
                FROM (SELECT $slots + 1 - unnest(generate_series(1, $slots)) AS slot), sensor
            )
            """,
            {"midnight": midnight, "slots": slots},
        )
        connection.execute("DROP TABLE temp.sensor")


def nights(deliveries: Path, history: int) -> Workload:
    """What is delivered on two days, with a straggler on the last one."""
    folder = Path(shutil.copytree(deliveries / "ndjson", deliveries / f"nights-{history}"))
    last = folder / f"delivery={LAST_DAY}.ndjson"
    lines = last.read_text(encoding="utf-8").splitlines()
    age = min(300, history // ROWS_A_DAY - 1)
    straggler = json.loads(lines[0]) | {"observed_at": f"{LAST_DAY - timedelta(days=age)}T12:34:56Z"}
    last.write_text("\n".join([*lines, json.dumps(straggler), ""]), encoding="utf-8")
    return Workload("ndjson", folder, len(lines) + 1, 0)


def bare_append(loaded: Path, before: Path, newest: int) -> tuple[Path, int]:
    """The rows that the batch left in raw, appended to the warehouse as it was ``before``."""
    with duckdb.connect(before) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"ATTACH '{loaded}' AS loaded (READ_ONLY)")
        connection.execute("INSERT INTO raw.sensor_reading FROM loaded.raw.sensor_reading WHERE load_id > ?", [newest])
        return before, count(connection, "raw.sensor_reading")


def used_mb(database: Path) -> float:
    """Megabytes of the file that hold something."""
    with duckdb.connect(database, read_only=True) as connection:
        ((used,),) = connection.execute("SELECT used_blocks * block_size FROM pragma_database_size()").fetchall()
        return float(used) / 1e6


def bench(histories: list[int], scratch: Path) -> Iterator[dict[str, Any]]:
    """One row a size of history."""
    generate(scratch / "deliveries", SENSORS, FIRST_DAY, 2, ["ndjson"])
    for history in histories:
        folder = scratch / str(history)
        settings = load_settings(data_dir=folder)
        warehouse = Warehouse(settings.warehouse_path)
        write_history(warehouse, history, scratch / "deliveries" / "catalogue.csv")
        newest = (FIRST_DAY - date(1970, 1, 1)).days
        with warehouse.write() as connection:  # the next load takes the number after the newest
            connection.execute("INSERT INTO ops.load (load_id, source, status) VALUES (?, 'bench', 'passed')", [newest])
        source = nights(scratch / "deliveries", history).source()
        measured(lambda source=source, folder=folder: fetch_and_load(source, folder, [FIRST_DAY]))  # type: ignore[misc]
        source.fetch(Landing(settings.landing_dir), [LAST_DAY])
        before = used_mb(settings.warehouse_path)
        copy = Path(shutil.copy(settings.warehouse_path, folder / "before.duckdb"))
        ours = measured(lambda source=source, folder=folder: load(source, folder))  # type: ignore[misc]
        grown = used_mb(settings.warehouse_path)
        again = measured(lambda source=source, folder=folder: load(source, folder))  # type: ignore[misc]
        path = settings.warehouse_path
        measured(lambda path=path, copy=copy, newest=newest: bare_append(path, copy, newest + 1))  # type: ignore[misc]
        yield {
            "history": history,
            "ours": ours,
            "again": again,
            "growth_mb": grown - before,
            "bare_growth_mb": used_mb(copy) - before,
        }
        shutil.rmtree(folder)


def main() -> None:
    """Print one row a history."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--history", type=int, nargs="+", default=[1_000_000, 10_000_000])
    options = parser.parse_args()
    import great_expectations  # noqa: F401 - imported once here: 3 s that belong to no measurement

    headings = ("history", "CPU", "to the smallest", "again", "peak memory", "file growth", "bare append", "ratio")
    table = Table(*headings, title=f"a night's {ROWS_A_DAY:,} readings over history")
    first = None
    with tempfile.TemporaryDirectory() as scratch:
        for found in bench(options.history, Path(scratch)):
            ours = found["ours"]
            first = first or ours.cpu
            table.add_row(
                f"{found['history']:,}",
                f"{ours.cpu:.1f} s",
                f"{ours.cpu / first:.2f}",
                f"{found['again'].cpu / ours.cpu:.2f}",
                f"{ours.memory_mb:.0f} MB",
                f"{found['growth_mb']:.1f} MB",
                f"{found['bare_growth_mb']:.1f} MB",
                f"{found['growth_mb'] / found['bare_growth_mb']:.2f}",
            )
    Console(width=None if sys.stdout.isatty() else 140).print(table)


if __name__ == "__main__":
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    main()
