"""What starts runs by itself: at the right time, for the right days, without what draws on a failed source."""

import os
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from hogland_pipeline.dbt_build import MANIFEST_PATH
from hogland_pipeline.dead_runs import RUN_ID_LENGTH
from hogland_pipeline.definitions import build_definitions
from hogland_pipeline.jobs import BUILT, INGEST_JOB, MARTS_JOB, buildable
from hogland_pipeline.loads import record_failure
from hogland_pipeline.manifest import Manifest
from hogland_pipeline.resources import bind_sources
from hogland_pipeline.schedules import drop_folder_trigger, nightly_schedule
from hogland_pipeline.settings import PROJECT_ROOT, load_settings
from hogland_pipeline.warehouse import SURVEY_ANSWER, Warehouse

SETTINGS = load_settings(PROJECT_ROOT / "hogland.toml", {})
LIVE = SETTINGS.model_copy(update={"as_of": None})


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return build_definitions(SETTINGS)


def assets(definitions: dg.Definitions) -> list[dg.AssetsDefinition]:
    return list(definitions.resolve_asset_graph().assets_defs)


@pytest.mark.parametrize(
    ("after", "first_ticks"),
    [
        ("2026-01-14 12:00", ["2026-01-15 01:00", "2026-01-16 01:00"]),
        # The night the clock jumps from 02:00 to 03:00: the run is not left out.
        ("2026-03-28 12:00", ["2026-03-29 01:00", "2026-03-30 00:00"]),
        # The night 02:00 comes twice: one run.
        ("2026-10-24 12:00", ["2026-10-25 01:00", "2026-10-26 01:00"]),
    ],
)
def test_the_night_starts_at_two_local_time(after: str, first_ticks: list[str]) -> None:
    schedule = nightly_schedule(LIVE, bind_sources(LIVE), dg.define_asset_job(INGEST_JOB))
    start = datetime.fromisoformat(after).replace(tzinfo=UTC)
    ticks = first_two_ticks(schedule, start)
    assert [f"{tick.astimezone(UTC):%Y-%m-%d %H:%M}" for tick in ticks] == first_ticks


def first_two_ticks(schedule: dg.ScheduleDefinition, start: datetime) -> list[datetime]:
    from dagster._utils.schedules import schedule_execution_time_iterator  # what the daemon asks; no public name

    ticks = schedule_execution_time_iterator(
        start.timestamp(), schedule.cron_schedule, schedule.execution_timezone, ascending=True
    )
    return [next(ticks) for _ in range(2)]


def test_the_night_asks_for_the_missing_days() -> None:
    job = dg.define_asset_job(INGEST_JOB)
    schedule = nightly_schedule(LIVE, bind_sources(LIVE), job)
    with dg.instance_for_test() as instance:
        for feed in ("tts_hogland", "smhi"):
            for day in ("2026-03-27", "2026-03-28"):
                instance.report_runless_asset_event(dg.AssetMaterialization(["raw", feed], partition=day))
        context = dg.build_schedule_context(
            instance=instance, scheduled_execution_time=datetime(2026, 3, 30, 0, tzinfo=UTC)
        )
        request = schedule(context)
    assert isinstance(request, dg.RunRequest)
    assert request.tags["dagster/asset_partition_range_end"] == "2026-03-29"
    assert request.tags["dagster/asset_partition_range_start"] == "2026-01-29"


def test_two_nights_have_two_run_keys() -> None:
    schedule = nightly_schedule(SETTINGS, bind_sources(SETTINGS), dg.define_asset_job(INGEST_JOB))
    keys = set()
    with dg.instance_for_test() as instance:
        for day in (1, 2):
            moment = datetime(2026, 2, day, 1, tzinfo=UTC)
            request: Any = schedule(dg.build_schedule_context(instance=instance, scheduled_execution_time=moment))
            keys.add(request.run_key)
    assert len(keys) == 2


def test_the_night_begins_by_clearing_away_what_a_killed_run_left(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"data_dir": tmp_path})
    schedule = nightly_schedule(settings, bind_sources(settings), dg.define_asset_job(INGEST_JOB))
    settings.candidate_dir.mkdir()
    ended, live = (settings.candidate_dir / f"smhi-1-{uuid.uuid4()}.parquet" for _ in range(2))
    with dg.instance_for_test() as instance:
        for candidate, status in (ended, dg.DagsterRunStatus.FAILURE), (live, dg.DagsterRunStatus.STARTED):
            candidate.touch()
            instance.create_run_for_job(
                dg.JobDefinition(name="night", graph_def=dg.GraphDefinition(name="night")),
                run_id=candidate.stem[-RUN_ID_LENGTH:],
                status=status,
            )
        schedule(
            dg.build_schedule_context(instance=instance, scheduled_execution_time=datetime(2026, 2, 1, 1, tzinfo=UTC))
        )
    assert list(settings.candidate_dir.iterdir()) == [live]


def names(keys: list[dg.AssetKey]) -> set[str]:
    return {key.to_user_string() for key in keys}


def test_without_a_failure_everything_is_built(definitions: dg.Definitions) -> None:
    known = assets(definitions)
    everything = BUILT.resolve(known)
    assert set(buildable(known, [])) == everything
    assert not any(key.path[0] in ("landing", "raw") for key in everything)


def test_a_closed_survey_leaves_out_exactly_what_draws_on_it(definitions: dg.Definitions) -> None:
    everything = names(buildable(assets(definitions), []))
    kept = names(buildable(assets(definitions), ["survey"]))
    manifest = Manifest.read(MANIFEST_PATH)
    drawing = {
        str(node["name"])
        for node in manifest.built_nodes()
        if "survey_answer" in manifest.raw_tables_behind(str(node["unique_id"]))
    }
    assert {"published/kpi_digitalisation__survey_answer", "published/fct_kpi_value"} <= everything - kept
    assert {name.rpartition("/")[2] for name in everything - kept} == drawing
    assert not {name for name in kept if name.rpartition("/")[2] in drawing}


def test_one_closed_feed_leaves_out_what_the_other_feeds_too(definitions: dg.Definitions) -> None:
    known = assets(definitions)
    assert buildable(known, ["smhi"]) == buildable(known, ["tts_hogland"]) == buildable(known, ["smhi", "tts_hogland"])
    assert "published/kpi_operations__daily_snow" not in names(buildable(known, ["smhi"]))


def test_a_feed_that_failed_before_it_was_removed_leaves_nothing_out(definitions: dg.Definitions) -> None:
    known = assets(definitions)
    assert buildable(known, ["removed"]) == buildable(known, [])
    assert buildable(known, ["removed", "smhi"]) == buildable(known, ["smhi"])


def test_with_every_source_closed_the_seeds_are_still_built(definitions: dg.Definitions) -> None:
    left = names(buildable(assets(definitions), [bound.source.name for bound in bind_sources(SETTINGS)]))
    assert {"marts/dim_municipality", "published/dim_municipality"} <= left
    assert not {name for name in left if "survey_answer__" in name or name.startswith("staging/stg_")}


@pytest.mark.parametrize("status", ["success", "failure"])
def test_the_marts_follow_an_ingest_without_what_failed(
    definitions: dg.Definitions, tmp_path: Path, status: str
) -> None:
    warehouse = Warehouse(tmp_path / "warehouse.duckdb")
    record_failure(warehouse, SURVEY_ANSWER, "survey", "run", "the gate is closed")
    trigger: Any = definitions.resolve_sensor_def(f"marts_after_ingest_{status}_trigger")

    @dg.job(name=INGEST_JOB)
    def ingest() -> None: ...

    with dg.DagsterInstance.ephemeral() as instance:
        result = ingest.execute_in_process(instance=instance)
        context = dg.build_run_status_sensor_context(
            sensor_name=trigger.name,
            dagster_event=result.get_run_success_event(),
            dagster_instance=instance,
            dagster_run=result.dagster_run,
        )
        request = trigger(context, warehouse=warehouse)
    assert request.asset_selection == buildable(assets(definitions), ["survey"])
    assert request.run_key == f"marts-after-{result.run_id}"
    assert [target.job_name for target in trigger.targets] == [MARTS_JOB]


@pytest.mark.parametrize(
    ("selection", "follows"),
    [
        ([["raw", "smhi"]], True),
        ([["landing", "smhi"], ["raw", "smhi"]], True),
        ([["landing", "smhi"]], False),
        ([["raw", "smhi"], ["marts", "dim_kpi"]], False),
        ([["marts", "dim_kpi"]], False),
        (None, False),
    ],
)
def test_the_marts_follow_a_source_that_was_materialised_in_the_ui(
    definitions: dg.Definitions, tmp_path: Path, selection: list[list[str]] | None, follows: bool
) -> None:
    trigger: Any = definitions.resolve_sensor_def("marts_after_ingest_success_trigger")

    @dg.job(name="__ASSET_JOB")
    def hidden() -> None: ...

    with dg.DagsterInstance.ephemeral() as instance:
        result = hidden.execute_in_process(instance=instance)
        keys = frozenset(map(dg.AssetKey, selection)) if selection else None
        context = dg.build_run_status_sensor_context(
            sensor_name=trigger.name,
            dagster_event=result.get_run_success_event(),
            dagster_instance=instance,
            dagster_run=dg.DagsterRun(job_name="__ASSET_JOB", asset_selection=keys),
        )
        answer = trigger(context, warehouse=Warehouse(tmp_path / "warehouse.duckdb"))
    assert isinstance(answer, dg.RunRequest) == follows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "drop").mkdir()
    (tmp_path / "drop" / "export.xlsx").write_bytes(b"1")
    return tmp_path / "drop"


def ask(folder: Path, cursor: str | None) -> tuple[Any, str | None]:
    survey = next(bound for bound in bind_sources(SETTINGS) if bound.source.name == "survey")
    trigger = drop_folder_trigger(survey, folder, dg.define_asset_job("survey_ingest_job"))
    context = dg.build_sensor_context(cursor=cursor)
    return trigger(context), context.cursor


def test_a_new_file_starts_a_load_once(folder: Path) -> None:
    request, cursor = ask(folder, None)
    assert isinstance(request, dg.RunRequest)
    again, _ = ask(folder, cursor)
    assert isinstance(again, dg.SkipReason)
    (folder / "another.xlsx").write_bytes(b"2")
    assert isinstance(ask(folder, cursor)[0], dg.RunRequest)


def test_a_changed_file_starts_a_load(folder: Path) -> None:
    _, cursor = ask(folder, None)
    later = (folder / "export.xlsx").stat().st_mtime + timedelta(seconds=5).total_seconds()
    os.utime(folder / "export.xlsx", (later, later))
    assert isinstance(ask(folder, cursor)[0], dg.RunRequest)


@pytest.mark.parametrize("name", ["~$export.xlsx", ".hidden.xlsx"])
def test_an_open_workbooks_lock_file_starts_nothing(folder: Path, name: str) -> None:
    _, cursor = ask(folder, None)
    (folder / name).write_bytes(b"")
    assert isinstance(ask(folder, cursor)[0], dg.SkipReason)


def test_a_missing_folder_is_said(folder: Path) -> None:
    reason, cursor = ask(folder / "none", "seen before")
    assert isinstance(reason, dg.SkipReason)
    assert "none is not there" in str(reason.skip_message)
    assert cursor == "seen before"
