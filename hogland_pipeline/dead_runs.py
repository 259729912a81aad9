"""Runs that were killed: they keep their slot in a pool, and the next run would wait for it for ever.

The daemon frees such slots where one runs (``run_monitoring`` in ``dagster.yaml``); a night from the command line has
none and looks by itself. Losing a slot cannot hurt a live run: the warehouse has its own lock.
"""

import os
from collections.abc import Iterator

import dagster as dg


def stuck_runs(instance: dg.DagsterInstance) -> Iterator[str]:
    """Runs that hold or await a slot of a pool and are over, or whose process is gone."""
    for run_id in sorted(instance.event_log_storage.get_concurrency_run_ids()):
        run = instance.get_run_by_id(run_id)
        if run is None or run.is_finished or not _is_alive(_process_of(instance, run_id)):
            yield run_id


def free(instance: dg.DagsterInstance, run_id: str) -> None:
    """Give back the slots of a dead run, and close it."""
    run = instance.get_run_by_id(run_id)
    if run is not None and not run.is_finished:
        instance.report_run_failed(run, "Its process is gone; its slots in the pools were given back.")
    instance.event_log_storage.free_concurrency_slots_for_run(run_id)


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
