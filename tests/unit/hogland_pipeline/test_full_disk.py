"""A disk that fills up in the middle of writing: the reason is told, the old release stays, nothing is left."""

import subprocess
import sys
from pathlib import Path

import pytest

from hogland_pipeline.releases import Target, current_release, release_ids
from tests.unit.hogland_pipeline.small_release import build, release, tree

FULL_DISK = """
import resource, sys
from pathlib import Path
from datetime import UTC, datetime
from hogland_pipeline.publish import publish
from hogland_pipeline.releases import Target

build_db, root, limit = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), resource.RLIM_INFINITY))
at = datetime(2026, 2, 2, 1, tzinfo=UTC)
nothing = dict(sources=[], stale={}, audit=lambda *_: [])
publish(Path(build_db), Target(Path(root)), ["daily_snow"], run_id="full", published_at=at, **nothing)
"""


@pytest.mark.parametrize("limit", [1_000, 300_000])
def test_a_full_disk_is_explained_and_the_old_release_stays(tmp_path: Path, target: Target, limit: int) -> None:
    """A limit on the size of files stands in for the full disk: the writes fail half-way."""
    path = build(tmp_path, daily_snow="select range as day, hash(range)::varchar as noise from range(200000)")
    release(path, target, marts=["daily_snow"])
    before = tree(target.published)

    outcome = subprocess.run(
        [sys.executable, "-c", FULL_DISK, path, target.root, str(limit)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[3],
    )

    last_line = outcome.stderr.strip().splitlines()[-1]
    assert "PublicationFailed: release 20260202T010000000000Z-full could not be written" in last_line
    assert last_line.endswith(f"published is still {current_release(target)}")
    assert tree(target.published) == before
    assert release_ids(target) == [current_release(target)]


FULL_DISK_IN_EXTRACT = """
import resource, sys
from pathlib import Path
from hogland_pipeline.publish_settings import CC_BY, ExtractSettings
from hogland_pipeline.releases import PublicationFailed, Target
from hogland_pipeline.targets.extracts import write_extracts
from tests.unit.hogland_pipeline.small_release import NIGHT, release
from datetime import timedelta
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
writers = {"extracts": lambda draft: write_extracts(draft, ExtractSettings(), CC_BY)}
try:
    release(Path(sys.argv[1]), Target(Path(sys.argv[2])), at=NIGHT + timedelta(1), writers=writers)
except PublicationFailed as failed:
    print(failed)
"""


def test_a_disk_that_fills_in_an_extract_leaves_the_old_release(tmp_path: Path, target: Target) -> None:
    """Texts that compress well make a small database and a CSV file that does not fit."""
    release(build(tmp_path), target)
    before = tree(target.published)
    large = "select range::integer as day, (range * 0.5)::decimal(21, 1) as snow_depth_cm, repeat('snow', 50) as note"
    path = build(tmp_path, daily_snow=f"{large} from range(20000)")
    command = [sys.executable, "-c", FULL_DISK_IN_EXTRACT, str(path), str(target.root), "1500000"]
    outcome = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False)

    assert f"published is still {current_release(target)}" in outcome.stdout, outcome.stderr
    assert tree(target.published) == before
    assert list(target.releases.glob("candidate-*")) == []
