"""The jobs. A night is two runs: one that fetches and loads every source by itself, and one that builds and publishes
whatever does not draw on a source that failed.

Two runs, because inside one run a failed step stops everything after it, and one closed source must not cost the night.
Each runs in one process: for a dozen small assets a process a step costs ten times the work.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import dagster as dg

INGEST_JOB = "nightly_ingest_job"
MARTS_JOB = "nightly_marts_job"

INGESTED = dg.AssetSelection.key_prefixes(["landing"]) | dg.AssetSelection.key_prefixes(["raw"])
BUILT = dg.AssetSelection.all() - INGESTED

# Dagster has no public name for what define_asset_job returns.
AssetJob = Any


def ingest_job(partitions: dg.PartitionsDefinition[str]) -> AssetJob:
    """Every source: bytes to landing, then through the gate into raw."""
    return dg.define_asset_job(
        INGEST_JOB,
        selection=INGESTED,
        partitions_def=partitions,
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


def drop_folder_job(source: str) -> AssetJob:
    """One source by itself, for the trigger that watches its folder."""
    return dg.define_asset_job(
        f"{source}_ingest_job",
        selection=dg.AssetSelection.assets(["landing", source], ["raw", source]),
        executor_def=dg.in_process_executor,
        description=f"Load new files of {source}.",
    )


def buildable(assets: Iterable[dg.AssetsDefinition], failed_sources: Sequence[str]) -> list[dg.AssetKey]:
    """Assets of the marts job that do not draw on a failed source."""
    selection = BUILT
    if failed_sources:
        failed = dg.AssetSelection.assets(*(dg.AssetKey(["raw", name]) for name in failed_sources))
        selection = BUILT - failed.downstream()
    return sorted(selection.resolve(list(assets)))
