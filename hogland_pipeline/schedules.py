"""What starts runs by itself: the clock, the end of an ingest run, and new files in a drop folder."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

import dagster as dg

from hogland_pipeline.dead_runs import end_dead_runs
from hogland_pipeline.jobs import MARTS_JOB, AssetJob, buildable
from hogland_pipeline.partitions import nightly_range
from hogland_pipeline.resources import BoundSource
from hogland_pipeline.settings import Settings
from hogland_pipeline.staleness import source_states
from hogland_pipeline.warehouse import Warehouse
from sensors_ingest.landing import Landing

NIGHTLY_CRON = "0 2 * * *"
PUSHED_SECONDS = 300
RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"


def range_tags(first: str, last: str) -> dict[str, str]:
    """Tags that make one run cover the partitions from ``first`` to ``last``."""
    return {RANGE_START_TAG: first, RANGE_END_TAG: last}


def nightly_schedule(settings: Settings, sources: Sequence[BoundSource], job: AssetJob) -> dg.ScheduleDefinition:
    """Every night at 02:00 local time: yesterday and whatever is missing before it, in one run."""

    @dg.schedule(
        name="nightly_ingest_schedule",
        job=job,
        cron_schedule=NIGHTLY_CRON,
        execution_timezone=settings.timezone,
        description="Yesterday, and days before it that are missing. The marts follow when it has ended.",
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        for sentence in end_dead_runs(context.instance, settings.candidate_dir):
            context.log.warning(sentence)
        now = context.scheduled_execution_time
        first, last = nightly_range(settings, sources, context.instance, now)
        return dg.RunRequest(run_key=f"{first}..{last}@{now:%Y-%m-%dT%H}", tags=range_tags(first, last))

    return schedule


def marts_after_ingest_triggers(
    assets: Iterable[dg.AssetsDefinition], ingest_jobs: Sequence[AssetJob], marts: AssetJob
) -> list[dg.SensorDefinition]:
    """Build and publish when an ingest run has ended, well or badly, without what draws on a failed source.

    A source materialised or backfilled on its page in the UI is an ingest run too, of the hidden job of all assets: so
    every run is looked at, and by its assets.
    """
    known, ingest_names = list(assets), {job.name for job in ingest_jobs}

    def make(status: dg.DagsterRunStatus) -> dg.SensorDefinition:
        @dg.run_status_sensor(
            run_status=status,
            name=f"marts_after_ingest_{status.value.lower()}_trigger",
            request_job=marts,
            default_status=dg.DefaultSensorStatus.RUNNING,
            description=f"Starts {MARTS_JOB} when an ingest run ended with {status.value.lower()}.",
        )
        def trigger(
            context: dg.RunStatusSensorContext, warehouse: dg.ResourceParam[Warehouse]
        ) -> dg.RunRequest | dg.SkipReason:
            run = context.dagster_run
            if run.job_name not in ingest_names and not _loads_alone(run.asset_selection or ()):
                return dg.SkipReason("no run that only loads sources")
            failed = [state.source for state in source_states(warehouse) if state.status != "passed"]
            return dg.RunRequest(run_key=f"marts-after-{run.run_id}", asset_selection=buildable(known, failed))

        return trigger

    return [make(status) for status in (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE)]


def _loads_alone(selection: Collection[dg.AssetKey]) -> bool:
    """Whether a run loads a source and builds nothing: one that builds has done what would follow."""
    return {"raw"} <= {key.path[0] for key in selection} <= {"landing", "raw"}


def drop_folder_trigger(source: BoundSource, folder: Path, job: AssetJob) -> dg.SensorDefinition:
    """Load a drop folder when a file in it is new or changed (name, size and time of change)."""

    @dg.sensor(
        name=f"{source.source.name}_drop_folder_trigger",
        job=job,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Starts a load when a file in {folder.name}/ is new or changed.",
    )
    def trigger(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        seen = "\n".join(_state_of_files(folder))
        if not folder.is_dir():
            return dg.SkipReason(f"{folder} is not there")
        if seen == (context.cursor or ""):
            return dg.SkipReason("no new file")
        context.update_cursor(seen)
        return dg.RunRequest()

    return trigger


def pushed_segments_trigger(source: BoundSource, landing: Landing, job: AssetJob) -> dg.SensorDefinition:
    """Load a pushed feed when segments were sealed since the last time; the night loads what a failed load left."""

    @dg.sensor(
        name=f"{source.source.name}_segments_trigger",
        job=job,
        minimum_interval_seconds=PUSHED_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts a load when the listening service has sealed segments.",
    )
    def trigger(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        seen = landing.state(source.source.name, newest_days=2)
        if seen == (context.cursor or ""):
            return dg.SkipReason("no new segment")
        context.update_cursor(seen)
        return dg.RunRequest()

    return trigger


def _state_of_files(folder: Path) -> Iterator[str]:
    """One line a file; files of the survey's editor (``~$…``) and hidden ones are not deliveries."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith(("~$", ".")):
            state = path.stat()
            yield f"{path.relative_to(folder)} {state.st_size} {state.st_mtime_ns}"
