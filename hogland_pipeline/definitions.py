"""The one place where everything meets. ``build_definitions(settings)`` is what the UI, the schedule and tests load."""

from collections.abc import Mapping

import dagster as dg

from hogland_pipeline.assets.dbt import dbt_models_asset
from hogland_pipeline.assets.landed_source import landed_source_assets
from hogland_pipeline.assets.published import published_asset
from hogland_pipeline.dbt_build import MANIFEST_PATH
from hogland_pipeline.jobs import ingest_job, marts_job, replay_job, source_job
from hogland_pipeline.manifest import Manifest
from hogland_pipeline.partitions import feed_days
from hogland_pipeline.resources import BoundSource, bind_sources
from hogland_pipeline.schedules import (
    drop_folder_trigger,
    marts_after_ingest_triggers,
    nightly_schedule,
    pushed_segments_trigger,
)
from hogland_pipeline.settings import Settings, load_settings
from hogland_pipeline.warehouse import Warehouse
from sensors_ingest.landing import Landing


def build_definitions(settings: Settings, loggers: Mapping[str, dg.LoggerDefinition] | None = None) -> dg.Definitions:
    """Assets, checks, jobs, schedule and triggers for one configuration.

    Raises ``SettingsError`` for a source that cannot be built and ``ManifestMissing`` before ``prepare``.
    """
    sources = bind_sources(settings)
    manifest = Manifest.read(MANIFEST_PATH)
    days = feed_days(settings)
    assets = [
        *(
            asset
            for bound in sources
            for asset in landed_source_assets(settings, bound, days if bound.is_daily else None)
        ),
        dbt_models_asset(settings, sources, manifest),
        published_asset(settings, manifest, {bound.source.name: bound.table.name for bound in sources}),
    ]
    ingest, replay, marts = ingest_job(), replay_job(settings, sources), marts_job()
    drop_folders = _drop_folders(settings, sources)
    pushed = [bound for bound in sources if bound.is_pushed]
    source_jobs = {name: source_job(name) for name in (*drop_folders, *(bound.source.name for bound in pushed))}
    landing = Landing(settings.landing_dir)
    return dg.Definitions(
        assets=assets,
        jobs=[ingest, replay, marts, *source_jobs.values()],
        schedules=[nightly_schedule(settings, sources, ingest)],
        sensors=[
            *marts_after_ingest_triggers(assets, [ingest, replay, *source_jobs.values()], marts),
            *(
                drop_folder_trigger(bound, settings.survey.folder, source_jobs[name])
                for name, bound in drop_folders.items()
                if settings.survey and settings.survey.folder
            ),
            *(pushed_segments_trigger(bound, landing, source_jobs[bound.source.name]) for bound in pushed),
        ],
        resources={
            "landing": landing,
            "warehouse": Warehouse(settings.warehouse_path),
        },
        executor=dg.in_process_executor,
        loggers=loggers,
    )


def _drop_folders(settings: Settings, sources: list[BoundSource]) -> dict[str, BoundSource]:
    """Sources that people fill by hand: the survey's exports."""
    return {bound.source.name: bound for bound in sources if bound.table.name == "survey_answer"}


@dg.definitions
def defs() -> dg.Definitions:
    """What ``workspace.yaml`` loads."""
    return build_definitions(load_settings())
