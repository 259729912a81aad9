"""``make bench``: what a load costs, as a ratio to plain DuckDB in the same run. Ratios travel; seconds do not.

    python tests/bench/bench_load.py [--sensors 100 1000] [--history 1 10]

The workload generator of the design folder (``../shared/bench/gen.py``) makes the deliveries. The floor reads the same
files with the same deduplication into one table. Ours lands, decodes, audits, quarantines and keeps revisions.
Each measurement runs in a process of its own, so that its memory is its own.
"""

import argparse
import json
import multiprocessing
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
GENERATOR = ROOT.parent / "shared" / "bench" / "gen.py"
FIRST_DAY = date(2025, 10, 22)
DAYS = 7
FLOOR_READS = {
    "ndjson": "SELECT sensor_id, quantity, observed_at::TIMESTAMPTZ AS observed_at, value, unit, quality,"
    " received_at::TIMESTAMPTZ AS received_at FROM read_json(?, format = 'newline_delimited', columns = {"
    "sensor_id: 'VARCHAR', observed_at: 'VARCHAR', quantity: 'VARCHAR', value: 'DOUBLE', unit: 'VARCHAR',"
    " quality: 'VARCHAR', received_at: 'VARCHAR'})",
    "csv": 'SELECT Station AS sensor_id, Parameter AS quantity, (Datum + "Tid (UTC)")::TIMESTAMPTZ AS observed_at,'
    " Värde AS value, Enhet AS unit, Kvalitet AS quality, Mottagen::TIMESTAMPTZ AS received_at"
    " FROM read_csv(?, delim = ';', header = true)",
}


@dataclass(frozen=True)
class Cost:
    """What one measurement took: seconds of wall and of CPU, peak memory and the database's size in MB, rows in raw."""

    wall: float
    cpu: float
    memory_mb: float
    file_mb: float
    rows: int


def measured(work: Callable[[], tuple[Path, int]]) -> Cost:
    """Run ``work`` (which returns its database and its rows) in a fresh process."""
    receiving, sending = multiprocessing.Pipe(duplex=False)

    def child() -> None:
        before, started = _cpu(), time.perf_counter()
        database, rows = work()
        wall, cpu = time.perf_counter() - started, _cpu() - before
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
        sending.send(Cost(wall, cpu, peak, database.stat().st_size / 1e6, rows))

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join()
    if process.exitcode != 0:
        raise SystemExit("a measurement failed; its error stands above")
    cost: Cost = receiving.recv()
    return cost


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def floor(deliveries: Path, form: str, folder: Path) -> tuple[Path, int]:
    """Plain DuckDB: read, keep the latest of each key, write one table."""
    database = folder / "floor.duckdb"
    with duckdb.connect(database) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(
            f"CREATE TABLE reading AS SELECT * FROM ({FLOOR_READS[form]}) WHERE value IS NOT NULL QUALIFY row_number()"
            " OVER (PARTITION BY sensor_id, quantity, observed_at ORDER BY received_at DESC) = 1",
            [f"{deliveries}/*"],
        )
        return database, _count(connection, "reading")


def load(deliveries: Path, form: str, folder: Path, days: list[date]) -> tuple[Path, int]:
    """Ours: landing, decoding, gate with every check, raw with revisions, quarantine."""
    from hogland_pipeline.gate import load_files
    from hogland_pipeline.loads import files_to_load
    from hogland_pipeline.resources import BoundSource
    from hogland_pipeline.settings import load_settings
    from hogland_pipeline.warehouse import SENSOR_READING, Warehouse
    from sensors_ingest.http import Folder
    from sensors_ingest.landing import Landing

    settings = load_settings(data_dir=folder)
    source = _tabular(form, Folder(deliveries))
    landing, warehouse = Landing(settings.landing_dir), Warehouse(settings.warehouse_path)
    bound = BoundSource(source, SENSOR_READING, "bench", "", "team:bench", is_daily=True, is_remote=False)
    files = files_to_load(warehouse, landing, source.name, source.fetch(landing, days), source.decoder_version)
    outcome = load_files(warehouse, bound, landing, files, "bench", settings)
    if outcome.status != "passed":
        raise SystemExit(f"the gate closed: {outcome.message}")
    with warehouse.read() as connection:
        return settings.warehouse_path, _count(connection, "raw.sensor_reading")


def _tabular(form: str, origin: Any) -> Any:
    from sensors_ingest.tabular import Columns, Tabular
    from sensors_ingest.units import Scale

    scales = (
        Scale("temperature", "air_temperature", "degC", (-9999.0,), -40.0, 60.0),
        Scale("humidity", "relative_humidity", "percent", (-9999.0,), 0.0, 100.0),
        Scale("co2", "carbon_dioxide", "ppm", (-9999.0,), 300.0, 5000.0),
        Scale("noise", "sound_level", "dB(A)", (-9999.0,), 20.0, 120.0),
    )
    qualities = {"G": "good", "Y": "suspect", "R": "suspect"}
    if form == "ndjson":
        columns = Columns("sensor_id", ("observed_at",), "value", "quantity", "unit", "quality", ("received_at",))
        return Tabular("bench", origin, "ndjson", columns, scales, qualities)
    columns = Columns("Station", ("Datum", "Tid (UTC)"), "Värde", "Parameter", "Enhet", "Kvalitet", ("Mottagen",))
    return Tabular("bench", origin, "csv", columns, scales, qualities)


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(row[0]) if row else 0


def generated(sensors: int, folder: Path) -> tuple[Path, dict[str, Any]]:
    """A week of deliveries of ``sensors`` sensors, and what a correct load must end with."""
    arguments = ["--sensors", str(sensors), "--start", str(FIRST_DAY), "--days", str(DAYS), "--formats", "ndjson,csv"]
    subprocess.run([sys.executable, str(GENERATOR), str(folder), *arguments], check=True, stdout=subprocess.DEVNULL)
    return folder, json.loads((folder / "expected.json").read_text(encoding="utf-8"))["total"]


def bench_formats(sizes: list[int], scratch: Path) -> Iterator[dict[str, Any]]:
    """Landing to raw against the floor, and the same bytes once more."""
    days = [FIRST_DAY + timedelta(days=number) for number in range(DAYS + 1)]
    for sensors in sizes:
        folder, expected = generated(sensors, scratch / str(sensors))
        for form in FLOOR_READS:
            work = Path(tempfile.mkdtemp(dir=scratch))
            plain = measured(lambda form=form, work=work, folder=folder: floor(folder / form, form, work))  # type: ignore[misc]
            ours = measured(lambda form=form, work=work, folder=folder: load(folder / form, form, work, days))  # type: ignore[misc]
            again = measured(lambda form=form, work=work, folder=folder: load(folder / form, form, work, days))  # type: ignore[misc]
            if ours.rows != expected["valid"] or again.rows != ours.rows:
                raise SystemExit(f"{form}: {ours.rows} rows, then {again.rows}, but {expected['valid']} are right")
            yield {
                "work": f"{form}, {expected['rows']:,} rows",
                "floor": plain,
                "ours": ours,
                "ratio": ours.cpu / plain.cpu,
                "again": again.cpu / ours.cpu,
            }
            shutil.rmtree(work)


def main() -> None:
    """Print one row a workload."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sensors", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    if not GENERATOR.exists():
        raise SystemExit("make bench needs the workload generator ../shared/bench/gen.py beside the project")
    sys.path.insert(0, str(ROOT))
    import great_expectations  # noqa: F401 - imported once here: 3 s that belong to no measurement

    table = Table("work", "floor", "ours", "CPU ratio", "again", "peak memory", "file")
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for row in bench_formats(options.sensors, Path(scratch)):
            plain, ours = row["floor"], row["ours"]
            table.add_row(
                row["work"],
                f"{plain.wall:.1f} s",
                f"{ours.wall:.1f} s",
                f"{row['ratio']:.2f}",
                f"{row['again']:.2f}",
                f"{ours.memory_mb:.0f} MB",
                f"{ours.file_mb:.0f} MB",
            )
            rows.append({**row, "floor": asdict(plain), "ours": asdict(ours)})
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    main()
