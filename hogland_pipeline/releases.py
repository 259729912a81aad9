"""Release folders: complete and immutable, one of them current, switched by one atomic rename of a link.

    data/releases/20260201T010000000000Z-1f6c2a9e/     what a publication wrote, never changed afterwards
    data/published -> releases/20260201T010000000000Z-1f6c2a9e

A release is built beside the others under a candidate name, made durable and renamed; then a fresh link
replaces `published`. Killed at any instant, the link points at the old complete release or the new one, and
the next publication clears what was left behind. A rollback points the link at a kept release.
"""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from filelock import FileLock, Timeout

from sensors_ingest.disk import sync

DATABASE_NAME = "hogland.duckdb"
MANIFEST_NAME = "manifest.json"
CANDIDATE_PREFIX = "candidate-"
LOCK_TIMEOUT_SECONDS = 60.0
ID_TIME = "%Y%m%dT%H%M%S%fZ"

log = logging.getLogger(__name__)


class PublicationFailed(Exception):
    """A release could not be written (disk, permission, missing table); what was published stays."""


@dataclass(frozen=True)
class Target:
    """Where releases live: `root` is the data folder; the newest `keep` releases stay for rollbacks."""

    root: Path
    keep: int = 7

    def __post_init__(self) -> None:
        if self.keep < 1:
            raise ValueError(f"at least one release must be kept, not {self.keep}")

    @property
    def releases(self) -> Path:
        """The folder of all kept releases."""
        return self.root / "releases"

    @property
    def published(self) -> Path:
        """The link that always points at the current release."""
        return self.root / "published"

    @property
    def database(self) -> Path:
        """The DuckDB file readers open."""
        return self.published / DATABASE_NAME


def release_ids(target: Target) -> list[str]:
    """The ids of the complete releases, oldest first."""
    if not target.releases.is_dir():
        return []
    names = (path.name for path in target.releases.iterdir() if path.is_dir())
    return sorted(name for name in names if not name.startswith(CANDIDATE_PREFIX))


def current_release(target: Target) -> str | None:
    """The id of the release readers see, None before the first publication."""
    return target.published.readlink().name if target.published.is_symlink() else None


def published_at(release_id: str) -> datetime:
    """When a release was published, which its id begins with."""
    return datetime.strptime(release_id.partition("-")[0], ID_TIME).replace(tzinfo=UTC)


def new_release_id(published_at: datetime, run_id: str) -> str:
    """Ids sort by time: `20260201T010000000000Z-` and the start of the run id."""
    run = re.sub(r"[^A-Za-z0-9]+", "", run_id)[:8] or "run"
    return f"{id_prefix(published_at)}-{run}"


def id_prefix(published_at: datetime) -> str:
    """What the id of a release of that moment begins with; ids of earlier ones sort before it."""
    return f"{published_at.astimezone(UTC):{ID_TIME}}"


def roll_back(target: Target, release_id: str) -> None:
    """Point readers at a kept release; raises `PublicationFailed` naming the kept ones when it is none."""
    with only_publisher(target):
        kept = release_ids(target)
        if release_id not in kept:
            names = ", ".join(kept) or "none"
            raise PublicationFailed(f"there is no release {release_id} in {target.releases}; kept: {names}")
        _point(target, release_id)


@contextmanager
def only_publisher(target: Target) -> Iterator[None]:
    """One publication at a time; the kernel frees the lock of a killed one."""
    try:
        target.releases.mkdir(parents=True, exist_ok=True)
        lock = FileLock(target.releases / ".lock", timeout=LOCK_TIMEOUT_SECONDS)
        lock.acquire()
    except Timeout as error:
        waited = f"{LOCK_TIMEOUT_SECONDS:g} s"
        raise PublicationFailed(f"another publication has held {target.releases} for {waited}") from error
    except OSError as error:
        raise PublicationFailed(f"cannot write releases under {target.root}: {error}") from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def candidate_release(target: Target, release_id: str) -> Iterator[Path]:
    """A fresh folder to build a release in; on any error it is removed and what was published stays.

    Errors of disk and database come out as `PublicationFailed`, the others as they are. Leaving the block
    does not switch readers over: `switch_over` inside it does.
    """
    _remove_left_behind(target, release_id)
    candidate = target.releases / f"{CANDIDATE_PREFIX}{release_id}"
    try:
        (candidate / "parquet").mkdir(parents=True)
        yield candidate
    except BaseException as error:
        shutil.rmtree(candidate, ignore_errors=True)
        if current_release(target) != release_id:
            shutil.rmtree(target.releases / release_id, ignore_errors=True)
        if isinstance(error, OSError | duckdb.Error):
            stays = current_release(target) or "nothing"
            reason = str(error).partition("\n")[0]
            message = f"release {release_id} could not be written: {reason}; published is still {stays}"
            raise PublicationFailed(message) from error
        raise


def switch_over(target: Target, candidate: Path) -> Path:
    """Make the candidate durable, give it its name, point readers at it, retire old ones; its new folder."""
    _sync_tree(candidate)
    release_id = candidate.name.removeprefix(CANDIDATE_PREFIX)
    folder = candidate.rename(target.releases / release_id)
    sync(target.releases)
    _point(target, release_id)
    _retire_old(target)
    return folder


def _remove_left_behind(target: Target, release_id: str) -> None:
    """Clear candidates of killed publications, and this release if it was complete but never current."""
    if current_release(target) == release_id:
        raise PublicationFailed(f"release {release_id} is published already and releases are immutable")
    for path in [*target.releases.glob(f"{CANDIDATE_PREFIX}*"), target.releases / release_id]:
        if path.exists():
            log.warning("removing %s, left behind by a publication that was killed", path.name)
            shutil.rmtree(path, ignore_errors=True)


def _point(target: Target, release_id: str) -> None:
    fresh = target.root / ".published-next"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(Path(target.releases.name) / release_id, target_is_directory=True)
    fresh.replace(target.published)
    sync(target.root)


def _retire_old(target: Target) -> None:
    """Keep the newest releases and always the current one; failing to tidy does not undo a publication."""
    current = current_release(target)
    for release_id in release_ids(target)[: -target.keep]:
        if release_id != current:
            shutil.rmtree(target.releases / release_id, ignore_errors=True)


def _sync_tree(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        sync(path)
