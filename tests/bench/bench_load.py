"""``make bench``: what loading costs, as a ratio to plain DuckDB in the same run. Ratios travel; seconds do not.

    python -m tests.bench.bench_load [--rows 100000 1000000] [--forms ndjson csv tts]

From landing to raw: decoded, audited by every check, quarantined, with revisions. Plain DuckDB reads the same landing
files with the same deduplication into one table; once into the seven columns that were sent, once into
the rows and columns of raw.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from hogland_pipeline.gate import load_files
from hogland_pipeline.loads import files_to_load
from hogland_pipeline.resources import BoundSource
from hogland_pipeline.settings import load_settings
from hogland_pipeline.warehouse import SENSOR_READING, Warehouse
from sensors_ingest.landing import Landing
from tests.bench.measure import Cost, measured
from tests.bench.workloads import FIRST_DAY, FORMS, Workload, count, generated


def load(source: Any, folder: Path) -> tuple[Path, int]:
    """Ours: decoding, gate with every check, raw with revisions, quarantine."""
    settings = load_settings(data_dir=folder)
    landing, warehouse = Landing(settings.landing_dir), Warehouse(settings.warehouse_path)
    bound = BoundSource(source, SENSOR_READING, "bench", "", "team:bench", is_daily=True, is_remote=False)
    files = files_to_load(warehouse, landing, source.name, source.decoder_version)
    outcome = load_files(warehouse, bound, landing, files, "bench", settings)
    if outcome.status != "passed":
        raise SystemExit(f"the gate closed: {outcome.message}")
    with warehouse.read() as connection:
        # How well an uplink was heard is a reading too, which plain DuckDB does not make.
        measured_things = "(FROM raw.sensor_reading WHERE NOT starts_with(quantity, 'signal_'))"
        return settings.warehouse_path, count(connection, measured_things)


def fetch_and_load(source: Any, folder: Path, days: list[date]) -> tuple[Path, int]:
    """What a source that sends the same again costs: its bytes are read and known."""
    source.fetch(Landing(load_settings(data_dir=folder).landing_dir), days)
    return load(source, folder)


def bench(rows: int, form: str, scratch: Path) -> dict[str, Any]:
    """One size and form against the two floors, and the same bytes once more."""
    workload = generated(rows, [form], scratch / "deliveries")[0]
    source = workload.source()
    landed = source.fetch(Landing(load_settings(data_dir=scratch).landing_dir), _days(workload))
    paths = [str(file.path) for file in landed]
    plain = {
        name: measured(lambda name=name: workload.plain(paths, scratch / f"{name}.duckdb", as_raw=name == "as_raw"))  # type: ignore[misc]
        for name in ("bare", "as_raw")
    }
    ours = measured(lambda: load(source, scratch))
    again = measured(lambda: fetch_and_load(source, scratch, _days(workload)))
    if ours.rows != workload.valid_rows or again.rows != ours.rows:
        raise SystemExit(f"{form}: {ours.rows} rows, then {again.rows}, but {workload.valid_rows} are right")
    return {"form": form, "rows": workload.delivered_rows, **plain, "ours": ours, "again": again}


def _days(workload: Workload) -> list[date]:
    """Every day that has a delivery; late rows come until three days after the last."""
    return [FIRST_DAY + timedelta(days=number) for number in range(len(list(workload.folder.iterdir())) + 3)]


def benches(sizes: list[int], forms: list[str]) -> Iterator[dict[str, Any]]:
    """Every size in every form, each in a folder that is gone before the next."""
    for rows in sizes:
        for form in forms:
            with tempfile.TemporaryDirectory() as scratch:
                yield bench(rows, form, Path(scratch))


def main() -> None:
    """Print one row a workload."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=list(FORMS))
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    import great_expectations  # noqa: F401 - imported once here: 3 s that belong to no measurement

    headings = ("rows", "form", "floor CPU", "ours CPU", "ratio", "to raw's columns", "wall ratio", "again")
    table = Table(*headings, "peak (floor)", "file (floor)", title="landing to raw")
    done = []
    for found in benches(options.rows, options.forms):
        bare, as_raw, ours = found["bare"], found["as_raw"], found["ours"]
        table.add_row(
            f"{found['rows']:,}",
            found["form"],
            f"{bare.cpu:.1f} s",
            f"{ours.cpu:.1f} s",
            f"{ours.cpu / bare.cpu:.2f}",
            f"{ours.cpu / as_raw.cpu:.2f}",
            f"{ours.wall / bare.wall:.2f}",
            f"{found['again'].cpu / ours.cpu:.2f}",
            f"{ours.memory_mb:.0f} ({bare.memory_mb:.0f}) MB",
            f"{ours.file_mb:.0f} ({bare.file_mb:.0f}) MB",
        )
        done.append({name: asdict(value) if isinstance(value, Cost) else value for name, value in found.items()})
    Console(width=None if sys.stdout.isatty() else 140).print(table)
    if options.json:
        options.json.write_text(json.dumps(done, indent=1), encoding="utf-8")


if __name__ == "__main__":
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    main()
