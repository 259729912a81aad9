"""Nights on the bundled samples: the published figures, quiet nights, closed gates, and what stays private."""

import gzip
import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import fastexcel
import pyarrow as pa
import pytest
import xlsxwriter

from hogland_pipeline import publishing
from hogland_pipeline.assets.published import published_key
from hogland_pipeline.dbt_build import MANIFEST_PATH
from hogland_pipeline.definitions import build_definitions
from hogland_pipeline.jobs import INGEST_JOB, MARTS_JOB
from hogland_pipeline.manifest import Manifest
from hogland_pipeline.nightly import _failures
from hogland_pipeline.schedules import range_tags
from hogland_pipeline.settings import PROJECT_ROOT
from tests.integration.conftest import Platform

LAST_DAY = "2026-01-31"
SNOW = "nassjo-snow-01"
UPLINK_KEYS = ("end_device_ids", "received_at", "uplink_message")


# The first night


def test_the_panel_of_nassjo_comes_out_of_the_raw_uplinks(first_night: Platform) -> None:
    assert first_night.query(
        """
        SELECT min(snow_depth_low_cm), max(snow_depth_high_cm), min(air_temperature_low_degc),
               max(air_temperature_high_degc), min(relative_humidity_low_pct), max(relative_humidity_high_pct), count(*)
        FROM kpi_operations__daily_snow
        WHERE sensor_id = 'A81758FFFE04A001' AND local_date BETWEEN '2026-01-01' AND '2026-01-21'
        """
    ) == [(0.0, 65.0, -14.2, 3.7, 72.0, 86.0, 21)]


@pytest.mark.parametrize(
    ("question", "answers", "published"),
    [
        ("tech_direction", {"yes": 13, "no": 27, "dont_know": 1}, (31.7, 19.6, 47.0)),
        ("ai_strategy", {"yes": 7, "no": 34}, (17.1, 8.5, 31.3)),
    ],
)
def test_the_survey_has_its_published_totals(
    first_night: Platform, question: str, answers: dict[str, int], published: tuple[float, ...]
) -> None:
    counted = first_night.warehouse(
        f"SELECT answer, count(*) FROM raw.survey_answer WHERE question_id = '{question}' GROUP BY answer"
    )
    assert dict(counted) == answers
    assert first_night.query(
        f"""
        SELECT n_respondents, round(100 * answer_share, 1), round(100 * answer_share_lower_bound, 1),
               round(100 * answer_share_upper_bound, 1)
        FROM kpi_digitalisation__survey_answer
        WHERE question_id = '{question}' AND subgroup_type = 'all' AND answer = 'yes'
        """
    ) == [(41, *published)]


def test_the_page_is_published_with_the_marts_and_misses_none(first_night: Platform) -> None:
    site = first_night.data / "published" / "site"
    pages = {path.name for path in site.glob("*.html")}
    assert {"index.html", "kommun-nassjo.html", "sno-nassjo-snow-01.html", "enkat.html"} <= pages
    assert pages == {path.name for path in site.glob("en/*.html")}
    for path in site.glob("**/*.html"):
        if "docs" not in path.parts:
            html = path.read_text(encoding="utf-8")
            assert "Uppgifter saknas." not in html and "Data are missing." not in html, path
            assert len(html) < 400_000, path
    assert "108\u202f543" in (site / "kommun-nassjo.html").read_text(encoding="utf-8")
    assert 'href="docs/dictionary/index.html"' in (site / "index.html").read_text(encoding="utf-8")


def test_the_catalogue_has_its_nine_solutions(first_night: Platform) -> None:
    stages = first_night.query("SELECT stage, count(*) FROM kpi_twin__solution GROUP BY stage ORDER BY stage")
    assert sum(count for _, count in stages) == 9
    assert {stage for stage, _ in stages} <= {"identified", "analysed", "validated"}


def test_nothing_is_lost_between_candidate_and_raw(first_night: Platform) -> None:
    assert first_night.warehouse(
        """
        SELECT count(*) FROM ops.load
        WHERE rows_staged <> rows_inserted + rows_revised + rows_unchanged + rows_quarantined
        """
    ) == [(0,)]
    for table in ("sensor_reading", "survey_answer", "uttc_solution"):
        ((stored,),) = first_night.warehouse(
            f"SELECT (SELECT count(*) FROM raw.{table}) + (SELECT count(*) FROM raw.{table}_history)"
        )
        ((loaded,),) = first_night.warehouse(
            f"SELECT sum(rows_inserted + rows_revised) FROM ops.load WHERE table_name = '{table}'"
        )
        assert stored == loaded
    assert first_night.warehouse("SELECT count(*) FROM quarantine.sensor_reading WHERE reason IS NULL") == [(0,)]


def test_nobody_of_the_survey_is_anywhere_in_the_data_the_logs_or_dagsters_storage(first_night: Platform) -> None:
    people = personal_values(first_night.source("survey"))
    assert len(people) > 60
    storage = first_night.settings.dagster_home
    assert storage.is_relative_to(first_night.data)
    assert ".db" in {path.suffix for path in storage.rglob("*")}  # runs and their events
    assert found_in(first_night.data, people) == []


def test_the_search_for_people_finds_them(tmp_path: Path) -> None:
    """Plain files, compressed ones, workbooks, databases and Parquet."""
    (tmp_path / "run.log").write_text("Anna Exempel answered", encoding="utf-8")
    with pa.OSFile(str(tmp_path / "landing.ndjson.zst"), "wb") as file, pa.CompressedOutputStream(file, "zstd") as out:
        out.write(b"anna@example.org " * 100)
    write_workbook(tmp_path / "extract.xlsx", [["anna@example.org"]])
    with duckdb.connect(str(tmp_path / "w.duckdb")) as connection:
        connection.execute("CREATE TABLE t AS SELECT ['anna@example.org'] AS effects FROM range(5000)")
        connection.execute(f"COPY t TO '{tmp_path / 't.parquet'}'")
    names = {name for name, _ in found_in(tmp_path, {"anna@example.org", "Anna Exempel"})}
    assert names == {"run.log", "landing.ndjson.zst", "extract.xlsx", "w.duckdb", "t.parquet"}


def personal_values(folder: Path) -> set[str]:
    """Addresses and names of the people in the sample's workbook."""
    (workbook,) = folder.glob("*.xlsx")
    table = fastexcel.read_excel(workbook).load_sheet(0).to_arrow()
    columns = [table.column(index).to_pylist() for index in range(table.num_columns)]
    texts = {str(value).strip() for column in columns for value in column if value is not None}
    addresses = {text for text in texts if "@" in text}
    (named,) = (
        column
        for header, column in zip(table.schema.names, columns, strict=True)
        if header.strip().casefold() in ("namn", "name")
    )
    return addresses | {str(name).strip() for name in named if name}


def found_in(folder: Path, people: set[str]) -> list[tuple[str, str]]:
    """(file, what) for every person found; DuckDB and Parquet compress texts, so they are asked."""
    pattern = "|".join(map(re.escape, sorted(people)))
    found = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if path.suffix == ".duckdb":
            found += [(path.name, table) for table in tables_with(path, pattern)]
            continue
        if path.suffix == ".parquet":
            with duckdb.connect() as connection:
                sql = "SELECT count(*) FROM read_parquet(?) t WHERE regexp_matches(t::VARCHAR, ?, 'i')"
                rows = connection.execute(sql, [str(path), pattern]).fetchall()
            found += [(path.name, "rows") for (count,) in rows if count]
            continue
        content = path.read_bytes()
        if path.suffix in (".xlsx", ".zip"):
            with zipfile.ZipFile(path) as archive:
                content = b"\n".join(map(archive.read, archive.namelist()))
        if path.suffix == ".zst":
            with pa.CompressedInputStream(pa.BufferReader(content), "zstd") as stream:
                content = stream.read()
        hit = re.search(pattern.encode(), content, re.IGNORECASE)
        found += [(path.name, hit[0].decode())] if hit else []
    return found


def tables_with(path: Path, pattern: str) -> list[str]:
    with duckdb.connect(str(path), read_only=True) as connection:
        tables = connection.execute("SELECT schema_name || '.' || table_name FROM duckdb_tables()").fetchall()
        sql = "SELECT count(*) FROM {} t WHERE regexp_matches(t::VARCHAR, ?, 'i')"
        return [name for (name,) in tables if connection.execute(sql.format(name), [pattern]).fetchall() != [(0,)]]


# The second night


def test_a_second_night_changes_no_number_and_says_so(platform: Platform) -> None:
    before, raw = platform.fingerprints(), platform.raw()
    night = platform.night()
    assert night.is_good, night.failures
    assert not night.is_changed
    assert platform.fingerprints() == before
    assert platform.raw() == raw
    assert {(source.status, source.loaded, source.revised) for source in night.sources} == {("passed", 0, 0)}
    assert platform.query("SELECT DISTINCT is_changed, is_stale FROM publication") == [(False, False)]


# Closed gates


def marts_behind(table: str) -> set[str]:
    """The marts that draw on a raw table."""
    manifest = Manifest.read(MANIFEST_PATH)
    return {
        str(mart["name"]) for mart in manifest.marts() if table in manifest.raw_tables_behind(str(mart["unique_id"]))
    }


def spoil_readings(platform: Platform) -> Callable[[], None]:
    """The last day comes again with most payloads broken."""
    path = platform.source("tts_hogland") / f"{LAST_DAY}.ndjson.gz"
    content = path.read_bytes()
    text = gzip.decompress(content).decode()
    path.write_bytes(gzip.compress(re.sub(r'"frm_payload":"[^"]*"', '"frm_payload":"/w=="', text).encode()))

    def mend() -> None:
        path.write_bytes(content)

    return mend


def spoil_survey(platform: Platform) -> Callable[[], None]:
    """A second export in which nearly every answer is none of the form's."""
    (good,) = platform.source("survey").glob("*.xlsx")
    rows = rows_of_workbook(good)
    bad = platform.source("survey") / "another export(1-41).xlsx"
    spoilt = [[cell if index < 6 else "xyzzy" for index, cell in enumerate(row)] for row in rows[1:]]
    write_workbook(bad, [rows[0], *spoilt])
    return bad.unlink


def spoil_catalogue(platform: Platform) -> Callable[[], None]:
    """Most pages no longer say their stage where it stood."""
    pages = sorted(platform.source("uttc_catalogue").rglob("index.html"))
    contents = {page: page.read_bytes() for page in pages}
    for page in pages[:7]:
        page.write_bytes(b"<html><body><p>moved</p></body></html>")

    def mend() -> None:
        for page, content in contents.items():
            page.write_bytes(content)

    return mend


def rows_of_workbook(path: Path) -> list[list[Any]]:
    sheet = fastexcel.read_excel(path).load_sheet(0, header_row=None, dtypes="string").to_arrow()
    return [list(row.values()) for row in sheet.to_pylist()]


def write_workbook(path: Path, rows: list[list[Any]]) -> None:
    with xlsxwriter.Workbook(str(path)) as workbook:
        sheet = workbook.add_worksheet()
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, ["" if cell is None else cell for cell in row])


@pytest.mark.parametrize(
    ("spoil", "source", "table", "mart"),
    [
        (spoil_readings, "tts_hogland", "sensor_reading", "kpi_operations__daily_snow"),
        (spoil_survey, "survey", "survey_answer", "kpi_digitalisation__survey_answer"),
        (
            spoil_catalogue,
            "uttc_catalogue",
            "uttc_solution",
            "kpi_twin__solution",
        ),
    ],
    ids=["sensor_reading", "survey_answer", "uttc_solution"],
)
def test_a_bad_batch_closes_the_gate_and_the_next_good_night_recovers(
    platform: Platform, spoil: Callable[[Platform], Callable[[], None]], source: str, table: str, mart: str
) -> None:
    marts = marts_behind(table)
    assert {mart, "fct_kpi_value"} <= marts
    figures, raw = platform.figures(), platform.raw()
    ((good_at,),) = platform.warehouse(f"SELECT last_good_at FROM ops.source_status WHERE source = '{source}'")
    mend = spoil(platform)

    closed = platform.night()
    assert not closed.is_good
    assert {each.source: each.status for each in closed.sources if each.status != "passed"} == {source: "closed"}
    assert any(f"The gate of {source} is closed" in failure for failure in closed.failures)
    assert platform.raw() == raw
    assert platform.figures() == figures
    stale = platform.query("SELECT mart, stale_since, stale_sources FROM publication WHERE is_stale ORDER BY mart")
    assert stale == [(name, good_at, source) for name in sorted(marts)]
    rebuilt = {each.mart for each in closed.marts if each.stale_sources is None}
    assert rebuilt == set(figures) - marts
    assert platform.query("SELECT count(DISTINCT run_id) FROM publication") == [(1,)]
    failed = platform.query(f"SELECT status FROM publication_source WHERE source = '{source}'")
    assert failed == [("closed",)]

    mend()
    good = platform.night()
    assert good.is_good, good.failures
    assert platform.figures() == figures
    assert platform.query("SELECT count(*) FROM publication WHERE is_stale") == [(0,)]


def test_a_source_that_is_not_there_makes_its_marts_stale_and_no_other(platform: Platform) -> None:
    figures = platform.figures()
    shutil.rmtree(platform.source("uttc_catalogue"))
    run = subprocess.run(
        [sys.executable, "-m", "hogland_pipeline", "run"],
        cwd=PROJECT_ROOT,
        env=dict(platform.environment()),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1, run.stdout + run.stderr
    assert "Traceback" not in run.stdout + run.stderr
    assert "uttc_catalogue" in run.stdout
    assert "the folder does not exist" in run.stdout
    assert platform.figures() == figures
    assert platform.query("SELECT mart, stale_sources FROM publication WHERE is_stale ORDER BY mart") == [
        (mart, "uttc_catalogue") for mart in sorted(marts_behind("uttc_solution"))
    ]
    assert platform.query("SELECT source, status FROM publication_source WHERE status <> 'passed'") == [
        ("uttc_catalogue", "failed")
    ]


def run_job(platform: Platform, instance: dg.DagsterInstance, job: str, **options: Any) -> Any:
    definitions = build_definitions(platform.settings)
    return definitions.resolve_job_def(job).execute_in_process(instance=instance, raise_on_error=False, **options)


def test_a_backfill_with_one_bad_day_lands_the_others(make_platform: Callable[[], Platform]) -> None:
    platform = make_platform()
    folder = platform.source("tts_hogland")
    bad = folder / "2026-01-07.ndjson.gz"
    text = gzip.decompress(bad.read_bytes()).decode()
    bad.write_bytes(gzip.compress(re.sub(r'"frm_payload":"[^"]*"', '"frm_payload":"/w=="', text).encode()))
    raw = dg.AssetKey(["raw", "tts_hogland"])
    selection = [dg.AssetKey(["landing", "tts_hogland"]), raw]
    with dg.DagsterInstance.ephemeral() as instance:
        result = run_job(
            platform, instance, INGEST_JOB, asset_selection=selection, tags=range_tags("2026-01-05", "2026-01-08")
        )
        assert not result.success
        landed = instance.get_materialized_partitions(raw)
    assert landed == {"2026-01-05", "2026-01-06", "2026-01-08"}
    assert _failures(result) == [
        "The gate of tts_hogland is closed: 2026-01-07: quarantined_share_is_within_limit failed"
        " (869 of 1161 rows). Its last good data stays. 'hogland quarantine' counts the reasons."
    ]
    days = platform.warehouse("SELECT landing_day::VARCHAR, status FROM ops.load ORDER BY landing_day")
    assert days == [
        ("2026-01-05", "passed"),
        ("2026-01-06", "passed"),
        ("2026-01-07", "closed"),
        ("2026-01-08", "passed"),
    ]


def test_one_closed_day_by_itself_does_not_count_as_loaded(make_platform: Callable[[], Platform]) -> None:
    platform = make_platform()
    spoil_readings(platform)
    raw = dg.AssetKey(["raw", "tts_hogland"])
    with dg.DagsterInstance.ephemeral() as instance:
        result = run_job(
            platform,
            instance,
            INGEST_JOB,
            asset_selection=[dg.AssetKey(["landing", "tts_hogland"]), raw],
            tags=range_tags(LAST_DAY, LAST_DAY),
        )
        assert not result.success
        assert instance.get_materialized_partitions(raw) == set()


def test_a_run_of_a_single_partition_loads_its_day(make_platform: Callable[[], Platform]) -> None:
    platform = make_platform()
    raw = dg.AssetKey(["raw", "tts_hogland"])
    with dg.DagsterInstance.ephemeral() as instance:
        result = run_job(
            platform,
            instance,
            INGEST_JOB,
            asset_selection=[dg.AssetKey(["landing", "tts_hogland"]), raw],
            partition_key="2026-01-05",
        )
        assert result.success
        assert instance.get_materialized_partitions(raw) == {"2026-01-05"}
    assert platform.warehouse("SELECT count(*) > 1000 FROM raw.sensor_reading") == [(True,)]


# Marts that are not good enough


def test_a_mart_that_fails_its_last_audit_publishes_nothing(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, release = platform.figures(), platform.published.resolve()
    suite = publishing.load_suite("dim_municipality")
    rule = suite.expectations[0].model_copy(
        update={
            "expectation": "expect_table_row_count_to_equal",
            "kwargs": {"value": 6},
            "only_where": {},
        }
    )
    broken = suite.model_copy(update={"expectations": [rule]})
    real = publishing.load_suite
    monkeypatch.setattr(publishing, "load_suite", lambda name: broken if name == "dim_municipality" else real(name))
    marts = [published_key(mart) for mart in before]
    with dg.DagsterInstance.ephemeral() as instance:
        result = run_job(platform, instance, MARTS_JOB, asset_selection=marts)
        assert not result.success
    assert _failures(result) == ["nothing was published, the last audit failed: mart dim_municipality: " + rule.name]
    assert result.get_asset_materialization_events() == []
    error = dg.AssetCheckSeverity.ERROR
    failed = [each for each in result.get_asset_check_evaluations() if not each.passed and each.severity == error]
    assert [(each.check_name, each.asset_key.path[-1]) for each in failed] == [(rule.name, "dim_municipality")]
    assert platform.published.resolve() == release
    assert platform.figures() == before


def test_a_failed_dbt_test_throws_the_candidate_away(platform: Platform) -> None:
    """A row that never passed the gate: the sums of raw and mart no longer agree, or a key comes twice."""
    build, release = (platform.data / "build" / "marts.duckdb").read_bytes(), platform.published.resolve()
    with duckdb.connect(str(platform.data / "warehouse.duckdb")) as connection:
        connection.execute("INSERT INTO raw.uttc_solution SELECT * FROM raw.uttc_solution LIMIT 1")
    with dg.DagsterInstance.ephemeral() as instance:
        result = run_job(platform, instance, MARTS_JOB)
        assert not result.success
    (failure,) = _failures(result)
    assert failure.startswith("The build was thrown away, the last good one stays: ")
    assert result.get_asset_materialization_events() == []
    assert any(not each.passed for each in result.get_asset_check_evaluations())
    assert (platform.data / "build" / "marts.duckdb").read_bytes() == build
    assert not (platform.data / "build" / "candidate").exists()
    assert platform.published.resolve() == release


# Late data


def test_a_late_uplink_rebuilds_only_its_day(platform: Platform) -> None:
    """An uplink kept by its gateway since the 26th is delivered on the last day."""
    daily = "SELECT * FROM intermediate.int_sensor_reading__daily ORDER BY ALL"
    hourly = "SELECT * FROM intermediate.int_sensor_reading__hourly ORDER BY ALL"
    build = platform.data / "build" / "marts.duckdb"
    before = {sql: set(platform.query(sql, build)) for sql in (daily, hourly)}
    lines = gzip.decompress((platform.source("tts_hogland") / f"{LAST_DAY}.ndjson.gz").read_bytes()).decode()
    (uplink,) = (json.loads(line) for line in [next(line for line in lines.splitlines() if f'"{SNOW}"' in line)])
    moment = datetime(2026, 1, 26, 11, 33, 33, tzinfo=UTC)
    for record in uplink["result"]["uplink_message"]["rx_metadata"]:
        record |= dict.fromkeys(("time", "gps_time"), f"{moment:%Y-%m-%dT%H:%M:%S}.000000Z")
    uplink["result"]["uplink_message"]["f_cnt"] = 999_999
    late = platform.source("tts_hogland") / f"{LAST_DAY}-late.ndjson"
    late.write_text(json.dumps(uplink) + "\n", encoding="utf-8")

    night = platform.night()
    assert night.is_good, night.failures
    assert sum(source.loaded for source in night.sources) >= 1
    days = platform.warehouse(
        "SELECT DISTINCT local_date FROM ops.touched_day WHERE load_id > (SELECT max(load_id) - 4 FROM ops.load)"
    )
    assert days == [(date(2026, 1, 26),)]
    for sql in (daily, hourly):
        changed = set(platform.query(sql, build)) ^ before[sql]
        assert changed
        assert {row[3] for row in changed} == {date(2026, 1, 26)}


def test_the_ui_loads_what_the_workspace_names(first_night: Platform) -> None:
    validated = subprocess.run(
        [sys.executable, "-m", "dagster", "definitions", "validate", "-w", "workspace.yaml"],
        cwd=PROJECT_ROOT,
        env={**first_night.environment(), "DAGSTER_HOME": str(first_night.data / "dagster")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert validated.returncode == 0, validated.stdout + validated.stderr
    assert "hogland" in validated.stdout + validated.stderr
