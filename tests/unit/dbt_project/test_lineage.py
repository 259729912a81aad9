"""Lineage of values: models as the compiled SQL reads them, and the raw rows of a value's own quantities and days."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from tests.unit.dbt_project.small_build import Build, append_row, make_build

DOMAINS = "operations", "digitalisation", "twin", "climate"
# Tables that describe indicators, areas and roads; they are seeds and no step of a value's chain.
REGISTRIES = {path.stem for path in (Path(__file__).parents[3] / "dbt_project" / "seeds").glob("*.csv")}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Build:
    build = make_build(tmp_path_factory.mktemp("lineage"))
    build.dbt("compile", "-s", *(f"int_kpi_value__{domain}" for domain in DOMAINS))
    return build


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_branch_reads_the_models_that_its_lineage_names(compiled: Build, domain: str) -> None:
    [sql] = [it.node.compiled_code for it in compiled.results if it.node.name == f"int_kpi_value__{domain}"]
    named = {
        part: set(re.findall(r"'(\w+)'", models))
        for models, part in re.findall(r"(\[[^\]]*\]) as read_models\s+from (\w+)", sql)
    }
    parts = {cte.alias: cte.this for cte in sqlglot.parse_one(sql, dialect="duckdb").find_all(exp.CTE)}

    def read_by(part: str) -> set[str]:
        tables = {table.name for table in parts[part].find_all(exp.Table)} - {part}
        return set().union(*(read_by(table) if table in parts else {table} for table in tables))

    assert named
    assert {part: read_by(part) - REGISTRIES for part in named} == named


# Hours of a heat meter in two winters; the station that its degree days come from measures the second.
HEAT = """
insert into raw.sensor_reading
select
    feed, sensor_id, quantity, observed_at, 5 + hour(observed_at) / 10.0, unit, null, null, 'good', null,
    observed_at, 0, null, 'file', timestamptz '2026-01-14 01:00:00+00', 1, 1
from (
    from generate_series(
        timestamptz '2025-01-09 23:00:00+00', timestamptz '2025-01-11 22:00:00+00', interval 1 hour
    )
    union all
    from generate_series(
        timestamptz '2026-01-09 23:00:00+00', timestamptz '2026-01-13 22:00:00+00', interval 1 hour
    )
) as moments(observed_at)
cross join (values ('smhi', '74180', 'air_temperature', 'degC'), ('metry', 'meter-1', 'energy', 'kWh'))
    as series(feed, sensor_id, quantity, unit)
where feed = 'metry' or observed_at >= '2026-01-01 00:00:00+00';
insert into ops.touched_day
select distinct 1, feed, timezone('Europe/Stockholm', observed_at)::date
from raw.sensor_reading where feed in ('smhi', 'metry');
"""
METER = "meter-1,metry,meter-1,School,0682,energy_meter_of_test,,,57.65,14.69,60,,"
BUILDING = "school,School,0682,meter-1,1000,0.2,74180,4000,made up for the test,2024/2025"
LASER, STATION = "A81758FFFE04A001", "74180"


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """A laser that was put up on 11 January, a station, and a building with its meter."""
    build = make_build(tmp_path_factory.mktemp("traced"))
    build.change_warehouse(HEAT)
    append_row(build.seeds / "sensor_kinds.csv", "energy_meter_of_test,Energimätare,Energy meter,energy")
    append_row(build.seeds / "sensors.csv", METER)
    append_row(build.seeds / "buildings.csv", BUILDING)
    sensors = build.seeds / "sensors.csv"
    rows = sensors.read_text(encoding="utf-8").splitlines()
    [laser] = [row for row in rows if row.startswith(f"{LASER},")]
    began = laser.removesuffix(",,") + ",2026-01-11,"
    sensors.write_text("\n".join(began if row == laser else row for row in rows) + "\n", encoding="utf-8")
    assert not build.dbt("seed") | build.dbt("run")
    return build


@pytest.mark.parametrize(
    ("kpi_id", "area_id", "period", "raw"),
    [
        ("sensor_availability", LASER, "2026-01-12", {(LASER, "distance", 144)}),
        # 10 January is before it was put up; the file has it.
        ("snow_cover_days", LASER, "2025/2026", {(LASER, "distance", 3 * 144)}),
        ("zero_crossings", LASER, "2026-01", {(LASER, "air_temperature", 3 * 144)}),
        ("sensor_availability", STATION, "2026-01-12", {(STATION, "air_temperature", 24)}),
        ("heat_use_normalised", "school", "2026", {("meter-1", "energy", 96), (STATION, "air_temperature", 96)}),
        ("heat_use_normalised", "school", "2025", {("meter-1", "energy", 48)}),
        # With the winter that it is compared with.
        ("peak_power_reduction", "school", "2025/2026", {("meter-1", "energy", 48 + 96)}),
    ],
)
def test_raw_rows_are_those_of_the_values_own_quantities_and_days(
    traced: Build, kpi_id: str, area_id: str, period: str, raw: set[tuple[str, str, int]]
) -> None:
    found = traced.query(
        "select raw_area_id, raw_series, sum(raw_rows)::bigint from main.kpi_lineage"
        f" where kpi_id = '{kpi_id}' and area_id = '{area_id}' and period = '{period}' group by all"
    )
    assert set(found) == raw


@pytest.mark.parametrize(
    "loses_its_rows",
    [
        "update main.kpi_lineage set raw_table = null where kpi_id = 'zero_crossings'",
        "update main.kpi_lineage set raw_table = null where area_type = 'building'",
        "update main.kpi_lineage set raw_table = null, dbt_model = 'int_kpi_value__climate'"
        " where kpi_id = 'uttc_solutions_by_stage'",
    ],
)
def test_a_value_without_raw_rows_fails_the_night(traced: Build, loses_its_rows: str) -> None:
    kept = traced.marts.read_bytes()
    sound = traced.dbt("test", "-s", "values_have_raw_rows")
    traced.change_marts(loses_its_rows)
    failed = traced.dbt("test", "-s", "values_have_raw_rows")
    traced.marts.write_bytes(kept)
    assert (sound, failed) == (set(), {"values_have_raw_rows"})
