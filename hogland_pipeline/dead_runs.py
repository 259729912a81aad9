"""Runs that were killed: they keep their slot in a pool, for which the next run would wait for ever, and leave files.

Every night looks for them at its start. Losing a slot cannot hurt a live run: the warehouse has its own lock.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import dagster as dg

# A file whose run is unknown here (a replay from the command line has none) may still be written, but not for so long.
UNKNOWN_RUN_SECONDS: Final = 24 * 3600
RUN_ID_LENGTH: Final = 36


def end_dead_runs(instance: dg.DagsterInstance, candidates: Path) -> Iterator[str]:
    """Free what dead runs hold and remove the files they left, with a sentence for each."""
    for run_id in list(stuck_runs(instance)):
        free(instance, run_id)
        yield f"run {run_id[:8]} was killed; what it had not finished is done now"
    for candidate in leftovers(instance, candidates):
        candidate.unlink(missing_ok=True)
        yield f"removed {candidate.name}, which a killed run left"


def stuck_runs(instance: dg.DagsterInstance) -> Iterator[str]:
    """Runs that hold or await a slot of a pool and are over, or whose process is gone."""
    for run_id in sorted(instance.event_log_storage.get_concurrency_run_ids()):
        run = instance.get_run_by_id(run_id)
        if run is None or _is_over(instance, run):
            yield run_id


def leftovers(instance: dg.DagsterInstance, candidates: Path) -> Iterator[Path]:
    """Candidates (``<source>-<window>-<run>.parquet``) that no run will read any more; a run removes its own."""
    for path in sorted(candidates.glob("*.parquet")):
        run = instance.get_run_by_id(path.stem[-RUN_ID_LENGTH:])
        if _is_over(instance, run) if run else time.time() - path.stat().st_mtime > UNKNOWN_RUN_SECONDS:
            yield path


def free(instance: dg.DagsterInstance, run_id: str) -> None:
    """Give back the slots of a dead run, and close it."""
    run = instance.get_run_by_id(run_id)
    if run is not None and not run.is_finished:
        instance.report_run_failed(run, "Its process is gone; its slots in the pools were given back.")
    instance.event_log_storage.free_concurrency_slots_for_run(run_id)


def _is_over(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    return run.is_finished or not _is_alive(_process_of(instance, run.run_id))


def _process_of(instance: dg.DagsterInstance, run_id: str) -> int | None:
    """The process that executes the run, as its engine events say; None before it has one."""
    for record in instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        event = record.dagster_event
        process = event.engine_event_data.metadata.get("pid") if event else None
        if process is not None:
            return int(str(process.value))
    return None


def _is_alive(process: int | None) -> bool:
    """A run without a process may be about to get one: it counts as alive."""
    if process is None:
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
