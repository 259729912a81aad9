"""Readers in other processes, while releases are swapped and publishers are killed."""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from hogland_pipeline.releases import Target, current_release, release_ids
from tests.integration.publishing_process import KEPT, nights_in_timelines, publish_night, read_database, read_folder

ROOT = Path(__file__).parents[2]
SWAPS = 60
KILLS = 12


@contextmanager
def process(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A process of `publishing_process` that has said it is ready; killed if it outlives the test."""
    command = [sys.executable, "-m", "tests.integration.publishing_process", *map(str, arguments)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            assert running.stdout.readline() == "ready\n"
            yield running
        finally:
            running.kill()


class Readers:
    """Reader processes that run until they are stopped, and what each of them saw."""

    def __init__(self, folder: Path, root: Path, roles: list[str]) -> None:
        self.stop = folder / "stop"
        self.reports = [folder / f"report-{number}.json" for number in range(len(roles))]
        self.stack = ExitStack()
        self.running = [
            self.stack.enter_context(process(role, root, self.stop, report))
            for role, report in zip(roles, self.reports, strict=True)
        ]

    def finish(self) -> list[dict[str, Any]]:
        self.stop.touch()
        with self.stack:
            assert [running.wait(timeout=60) for running in self.running] == [0] * len(self.running)
        return [json.loads(report.read_text(encoding="utf-8")) for report in self.reports]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_readers_see_whole_releases_in_order_through_many_swaps(tmp_path: Path, root: Path) -> None:
    publish_night(root, 0)
    readers = Readers(tmp_path, root, ["poll", "poll", "hold"])
    with process("publish", root, 1, SWAPS) as publisher:
        assert publisher.wait(timeout=300) == 0
    *polled, held = readers.finish()

    assert [report["errors"] for report in (*polled, held)] == [[], [], []]
    for report in polled:
        assert report["nights"][-1] == SWAPS
        assert len(report["nights"]) > 5, "the reader missed nearly every swap and proves nothing"
    assert held["nights"] == [0]
    assert held["reads"] > 1
    assert len(release_ids(Target(root))) == KEPT
    assert nights_in_timelines(root) == list(range(SWAPS + 1))


def test_a_reader_that_holds_the_file_for_hours_is_unharmed_and_holds_up_nobody(tmp_path: Path, root: Path) -> None:
    """Through more swaps than releases are kept: its file is unlinked, and lives on until it lets go."""
    rows, kept, swaps = 1_000_000, 2, 5
    first = publish_night(root, 0, rows=rows, keep=kept).folder
    stop, report = tmp_path / "stop", tmp_path / "report.json"
    with process("hold-result", root, stop, report) as reader:
        for night in range(1, swaps + 1):
            publish_night(root, night, keep=kept)
            assert read_database(root) == read_folder(root) == night
        assert not first.exists(), "the release was not retired: the reader proves nothing"
        assert open_files(reader.pid, first) == {f"{first}/hogland.duckdb (deleted)"}
        assert open_files(os.getpid(), root) == set(), "the publisher keeps files open"
        stop.touch()
        assert reader.wait(timeout=60) == 0

    total = rows * (rows - 1) // 2
    assert json.loads(report.read_text(encoding="utf-8")) == {
        "nights": [0],
        "sum": total,
        "untouched": [0, total],
        "after_closing": swaps,
    }
    assert len(release_ids(Target(root))) == kept


def open_files(pid: int, folder: Path) -> set[str]:
    """What a process has open under a folder, also files that have no name any more."""
    links = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # the descriptor of this very listing
            links.add(str(descriptor.readlink()))
    return {link for link in links if link.startswith(f"{folder}/")}


def test_a_publisher_killed_at_random_moments_harms_no_reader(tmp_path: Path, root: Path) -> None:
    publish_night(root, 0)
    started = time.monotonic()
    publish_night(root, 1)
    duration = time.monotonic() - started
    moments = random.Random(20260201)
    readers = Readers(tmp_path, root, ["poll"])
    night = 1
    for _ in range(KILLS):
        with process("publish", root, night + 1, 1000) as publisher:
            time.sleep(moments.uniform(0, 3 * duration))
            publisher.kill()
            publisher.wait()
        before, night = night, read_folder(root)
        assert night >= before
    publish_night(root, night + 1)
    [report] = readers.finish()

    assert report["errors"] == []
    assert read_database(root) == read_folder(root) == night + 1
    assert [path.name for path in (root / "releases").glob("candidate-*")] == []
    assert sorted(path.name for path in root.iterdir()) == ["published", "releases"]
    told = nights_in_timelines(root)
    assert told == sorted(set(told))
    assert {0, 1, night, night + 1} <= set(told)


def test_a_publisher_killed_at_each_file_operation_leaves_one_whole_release(root: Path) -> None:
    publish_night(root, 0)
    command = [sys.executable, "-m", "tests.integration.publishing_process", "die", str(root)]
    outcome = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    nights = json.loads(outcome.stdout)

    assert len(nights) > 10, "too few moments to die at"
    for attempt, (before, after) in enumerate(pairwise([0, *nights]), start=1):
        assert after in (before, attempt), f"attempt {attempt}: night {after} after night {before}"
    assert nights[-1] == len(nights), "the attempt that was not killed is published"
    assert 0 in nights, "no attempt died before its swap"
    assert current_release(Target(root)) == release_ids(Target(root))[-1]
    assert list((root / "releases").glob("candidate-*")) == []
    # Beside the nights that were shown, only those killed between the release's own name and the link to it.
    told = nights_in_timelines(root)
    assert told == sorted(set(told))
    assert {0, *nights} <= set(told)
    assert len(told) < len(nights) / 2, "a night killed before it was complete is told of"
