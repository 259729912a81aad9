"""Measuring: each piece of work in a process of its own, so that its memory is its own."""

import multiprocessing
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cost:
    """What one measurement took: seconds of wall and of CPU, peak memory and the database's size in MB, its rows."""

    wall: float
    cpu: float
    memory_mb: float
    file_mb: float
    rows: int


def measured(work: Callable[[], tuple[Path, int]]) -> Cost:
    """Run ``work`` (which returns its database and its rows) in a fresh process."""
    receiving, sending = multiprocessing.Pipe(duplex=False)

    def child() -> None:
        before, started = _cpu(), time.perf_counter()
        database, rows = work()
        wall, cpu = time.perf_counter() - started, _cpu() - before
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
        sending.send(Cost(wall, cpu, peak, database.stat().st_size / 1e6, rows))

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join()
    if process.exitcode != 0:
        raise SystemExit("a measurement failed; its error stands above")
    cost: Cost = receiving.recv()
    return cost


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
