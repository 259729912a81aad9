"""A killed run must not keep the next one waiting for its slot."""

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import EngineEventData  # what a run writes of its process; no public name

from hogland_pipeline.dead_runs import UNKNOWN_RUN_SECONDS, free, leftovers, stuck_runs
from hogland_pipeline.doctor import examine
from hogland_pipeline.settings import load_settings


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as instance:
        instance.event_log_storage.set_concurrency_slots("warehouse", 1)
        yield instance


def gone() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def run_holding_the_slot(instance: dg.DagsterInstance, process: int | None) -> str:
    @dg.job
    def night() -> None: ...

    run = instance.create_run_for_job(night, status=dg.DagsterRunStatus.STARTED)
    if process is not None:
        instance.report_engine_event("started", run, EngineEventData(metadata={"pid": str(process)}))
    claim = instance.event_log_storage.claim_concurrency_slot("warehouse", run.run_id, "raw__smhi")
    assert claim.is_claimed
    return str(run.run_id)


def test_a_run_whose_process_is_gone_gives_its_slot_back(instance: dg.DagsterInstance) -> None:
    run_id = run_holding_the_slot(instance, gone())
    assert list(stuck_runs(instance)) == [run_id]
    free(instance, run_id)
    run = instance.get_run_by_id(run_id)
    assert run is not None
    assert run.status == dg.DagsterRunStatus.FAILURE
    assert instance.event_log_storage.claim_concurrency_slot("warehouse", "next", "raw__smhi").is_claimed
    assert run_id not in list(stuck_runs(instance))


@pytest.mark.parametrize("process", [os.getpid(), None], ids=["alive", "about to start"])
def test_a_live_run_keeps_its_slot(instance: dg.DagsterInstance, process: int | None) -> None:
    run_holding_the_slot(instance, process)
    assert list(stuck_runs(instance)) == []


def test_a_slot_of_a_finished_run_is_stuck(instance: dg.DagsterInstance) -> None:
    run_id = run_holding_the_slot(instance, os.getpid())
    run = instance.get_run_by_id(run_id)
    assert run is not None
    instance.report_run_canceled(run)
    assert list(stuck_runs(instance)) == [run_id]


def candidate(folder: Path, run: str, seconds_old: int = 0) -> Path:
    path = folder / f"tts-nassjo-{run}.parquet"
    path.touch()
    written = time.time() - seconds_old
    os.utime(path, (written, written))
    return path


def test_what_dead_runs_left_is_found_and_nothing_else(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    dead = candidate(tmp_path, run_holding_the_slot(instance, gone()))
    free(instance, dead.stem[-36:])
    candidate(tmp_path, run_holding_the_slot(instance, os.getpid()))
    # A replay is no run of Dagster: only its age tells that it is over.
    candidate(tmp_path, f"replay-{uuid.uuid4()}")
    old = candidate(tmp_path, f"replay-{uuid.uuid4()}", seconds_old=UNKNOWN_RUN_SECONDS + 60)
    assert set(leftovers(instance, tmp_path)) == {dead, old}
    assert list(leftovers(instance, tmp_path / "not-there")) == []


@pytest.mark.parametrize(("fix", "outcome"), [(False, "problem"), (True, "ok")])
def test_the_doctor_names_a_dead_run_and_frees_its_slot_when_asked(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fix: bool, outcome: str
) -> None:
    settings = load_settings(data_dir=tmp_path)
    settings.dagster_home.mkdir(parents=True)
    monkeypatch.setattr(dg.DagsterInstance, "from_config", lambda _: nullcontext(instance))
    run_id = run_holding_the_slot(instance, gone())
    [found] = [finding for finding in examine(settings, fix=fix) if finding.subject == "runs"]
    assert found.outcome == outcome
    assert run_id in found.message
    assert list(stuck_runs(instance)) == ([] if fix else [run_id])
