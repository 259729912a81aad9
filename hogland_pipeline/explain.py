"""Where a published value comes from: value → mart → models → raw rows → load → landing file, and every check between.

Reads the published file, the warehouse, landing and the dbt manifest; changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
from rich.console import Console
from rich.tree import Tree

from hogland_pipeline.dbt_build import MANIFEST_PATH
from hogland_pipeline.manifest import Manifest
from hogland_pipeline.releases import Target
from hogland_pipeline.settings import Settings
from hogland_pipeline.warehouse import Warehouse
from sensors_ingest.landing import LandedFile, Landing

MART = "fct_kpi_value"
SHOWN_ROWS = 5
# Raw rows that may be shown: the columns that say what was measured. Answers are counted only.
SHOWN_COLUMNS: Mapping[str, str] = {
    "indicator_value": "source, series_id, area_id, period, breakdown, value, value_status, unit, vintage, revision",
    "uttc_solution": "url, stage, published_date, snapshot_at, revision",
    "sensor_reading": "feed, sensor_id, quantity, observed_at, value, unit, quality, revision",
}
AREA_COLUMNS: Mapping[str, str] = {"indicator_value": "area_id", "sensor_reading": "sensor_id"}
# Made of readings of an earlier period too, which other files brought.
COMPARED_WITH_BEFORE = {"peak_power_reduction"}
STEP = " ← "
# Tests that dbt names itself, after one column; they are counted.
COLUMN_TESTS = ("not_null_", "unique_", "accepted_values_", "relationships_")


class NothingPublished(Exception):
    """There is no such published value; one sentence that says which there are."""


@dataclass(frozen=True)
class Origin:
    """Raw rows behind a value that one load brought from one landing file; ``file`` is None if it is gone."""

    raw_table: str
    raw_series: str | None
    raw_rows: int
    load_id: int
    source: str
    run_id: str
    loaded_at: str
    landing_id: str
    file: LandedFile | None
    rows: Sequence[str]
    checks: Sequence[str]


@dataclass(frozen=True)
class Explanation:
    """One published value (a method and vintage) with its chain; the strings are ready to print.

    ``models`` are those it came through, the mart first and the tables of the warehouse last.
    """

    value: Mapping[str, Any]
    released: str
    models: Sequence[str]
    tests: Sequence[str]
    audit: str
    origins: Sequence[Origin]


def explain(settings: Settings, kpi_id: str, area_id: str, period: str) -> list[Explanation]:
    """The chains of every method and vintage of a value, the latest first. Raises ``NothingPublished``."""
    database = Target(settings.data_dir).database
    if not database.exists():
        raise NothingPublished("Nothing is published yet: run the night first (make run).")
    with duckdb.connect(str(database), read_only=True) as published:
        values = _records(
            published,
            f"SELECT * FROM {MART} WHERE kpi_id = ? AND area_id = ? AND period = ?"  # noqa: S608 - a constant
            " ORDER BY is_latest DESC, valid_from_date DESC, method_version",
            [kpi_id, area_id, period],
        )
        if not values:
            raise NothingPublished(_what_there_is(published, kpi_id, area_id, period))
        lineage = _records(
            published,
            "SELECT * FROM kpi_lineage WHERE kpi_id = ? AND area_id = ? AND period = ?"
            " ORDER BY load_id, landing_id, raw_series",
            [kpi_id, area_id, period],
        )
        [record] = _records(published, "SELECT * FROM publication WHERE mart = ?", [MART])
    manifest = Manifest.read(MANIFEST_PATH)
    origins = {row["landing_id"] for row in lineage}
    landed = {
        file.landing_id: file
        for source in sorted({row["load_source"] for row in lineage if row["load_source"]})
        for file in Landing(settings.landing_dir).files(source, wanted=origins.__contains__)
    }
    with Warehouse(settings.warehouse_path).read() as warehouse:
        return [_explanation(value, lineage, record, manifest, landed, warehouse) for value in values]


def _explanation(
    value: Mapping[str, Any],
    lineage: Sequence[Mapping[str, Any]],
    record: Mapping[str, Any],
    manifest: Manifest,
    landed: Mapping[str, LandedFile],
    warehouse: duckdb.DuckDBPyConnection,
) -> Explanation:
    own = [row for row in lineage if all(row[key] == value[key] for key in ("method_version", "source_vintage"))]
    models = str(own[0]["dbt_models"]).split(STEP) if own else [MART]
    return Explanation(
        value=value,
        released=f"{record['published_at']:%Y-%m-%d %H:%M}, run {record['run_id']}",
        models=models,
        tests=_tests(manifest, models),
        audit=f"{record['checks_passed']} passed, {record['checks_warned']} warned, {record['checks_failed']} failed",
        origins=[_origin(row, value, landed, warehouse) for row in own if row["raw_table"]],
    )


def _origin(
    row: Mapping[str, Any],
    value: Mapping[str, Any],
    landed: Mapping[str, LandedFile],
    warehouse: duckdb.DuckDBPyConnection,
) -> Origin:
    checks = _records(warehouse, "SELECT * FROM ops.check_result WHERE load_id = ? ORDER BY position", [row["load_id"]])
    return Origin(
        raw_table=row["raw_table"],
        raw_series=row["raw_series"],
        raw_rows=row["raw_rows"],
        load_id=row["load_id"],
        source=row["load_source"],
        run_id=row["run_id"],
        loaded_at=f"{row['loaded_at']:%Y-%m-%d %H:%M}",
        landing_id=row["landing_id"],
        file=landed.get(row["landing_id"]),
        rows=_raw_rows(row, value, warehouse),
        checks=[f"{check['name']}: {_outcome(check)}" for check in checks],
    )


def _outcome(check: Mapping[str, Any]) -> str:
    if check["passed"]:
        return "passed"
    if check["scope"] == "row" and check["severity"] == "error":
        return f"{check['failing_rows']} rows refused"
    return "warned" if check["severity"] == "warning" else "failed"


def _raw_rows(row: Mapping[str, Any], value: Mapping[str, Any], warehouse: duckdb.DuckDBPyConnection) -> list[str]:
    """Some of the rows, the latest first."""
    table = row["raw_table"]
    columns = SHOWN_COLUMNS.get(table)
    if columns is None:
        return []
    query = f"SELECT {columns} FROM raw.{table} WHERE landing_id = ? AND load_id = ?"  # noqa: S608 - our constants
    parameters = [row["landing_id"], row["load_id"]]
    if table in AREA_COLUMNS:
        query += f" AND {AREA_COLUMNS[table]} = ?"
        parameters.append(row["raw_area_id"])
    if table == "indicator_value":
        query += " AND concat(series_id, ' ', breakdown) = ? AND period::INTEGER BETWEEN ? AND ?"
        parameters += [row["raw_series"], value["period_start"].year, value["period_end"].year]
    if table == "sensor_reading":
        query += " AND quantity = ? AND observed_at < timezone('Europe/Stockholm', ?::TIMESTAMP + INTERVAL 1 DAY)"
        parameters += [row["raw_series"], value["period_end"]]
        if row["kpi_id"] not in COMPARED_WITH_BEFORE:
            query += " AND observed_at >= timezone('Europe/Stockholm', ?::TIMESTAMP)"
            parameters.append(value["period_start"])
    rows = _records(warehouse, f"{query} ORDER BY ALL DESC LIMIT {SHOWN_ROWS}", parameters)
    return [", ".join(f"{name} {cell}" for name, cell in each.items() if cell is not None) for each in rows]


def _tests(manifest: Manifest, models: Sequence[str]) -> list[str]:
    """Names of the dbt tests that stand on the models."""
    return sorted(
        str(node["name"])
        for node in manifest.content["nodes"].values()
        if node["resource_type"] == "test"
        and any(parent.rsplit(".", 1)[-1] in models for parent in node["depends_on"].get("nodes", ()))
    )


def _what_there_is(published: duckdb.DuckDBPyConnection, kpi_id: str, area_id: str, period: str) -> str:
    found = _records(
        published,
        f"SELECT DISTINCT kpi_id, area_id, period FROM {MART} WHERE kpi_id = ?",  # noqa: S608 - a constant
        [kpi_id],
    )
    asked = f"There is no published value of {kpi_id} for {area_id} in {period}"
    if not found:
        why = _records(published, "SELECT value_status FROM dim_kpi WHERE kpi_id = ?", [kpi_id])
        return f"{asked}: {why[0]['value_status']}." if why else f"{kpi_id} is not an indicator; dim_kpi lists them."
    periods = sorted({row["period"] for row in found if row["area_id"] == area_id})
    if periods:
        return f"{asked}; it has {', '.join(periods)}."
    return f"{asked}; the areas are {', '.join(sorted({row['area_id'] for row in found})[:20])}."


def _records(connection: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[Any]) -> list[dict[str, Any]]:
    cursor = connection.execute(query, list(parameters))
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def print_explanation(console: Console, explanation: Explanation) -> None:
    """Print one chain as a tree."""
    value = explanation.value
    shown = value["value_text"] or (value["value_status"] if value["value"] is None else f"{value['value']:,.3f}")
    until = f"to {value['valid_to_date']}" if value["valid_to_date"] else "and is the latest"
    tree = Tree(f"[bold]{value['kpi_id']} {value['area_id']} {value['period']}: {shown}[/] {value['unit']}")
    tree.add(
        f"method {value['method_version']}, vintage {value['source_vintage']}, from {value['valid_from_date']} {until}"
    )
    mart = tree.add(f"mart {MART}, published {explanation.released}")
    mart.add(f"audit before publication: {explanation.audit}")
    mart.add(f"dbt models: {STEP.join(explanation.models)}")
    named = [test for test in explanation.tests if not test.startswith(COLUMN_TESTS)]
    mart.add(f"dbt tests: {', '.join(named)}, and {len(explanation.tests) - len(named)} of single columns")
    if not explanation.origins:
        tree.add("no raw row stands behind it")
    for origin in explanation.origins:
        raw = tree.add(f"warehouse.raw.{origin.raw_table}: {origin.raw_rows} rows {origin.raw_series or ''}")
        for row in origin.rows:
            raw.add(row)
        load = raw.add(f"load {origin.load_id} of {origin.source}, {origin.loaded_at}, run {origin.run_id}")
        load.add(f"checks: {', '.join(origin.checks) or 'none recorded'}")
        if origin.file is None:
            load.add(f"landing file {origin.landing_id}: not in landing any more")
        else:
            landing = load.add(f"landing file {origin.file.path}")
            landing.add(f"address {origin.file.address}, fetched {origin.file.fetched_at:%Y-%m-%d %H:%M}")
            landing.add(f"sha256 {origin.landing_id}, {origin.file.size} bytes")
    console.print(tree)
