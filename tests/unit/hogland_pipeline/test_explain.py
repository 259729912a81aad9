"""The chain of a value, from a small published file, warehouse and landing."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from rich.console import Console

from hogland_pipeline.explain import NothingPublished, explain, print_explanation
from hogland_pipeline.manifest import Manifest
from hogland_pipeline.settings import Settings, load_settings
from hogland_pipeline.warehouse import Warehouse
from sensors_ingest.landing import Landing

AT = "timestamptz '2026-06-30 12:00:00+00'"
MANIFEST = Manifest(
    {
        "nodes": {
            "test.hogland.kpi_period_starts_before_it_ends.1": {
                "name": "kpi_period_starts_before_it_ends",
                "resource_type": "test",
                "depends_on": {"nodes": ["model.hogland.fct_kpi_value"]},
            },
        }
    }
)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """One value in two vintages, the newer of which was loaded from a landing file."""
    settings = load_settings(data_dir=tmp_path)
    file = Landing(settings.landing_dir).write(
        "emissions", [b"figures"], address="emissions-2026-06.csv", suffix="csv", source_time=datetime.now(UTC)
    )
    with Warehouse(settings.warehouse_path).write() as warehouse:
        warehouse.execute(
            "insert into raw.indicator_value by name select 'ned' as source, 'GGT' as series_id, '0682' as area_id,"
            " '2024' as period, 'total' as breakdown, 108542.566 as value, 'observed' as value_status, 't' as unit,"
            f" '2026-06' as vintage, '{file.landing_id}' as landing_id, 1 as revision, 7 as load_id;"
            "insert into ops.check_result by name select 7 as load_id, 'emissions' as source, 1 as position,"
            " 'emission_is_not_negative' as name, 'error' as severity, 'row' as scope, true as passed"
        )
    settings.published_dir.mkdir()
    with duckdb.connect(str(settings.published_dir / "hogland.duckdb")) as published:
        published.execute(
            "create table fct_kpi_value as select 'ghg_total' as kpi_id, 'municipality' as area_type,"
            " '0682' as area_id, '2024' as period, date '2024-01-01' as period_start,"
            " date '2024-12-31' as period_end, value::double as value, null::varchar as value_text,"
            " 't CO2e' as unit, 'observed' as value_status, 'ned-v1' as method_version, source_vintage,"
            " valid_from_date, valid_to_date, valid_to_date is null as is_latest from (values"
            " (99000.0, '2026-02', date '2026-02-01', date '2026-06-01'),"
            " (108542.566, '2026-06', date '2026-06-01', null)"
            ") as vintages(value, source_vintage, valid_from_date, valid_to_date);"
            "create table dim_kpi as select * from (values ('ghg_total', 'published'), ('dimios_maturity',"
            " 'no value yet: no DiMiOS delivery received')) as kpis(kpi_id, value_status);"
            "create table kpi_lineage as select 'ghg_total' as kpi_id, '0682' as area_id, '2024' as period,"
            " 'ned-v1' as method_version, '2026-06' as source_vintage, 'int_kpi_value__climate' as dbt_model,"
            " 'fct_kpi_value ← int_kpi_value__climate ← warehouse.raw.indicator_value' as dbt_models,"
            " 'indicator_value' as raw_table, 'GGT total' as raw_series, '0682' as raw_area_id,"
            " 1 as raw_rows, 7 as load_id, 'emissions' as load_source, 'r1' as run_id,"
            f" {AT} as loaded_at, '{file.landing_id}' as landing_id;"
            f"create table publication as select 'fct_kpi_value' as mart, {AT} as published_at, 'r2' as run_id,"
            " 15 as checks_passed, 0 as checks_warned, 0 as checks_failed"
        )
    monkeypatch.setattr(Manifest, "read", lambda path: MANIFEST)
    return settings


def test_a_value_is_followed_to_its_landing_file_and_every_check(settings: Settings) -> None:
    latest, older = explain(settings, "ghg_total", "0682", "2024")

    assert (latest.value["value"], latest.models) == (
        108542.566,
        ["fct_kpi_value", "int_kpi_value__climate", "warehouse.raw.indicator_value"],
    )
    assert latest.tests == ["kpi_period_starts_before_it_ends"]
    [origin] = latest.origins
    assert origin.file is not None
    assert origin.file.address == "emissions-2026-06.csv"
    assert origin.checks == ["emission_is_not_negative: passed"]
    assert len(origin.rows) == 1
    assert "value 108542.566" in origin.rows[0]
    assert (older.value["source_vintage"], older.origins) == ("2026-02", [])


def test_a_sensors_value_shows_readings_of_what_it_is_made_of_and_of_its_period(settings: Settings) -> None:
    """One file holds three quantities of three hours, of which the first is still of the day before."""
    with Warehouse(settings.warehouse_path).write() as warehouse:
        warehouse.execute(
            "insert into raw.sensor_reading by name select 'tts' as feed, 'A' as sensor_id, quantity, observed_at,"
            " 1.0 as value, 'unit' as unit, 'good' as quality, 'one file' as landing_id, 1 as revision, 8 as load_id"
            " from unnest(['air_temperature', 'distance', 'signal_snr']) as quantities(quantity), generate_series("
            "timestamptz '2026-01-11 22:00:00+00', timestamptz '2026-01-12 00:00:00+00', interval 1 hour"
            ") as hours(observed_at)"
        )
    with duckdb.connect(str(settings.published_dir / "hogland.duckdb")) as published:
        published.execute(
            "insert into fct_kpi_value by name select 'zero_crossings' as kpi_id, 'sensor' as area_type,"
            " 'A' as area_id, 'a day' as period, date '2026-01-12' as period_start,"
            " date '2026-01-12' as period_end, 1 as value, 'v1' as method_version, 'tts' as source_vintage;"
            "insert into kpi_lineage by name select 'zero_crossings' as kpi_id, 'A' as area_id, 'a day' as period,"
            " 'v1' as method_version, 'tts' as source_vintage, '' as dbt_models, 'sensor_reading' as raw_table,"
            f" 'air_temperature' as raw_series, 'A' as raw_area_id, 3 as raw_rows, 8 as load_id,"
            f" {AT} as loaded_at, 'one file' as landing_id"
        )

    [explained] = explain(settings, "zero_crossings", "A", "a day")

    [origin] = explained.origins
    assert {row.split(", ")[2] for row in origin.rows} == {"quantity air_temperature"}
    assert len(origin.rows) == 2


def test_a_peak_shows_readings_of_the_winter_that_it_is_compared_with(settings: Settings) -> None:
    with Warehouse(settings.warehouse_path).write() as warehouse:
        warehouse.execute(
            "INSERT INTO raw.sensor_reading BY NAME SELECT 'metry' AS feed, 'meter' AS sensor_id,"
            " 'energy' AS quantity, TIMESTAMPTZ '2025-01-12 10:00:00+00' AS observed_at, 1 AS value,"
            " 1 AS revision, 8 AS load_id, 'old file' AS landing_id"
        )
    with duckdb.connect(str(settings.published_dir / "hogland.duckdb")) as published:
        published.execute(
            "insert into fct_kpi_value by name select 'peak_power_reduction' as kpi_id, 'building' as area_type,"
            " 'school' as area_id, '2025/2026' as period, date '2025-10-01' as period_start,"
            " date '2026-04-30' as period_end, 1 as value, 'v1' as method_version, 'meters' as source_vintage;"
            "insert into kpi_lineage by name select 'peak_power_reduction' as kpi_id, 'school' as area_id,"
            " '2025/2026' as period, 'v1' as method_version, 'meters' as source_vintage, '' as dbt_models,"
            " 'sensor_reading' as raw_table, 'energy' as raw_series, 'meter' as raw_area_id, 1 as raw_rows,"
            f" 8 as load_id, {AT} as loaded_at, 'old file' as landing_id"
        )
    [explained] = explain(settings, "peak_power_reduction", "school", "2025/2026")
    [origin] = explained.origins
    assert len(origin.rows) == 1


def test_the_printed_chain_names_value_load_file_and_check(settings: Settings) -> None:
    console = Console(width=200, record=True, file=io.StringIO())
    for explanation in explain(settings, "ghg_total", "0682", "2024"):
        print_explanation(console, explanation)
    text = console.export_text()
    for expected in (
        "108,542.566",
        "load 7 of emissions",
        "emissions-2026-06.csv",
        "sha256",
        "no raw row stands behind",
    ):
        assert expected in text


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (("ghg_total", "0682", "2030"), "it has 2024"),
        (("ghg_total", "0604", "2024"), "the areas are 0682"),
        (("dimios_maturity", "0682", "2024"), "no DiMiOS delivery received"),
        (("ghg_totals", "0682", "2024"), "is not an indicator"),
    ],
)
def test_a_value_that_does_not_exist_is_told_in_a_sentence(
    settings: Settings, question: tuple[str, str, str], answer: str
) -> None:
    with pytest.raises(NothingPublished, match=answer):
        explain(settings, *question)


def test_before_the_first_night_there_is_nothing_to_explain(tmp_path: Path) -> None:
    with pytest.raises(NothingPublished, match="run the night first"):
        explain(load_settings(data_dir=tmp_path), "ghg_total", "0682", "2024")
