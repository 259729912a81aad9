"""Release folders: kept, retired, rolled back to, immutable, cleared of what a killed publication left."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from expectations.runner import CheckResult
from hogland_pipeline.releases import PublicationFailed, Target, current_release, only_publisher, release_ids, roll_back
from tests.unit.hogland_pipeline.small_release import NIGHT, SNOW, ask, build, release, tree


def test_old_releases_retire_and_the_current_one_never_does(tmp_path: Path) -> None:
    target = Target(tmp_path / "data", keep=2)
    path = build(tmp_path)
    ids = [release(path, target, at=NIGHT + timedelta(days=day)).release_id for day in range(4)]
    assert release_ids(target) == ids[2:]

    late = release(path, target, at=NIGHT - timedelta(days=1)).release_id
    assert current_release(target) == late
    assert late in release_ids(target)

    with pytest.raises(ValueError, match="at least one release"):
        Target(tmp_path, keep=0)


def test_a_rollback_points_at_a_kept_release(tmp_path: Path, target: Target) -> None:
    path = build(tmp_path)
    first = release(path, target)
    before = tree(target.published)
    release(build(tmp_path, daily_snow=f"{SNOW} limit 3"), target, at=NIGHT + timedelta(days=1))

    roll_back(target, first.release_id)
    assert tree(target.published) == before
    with pytest.raises(PublicationFailed, match=rf"no release nowhere .*kept: {first.release_id}, "):
        roll_back(target, "nowhere")


def test_a_published_release_is_never_written_again(tmp_path: Path, target: Target) -> None:
    path = build(tmp_path)
    release(path, target)
    before = tree(target.published)
    with pytest.raises(PublicationFailed, match="published already and releases are immutable"):
        release(path, target)
    assert tree(target.published) == before


def test_what_a_killed_publication_left_is_cleared(tmp_path: Path, target: Target) -> None:
    candidate = target.releases / "candidate-20260131T010000000000Z-dead"
    (candidate / "parquet").mkdir(parents=True)
    (candidate / "hogland.duckdb").write_bytes(b"half")
    never_current = release(build(tmp_path), target)
    target.published.unlink()
    (target.root / ".published-next").symlink_to("releases/nowhere")

    publication = release(build(tmp_path), target)

    assert publication.release_id == never_current.release_id
    assert not candidate.exists()
    assert sorted(path.name for path in target.root.iterdir()) == ["published", "releases"]
    assert ask(target.database, "select count(*) from daily_snow") == [(21,)]


def test_something_else_in_the_place_of_the_link_is_left_alone(tmp_path: Path, target: Target) -> None:
    target.published.mkdir(parents=True)
    (target.published / "precious.txt").write_text("keep", encoding="utf-8")
    with pytest.raises(PublicationFailed, match="could not be written"):
        release(build(tmp_path), target)
    assert (target.published / "precious.txt").read_text(encoding="utf-8") == "keep"
    assert release_ids(target) == []


def test_two_publications_at_once_wait_for_each_other(
    tmp_path: Path, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hogland_pipeline.releases.LOCK_TIMEOUT_SECONDS", 0.1)
    with (
        only_publisher(target),
        pytest.raises(PublicationFailed, match=r"another publication has held .* for 0\.1 s"),
    ):
        release(build(tmp_path), target)


def test_a_data_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(PublicationFailed, match=r"cannot write releases under .*data"):
        release(build(tmp_path), Target(tmp_path / "data"))


def test_an_interrupt_leaves_no_candidate(tmp_path: Path, target: Target) -> None:
    def audit(_: duckdb.DuckDBPyConnection, mart: str) -> Sequence[CheckResult]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        release(build(tmp_path), target, audit=audit)
    assert [path.name for path in target.releases.iterdir()] == [".lock"]
