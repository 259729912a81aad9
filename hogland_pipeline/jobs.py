"""The jobs. A night is two runs: one that fetches and loads every source by itself, and one that builds and publishes
whatever does not draw on a source that failed.

Two runs, because inside one run a failed step stops everything after it, and one closed source must not cost the night.
Each runs in one process: for a dozen small assets a process a step costs ten times the work.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import dagster as dg
from pydantic import Field

from hogland_pipeline.replay import replay_source
from hogland_pipeline.resources import BoundSource
from hogland_pipeline.settings import Settings
from hogland_pipeline.warehouse import Warehouse
from sensors_ingest.landing import Landing

INGEST_JOB = "nightly_ingest_job"
MARTS_JOB = "nightly_marts_job"
REPLAY_JOB = "replay_job"
WAREHOUSE_POOL = "warehouse"

INGESTED = dg.AssetSelection.key_prefixes(["landing"]) | dg.AssetSelection.key_prefixes(["raw"])
BUILT = dg.AssetSelection.all() - INGESTED

REPLAY_SCHEMA = dg.TableSchema(
    [
        dg.TableColumn("source"),
        dg.TableColumn("check_name"),
        dg.TableColumn("reason"),
        dg.TableColumn("before", "int"),
        dg.TableColumn("recovered", "int"),
        dg.TableColumn("reason_changed", "int"),
        dg.TableColumn("after", "int"),
    ]
)


class ReplayConfig(dg.Config):
    """What the launchpad asks."""

    every_file: bool = Field(
        default=False,
        description="Every landed file, not only those with rows in quarantine: a decoder read wrong values, which "
        "nothing refused. As `hogland replay --all`.",
    )


# Dagster has no public name for what define_asset_job returns.
AssetJob = Any


def ingest_job() -> AssetJob:
    """Every source: bytes to landing, then through the gate into raw."""
    return dg.define_asset_job(
        INGEST_JOB,
        selection=INGESTED,
        executor_def=dg.in_process_executor,
        description="Fetch every source and load it through the gate. A source that fails does not stop the others.",
    )


def marts_job() -> AssetJob:
    """The dbt project and the publication."""
    return dg.define_asset_job(
        MARTS_JOB,
        selection=BUILT,
        executor_def=dg.in_process_executor,
        description="Build the marts that draw on good sources, audit them and publish.",
    )


def source_job(source: str) -> AssetJob:
    """One source by itself, for the trigger that watches its folder or its segments."""
    return dg.define_asset_job(
        f"{source}_ingest_job",
        selection=dg.AssetSelection.assets(["landing", source], ["raw", source]),
        executor_def=dg.in_process_executor,
        description=f"Load new files of {source}.",
    )


def replay_job(settings: Settings, sources: Sequence[BoundSource]) -> dg.JobDefinition:
    """Quarantined rows of every source once more, from landing; the marts follow as after any ingest."""

    @dg.op(pool=WAREHOUSE_POOL)
    def replay_quarantine(
        context: dg.OpExecutionContext,
        config: ReplayConfig,
        landing: dg.ResourceParam[Landing],
        warehouse: dg.ResourceParam[Warehouse],
    ) -> None:
        replays = [
            replay_source(settings, warehouse, landing, bound, context.run_id, whole=config.every_file)
            for bound in sources
        ]
        recoveries = [recovery for replay in replays for recovery in replay.recoveries]
        context.add_output_metadata(
            {
                "files": sum(replay.files for replay in replays),
                "rows_loaded": sum(replay.rows_loaded for replay in replays),
                "rows_taken_back": sum(replay.rows_taken_back for replay in replays),
                "recovered": dg.MetadataValue.table(
                    [dg.TableRecord(asdict(recovery)) for recovery in recoveries], REPLAY_SCHEMA
                ),
            }
        )
        for replay in replays:
            if replay.message:
                context.log.error(f"{replay.source}: the gate is closed: {replay.message}")

    @dg.job(
        name=REPLAY_JOB,
        executor_def=dg.in_process_executor,
        # What the launchpad shows, to be edited there.
        config=dg.RunConfig(ops={"replay_quarantine": ReplayConfig()}),
        description="After a decoder, device list or rule was mended: run what is in quarantine again from landing.",
    )
    def replay() -> None:
        replay_quarantine()

    return replay


def buildable(assets: Iterable[dg.AssetsDefinition], failed_sources: Sequence[str]) -> list[dg.AssetKey]:
    """Assets of the marts job that do not draw on a failed source. One that is no longer configured has none."""
    known = list(assets)
    failed = {dg.AssetKey(["raw", name]) for name in failed_sources} & {key for asset in known for key in asset.keys}
    selection = BUILT - dg.AssetSelection.assets(*failed).downstream() if failed else BUILT
    return sorted(selection.resolve(known))
