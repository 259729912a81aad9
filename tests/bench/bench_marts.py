"""What dbt costs in a night over 1, 10 and 100 million readings of history: it should cost the same.

    python -m tests.bench.bench_marts [--history 1000000 10000000] [--models]

200 snow lasers send distance, temperature and humidity every ten minutes, written straight into raw as nightly loads
leave it: 10 million readings are four months. Everything is built once; then one new day comes and one 300 days old (or
as old as the history is) is corrected, and dbt runs as it does in a night, with its tests.
"""

import argparse
import csv
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner
from rich.console import Console
from rich.table import Table

from hogland_pipeline.dbt_build import DBT_PROJECT_DIR
from hogland_pipeline.warehouse import Warehouse
from tests.bench.measure import measured
from tests.bench.workloads import count

LASERS = 200
ROWS_A_DAY = LASERS * 3 * 144
LAST_DAY = date(2026, 3, 31)
COMMANDS = (("run",), ("test", "--exclude-resource-type", "unit_test"))

# From November to April snow lies, and every eleventh day 9 cm fall within half a day and settle.
READINGS = """
    INSERT INTO raw.sensor_reading
    WITH moments AS (
        SELECT unnest(range($first::DATE::TIMESTAMPTZ, $end::DATE::TIMESTAMPTZ, INTERVAL 10 MINUTE)) AS moment,
               greatest(0, cos(2 * pi() * (dayofyear(moment) - 20) / 365)) AS winter
    ),
    weather AS (
        SELECT *, number, hash(moment, number) AS noise,
               (epoch(moment) / 86400 / 11 + number / $lasers) % 1 AS passed,
               winter * (200 + 90 * if(passed < 0.05, passed / 0.05, (1 - passed) / 0.95)) AS snow_mm
        FROM moments, range(1, $lasers + 1) AS sensors (number)
    )
    SELECT 'bench', printf('LASER%04d', number), quantity, moment, value, unit, value::VARCHAR, unit, 'good', NULL,
           moment + INTERVAL 20 SECOND, 0, NULL, sha256(moment::DATE::VARCHAR), moment + INTERVAL 1 DAY, 1,
           $load_id + (moment::DATE - $first::DATE)
    FROM (
        SELECT *, CASE quantity
                WHEN 'distance' THEN 3000 - round(snow_mm + noise % 5)
                WHEN 'air_temperature' THEN round(6 * sin(epoch(moment) / 13750) + noise % 20 / 10, 1)
                ELSE 70 + noise % 25 END AS value
        FROM weather,
             (VALUES ('distance', 'mm'), ('air_temperature', 'degC'), ('relative_humidity', 'percent')) AS quantities
                 (quantity, unit)
    )
"""


def write_days(warehouse: Warehouse, first: date, days: int, load_id: int) -> None:
    """All readings of ``days`` local days from ``first`` on, each of a load and a landing file of its own."""
    with warehouse.write() as connection:
        connection.execute("SET TimeZone = 'Europe/Stockholm'")
        for part in range(0, days, 30):
            start, end = (first + timedelta(days=number) for number in (part, min(part + 30, days)))
            connection.execute(READINGS, {"first": start, "end": end, "lasers": LASERS, "load_id": load_id + part})
        connection.execute(
            "INSERT INTO ops.load (load_id, source, status) SELECT ? + number, 'bench', 'passed'"
            " FROM range(?) AS loads (number)",
            [load_id, days],
        )
        connection.execute(
            "INSERT INTO ops.touched_day SELECT ? + number, 'bench', ?::DATE + number::INTEGER"
            " FROM range(?) AS days (number)",
            [load_id, first, days],
        )


def correct_day(warehouse: Warehouse, day: date, load_id: int) -> None:
    """One laser's corrected value in an old day."""
    with warehouse.write() as connection:
        connection.execute("SET TimeZone = 'Europe/Stockholm'")
        connection.execute(
            "UPDATE raw.sensor_reading SET value = value - 40, load_id = ? WHERE sensor_id = 'LASER0007'"
            " AND quantity = 'distance' AND observed_at = ?::DATE::TIMESTAMPTZ + INTERVAL 12 HOUR",
            [load_id, day],
        )
        connection.execute("INSERT INTO ops.touched_day VALUES (?, 'bench', ?)", [load_id, day])


def project_with_lasers(folder: Path, first: date) -> Path:
    """A copy of the dbt project that knows the lasers, each on a road with a plough trigger."""
    project = folder / "dbt_project"
    shutil.copytree(DBT_PROJECT_DIR, project, ignore=shutil.ignore_patterns("target", "logs"))
    names = [f"LASER{number:04d}" for number in range(1, LASERS + 1)]
    place = {"municipality_code": "0682", "sensor_kind": "snow_laser", "decoder": "elsys", "road_class": "1"}
    sensors = [{"sensor_id": name, "feed": "bench", "device_id": name, "site": name, **place} for name in names]
    _write(project / "seeds" / "sensors.csv", [row | {"expected_interval_minutes": "10"} for row in sensors])
    mounted = {"valid_from": str(first), "mount_height_mm": "3000", "angle_deg": "0", "zero_offset_mm": "0"}
    mountings = [{"sensor_id": name, **mounted, "unit": "mm", "reason": "installed"} for name in names]
    _write(project / "seeds" / "sensor_mountings.csv", mountings)
    return project


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open(encoding="utf-8") as seed:
        columns = next(csv.reader(seed))
    with path.open("w", encoding="utf-8", newline="") as seed:
        writer = csv.DictWriter(seed, columns)
        writer.writeheader()
        writer.writerows(rows)


def dbt(project: Path, as_of: date, *commands: tuple[str, ...], show: int = 0) -> tuple[Path, int]:
    """Run dbt; the database it built, and the rows of one model. ``show``: tell the slowest nodes."""
    marts = project.parent / "marts.duckdb"
    os.environ |= {
        "HOGLAND_BUILD_DB": str(marts),
        "HOGLAND_WAREHOUSE_DB": str(project.parent / "warehouse.duckdb"),
    }
    for command in commands:
        paths = ["--project-dir", str(project), "--profiles-dir", str(project), "--vars", f"as_of: '{as_of}'"]
        outcome = dbtRunner().invoke([*command, *paths, "--log-level", "none", "--log-level-file", "none"])
        DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
        if outcome.exception:
            raise outcome.exception
        done: Any = outcome.result
        results = sorted(done.results, key=lambda result: -result.execution_time)
        for result in results[:show]:
            Console().print(f"  {result.execution_time:6.2f} s  {result.node.name}")
        # Public indicators and surveys are not here; that is no failure of what is measured.
        if failed := [result.node.name for result in results if result.status in ("error", "runtime error")]:
            raise SystemExit(f"dbt failed: {', '.join(failed)}")
    with duckdb.connect(marts, read_only=True) as connection:
        return marts, count(connection, "main.kpi_operations__daily_snow")


def bench(histories: list[int], scratch: Path, show: int) -> Iterator[dict[str, Any]]:
    """One row a size of history."""
    for history in histories:
        folder = scratch / str(history)
        days = max(2, history // ROWS_A_DAY)
        first = LAST_DAY - timedelta(days=days)
        warehouse = Warehouse(folder / "warehouse.duckdb")
        write_days(warehouse, first, days, 1)
        project = project_with_lasers(folder, first)
        whole = measured(lambda project=project: dbt(project, LAST_DAY, ("seed",), *COMMANDS))  # type: ignore[misc]
        write_days(warehouse, LAST_DAY, 1, days + 1)
        correct_day(warehouse, LAST_DAY - timedelta(days=min(300, days - 1)), days + 2)
        night = measured(lambda project=project: dbt(project, LAST_DAY + timedelta(days=1), *COMMANDS, show=show))  # type: ignore[misc]
        yield {"history": history, "whole": whole, "night": night}
        shutil.rmtree(folder)


def main() -> None:
    """Print one row a history."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--history", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--models", type=int, default=0, metavar="N", help="tell the N slowest models and tests")
    options = parser.parse_args()
    headings = ("history", "days", "everything", "its memory", "a night", "to the smallest", "its memory", "marts")
    table = Table(*headings, title=f"dbt: {ROWS_A_DAY:,} new readings and an old day corrected, over history")
    first = None
    with tempfile.TemporaryDirectory() as scratch:
        for found in bench(options.history, Path(scratch), options.models):
            night = found["night"]
            first = first or night.cpu
            table.add_row(
                f"{found['history']:,}",
                f"{found['history'] // ROWS_A_DAY:,}",
                f"{found['whole'].cpu:.1f} s",
                f"{found['whole'].memory_mb:.0f} MB",
                f"{night.cpu:.1f} s",
                f"{night.cpu / first:.2f}",
                f"{night.memory_mb:.0f} MB",
                f"{night.file_mb:.0f} MB",
            )
    Console(width=None if sys.stdout.isatty() else 140).print(table)


if __name__ == "__main__":
    main()
