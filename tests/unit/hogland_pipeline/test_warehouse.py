"""One file, one writer: whoever waits is told for whom."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from hogland_pipeline.warehouse import (
    CANDIDATE_COLUMNS,
    RAW_TABLES,
    RawTable,
    Warehouse,
    WarehouseBusy,
    WarehouseUnreadable,
)
from tests.unit.hogland_pipeline.raw_rows import SCHEMAS


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "data" / "warehouse.duckdb", wait_seconds=0.3)


@contextmanager
def process_with(code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Another process, once it has printed a line."""
    command = [sys.executable, "-c", code + "\nprint('ready', flush=True)\nimport time; time.sleep(60)", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def schemas(connection: duckdb.DuckDBPyConnection) -> set[str]:
    return {row[0] for row in connection.execute("SELECT DISTINCT schema_name FROM duckdb_tables()").fetchall()}


def test_writing_makes_the_tables_once(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        assert {"raw", "quarantine", "ops"} <= schemas(connection)
        connection.execute("INSERT INTO ops.touched_day VALUES (1, 'smhi', DATE '2026-01-01')")
    with warehouse.write() as connection:
        assert connection.execute("SELECT count(*) FROM ops.touched_day").fetchall() == [(1,)]


def test_reading_makes_an_empty_warehouse_and_writes_nothing(warehouse: Warehouse) -> None:
    with warehouse.read() as connection:
        assert connection.execute("FROM ops.source_status").fetchall() == []
        with pytest.raises(duckdb.InvalidInputException, match="read-only"):
            connection.execute("INSERT INTO ops.touched_day VALUES (1, 'smhi', DATE '2026-01-01')")


def test_times_are_utc(warehouse: Warehouse) -> None:
    for access in (warehouse.write, warehouse.read):
        with access() as connection:
            assert connection.execute("SELECT current_setting('TimeZone')").fetchall() == [("UTC",)]


def test_a_writer_leaves_a_core_to_the_decoder(warehouse: Warehouse) -> None:
    threads = "SELECT current_setting('threads')"
    ((all_threads,),) = duckdb.connect().execute(threads).fetchall()
    with warehouse.write() as connection:
        assert connection.execute(threads).fetchall() == [(max(all_threads - 1, 1),)]


def test_the_connection_is_closed_after_an_error(warehouse: Warehouse) -> None:
    with pytest.raises(ZeroDivisionError), warehouse.write():
        raise ZeroDivisionError
    with warehouse.read():
        pass


def test_a_second_writer_waits_for_the_first(tmp_path: Path) -> None:
    path, order = tmp_path / "warehouse.duckdb", []
    first, second = Warehouse(path, 10), Warehouse(path, 10)

    def work() -> None:
        with second.write():
            order.append("second")

    with first.write():
        other = threading.Thread(target=work)
        other.start()
        time.sleep(0.2)
        order.append("first")
    other.join()
    assert order == ["first", "second"]


@pytest.mark.parametrize("access", ["write", "read", "lock"])
def test_another_run_of_the_platform_is_named(warehouse: Warehouse, access: str) -> None:
    code = (
        "import sys, pathlib; from hogland_pipeline.warehouse import Warehouse\n"
        "lock = Warehouse(pathlib.Path(sys.argv[1])).lock(); lock.__enter__()"
    )
    with (
        process_with(code, str(warehouse.path)),
        pytest.raises(WarehouseBusy, match=r"^warehouse\.duckdb is in use by another run of the platform; waited 0 s"),
        getattr(warehouse, access)(),
    ):
        pytest.fail("the warehouse was free")


@pytest.mark.parametrize("access", ["write", "read"])
def test_a_process_outside_the_platform_is_named_by_its_number(warehouse: Warehouse, access: str) -> None:
    with warehouse.write():
        pass
    code = "import sys, duckdb; shell = duckdb.connect(sys.argv[1])"
    with (
        process_with(code, str(warehouse.path)) as shell,
        pytest.raises(WarehouseBusy, match=f"is held by process {shell.pid} outside the platform"),
        getattr(warehouse, access)(),
    ):
        pytest.fail("the warehouse was free")


def test_a_process_that_lets_go_in_time_costs_nothing(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "warehouse.duckdb", wait_seconds=20)
    with warehouse.write():
        pass
    with process_with("import sys, duckdb; shell = duckdb.connect(sys.argv[1])", str(warehouse.path)) as shell:
        threading.Timer(0.3, shell.kill).start()
        with warehouse.write() as connection:
            assert connection.execute("SELECT 1").fetchall() == [(1,)]


@pytest.mark.parametrize(
    ("is_flipped", "told"), [(False, "not a valid DuckDB"), (True, "Corrupt database file: computed checksum .* block")]
)
def test_a_damaged_file_is_an_error_at_once(tmp_path: Path, is_flipped: bool, told: str) -> None:
    path = tmp_path / "warehouse.duckdb"
    if is_flipped:
        with Warehouse(path).write():
            pass
        content = bytearray(path.read_bytes())
        content[5000] ^= 1  # in the first of the headers
        path.write_bytes(content)
    else:
        path.write_bytes(b"not a database" * 1000)
    said = f"warehouse.duckdb cannot be opened: .*{told}"
    with pytest.raises(WarehouseUnreadable, match=said), Warehouse(path, 60).read():
        pass


def test_the_newest_attempt_decides_and_the_newest_good_one_dates(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        for load_id, status, hour in ((1, "passed", 1), (2, "passed", 2), (3, "closed", 3)):
            connection.execute(
                "INSERT INTO ops.load (load_id, source, table_name, status, finished_at, message)"
                " VALUES (?, 'smhi', 'sensor_reading', ?, make_timestamptz(2026, 1, 1, ?, 0, 0, 'UTC'), ?)",
                [load_id, status, hour, f"load {load_id}"],
            )
        rows = connection.execute(
            "SELECT source, status, hour(last_attempt_at), hour(last_good_at), message FROM ops.source_status"
        ).fetchall()
    assert rows == [("smhi", "closed", 3, 2, "load 3")]


@pytest.mark.parametrize("table", RAW_TABLES, ids=lambda table: table.name)
def test_a_raw_table_takes_what_its_sources_decode(table: RawTable) -> None:
    """The columns of the warehouse are those of the sources' Arrow schemas, with types that fit without loss."""
    candidate = SCHEMAS[table.name].empty_table()
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        described = connection.from_arrow(candidate)
        decoded = {name: str(kind) for name, kind in zip(described.columns, described.types, strict=True)}
        columns = ", ".join(f'"{name}" {kind}' for name, kind in (table.columns | CANDIDATE_COLUMNS).items())
        connection.execute(f"CREATE TABLE raw ({columns})")
        kept = connection.table("raw")
        declared = {name: str(kind) for name, kind in zip(kept.columns, kept.types, strict=True)}
    assert decoded == declared


@pytest.mark.parametrize("table", RAW_TABLES, ids=lambda table: table.name)
def test_key_version_and_rank_are_columns(table: RawTable) -> None:
    named = {*table.key, *table.version, *table.latest_by, table.day_of} - {None}
    assert named <= set(table.columns)
    assert not set(table.key) & set(table.version)
