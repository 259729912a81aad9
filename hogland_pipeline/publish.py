"""Publish the marts: copy them into a release, audit what was written, record it, switch readers over.

    data/releases/<release id>/hogland.duckdb            plain tables in schema main, and `publication`
                               parquet/<table>.parquet   the same tables
                               timeline/<mart>/*.parquet     the mart on every day since its first publication
                               extracts/, datapackage.json, catalog.ttl, catalog.jsonld, site/ …   where configured
                               manifest.json             contracts and rows of tables, bytes and sha256 of files

One rename switches all files together (see `releases`). Readers that open several files resolve `data/published`
once and read from the resolved folder. PostgreSQL is loaded from the same audited candidate where nobody sees it and
switched right after the files; when it fails, it keeps the release it has, the files do not wait for it, and the
publication says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from expectations.runner import CheckResult
from hogland_pipeline.contracts import MartContract, Promise, broken_promises
from hogland_pipeline.history import Event, releases_before, remember
from hogland_pipeline.publication_record import RECORD_NAMES, PublishedMart, SourceState, TargetState, record_tables
from hogland_pipeline.release_tables import (
    Draft,
    WrittenTable,
    add_tables,
    copy_marts,
    parquet_path,
    promised,
    published_fingerprints,
    published_promises,
    release_files,
    require_exactly_its_files,
    write_manifest,
)
from hogland_pipeline.releases import (
    DATABASE_NAME,
    PublicationFailed,
    Target,
    candidate_release,
    new_release_id,
    only_publisher,
    switch_over,
)
from hogland_pipeline.targets.postgres import PostgresTarget
from hogland_pipeline.targets.server_copy import ServerCopy
from hogland_pipeline.timeline_extension import Extension, extend_timelines

MART_NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")
FILE_TARGETS = ("duckdb", "parquet")
TIMELINE_TARGET = "timeline"

Audit = Callable[[duckdb.DuckDBPyConnection, str], Sequence[CheckResult]]
Checks = Mapping[str, Sequence[CheckResult]]
# Writes further files into the draft and returns their names, relative to the release.
Writer = Callable[[Draft], Sequence[str]]


class PublicationRefused(Exception):
    """The last audit found an error; what was published stays.

    `failures` holds (mart, check) pairs, `checks` every result of the audit by mart.
    """

    def __init__(self, failures: Sequence[tuple[str, str]], checks: Checks) -> None:
        self.failures = tuple(failures)
        self.checks = checks
        named = "; ".join(f"mart {mart}: {check}" for mart, check in failures)
        super().__init__(f"nothing was published, the last audit failed: {named}")


@dataclass(frozen=True)
class Staleness:
    """Why a mart keeps older values: the sources that failed, and since when (None: they never were good)."""

    since: datetime | None
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Publication:
    """A release that readers now see. Sizes are bytes; `checks` holds the audit's results by mart."""

    release_id: str
    folder: Path
    run_id: str
    published_at: datetime
    marts: tuple[PublishedMart, ...]
    checks: Checks
    database_bytes: int
    total_bytes: int
    targets: tuple[TargetState, ...] = ()

    @property
    def is_changed(self) -> bool:
        """Whether any mart differs from the release before."""
        return any(mart.is_changed for mart in self.marts)

    @property
    def failures(self) -> list[str]:
        """A sentence for every target that does not show this release, or not all of it."""
        return [_failure(state, self.release_id) for state in self.targets if state.status == "failed"]


def publish(
    build_db: Path,
    target: Target,
    marts: Sequence[str],
    *,
    run_id: str,
    sources: Sequence[SourceState],
    stale: Mapping[str, Staleness],
    audit: Audit,
    published_at: datetime,
    contracts: Mapping[str, MartContract] | None = None,
    writers: Mapping[str, Writer] | None = None,
    server: PostgresTarget | None = None,
    may_break_contracts: bool = False,
) -> Publication:
    """Copy `marts` from schema main of `build_db` into a new release, audit it, and switch readers over.

    `audit` is called once per mart, and for `publication`, with a read-only connection to the written candidate; the
    mart is `main.<mart>`. Raises `PublicationRefused` when a check of severity error fails or an audit raises, and
    `PublicationFailed` when the release cannot be written or would break a contract; either way the candidate is
    removed and what was published is untouched. `stale` and `sources` are recorded for readers, they decide nothing
    here. `writers` add files by the name of their target. A failing `server` raises nothing: see `failures`.
    """
    _require_sane(marts, stale, published_at)
    release_id = new_release_id(published_at, run_id)
    contracts, writers = dict(contracts or {}), writers or {}
    with only_publisher(target), ExitStack() as stack:
        previous = published_fingerprints(target)
        promises = published_promises(target)
        copy = stack.enter_context(ServerCopy(server, release_id)) if server else None
        with candidate_release(target, release_id) as candidate:
            tables = copy_marts(build_db, candidate, marts, contracts)
            if not may_break_contracts:
                _require_promises_kept(promises, tables, contracts, published_at)
            checks = dict(_audit_marts(candidate, marts, audit))
            published = tuple(
                _published_mart(candidate, table, checks[table.name], stale.get(table.name), previous)
                for table in tables
            )
            if copy:
                copy.load(candidate, tables, contracts)
            before = releases_before(target, published_at)
            timelines = extend_timelines(candidate, tables, contracts, published_at, before)
            files = [TargetState(name, "published", release_id) for name in (*FILE_TARGETS, *writers)]
            files.append(_timeline_state(release_id, timelines))
            targets = [*files, copy.state()] if copy else files
            recorded = add_tables(candidate, record_tables(run_id, published_at, published, sources, targets))
            checks |= _audit_marts(candidate, ["publication"], audit)
            if copy:
                copy.load(candidate, recorded, contracts)
            draft = Draft(candidate, release_id, run_id, published_at, (*tables, *recorded), contracts, checks)
            further = [name for write in writers.values() for name in write(draft)]
            write_manifest(draft, timelines.follows)
            require_exactly_its_files(draft, [*timelines.files, *further])
            folder = switch_over(target, candidate)
        if copy:
            copy.switch()
            targets = [*files, copy.state()]
        remember(target, Event(published_at, "published", release_id, run_id, targets))
    return Publication(
        release_id=release_id,
        folder=folder,
        run_id=run_id,
        published_at=published_at,
        marts=published,
        checks=checks,
        database_bytes=(folder / DATABASE_NAME).stat().st_size,
        total_bytes=sum(path.stat().st_size for path in release_files(folder).values()),
        targets=tuple(targets),
    )


def _failure(state: TargetState, release_id: str) -> str:
    if state.release_id == release_id:
        return f"{state.target}: {state.message}"
    return f"{state.target} shows {state.release_id or 'an unknown release'}, not {release_id}: {state.message}"


def _timeline_state(release_id: str, timelines: Extension) -> TargetState:
    status = "failed" if timelines.failures else "published"
    return TargetState(TIMELINE_TARGET, status, release_id, "; ".join(timelines.failures) or None)


def _require_promises_kept(
    before: Mapping[str, Promise],
    tables: Sequence[WrittenTable],
    contracts: Mapping[str, MartContract],
    published_at: datetime,
) -> None:
    broken = list(broken_promises(before, promised(tables, contracts), published_at.date()))
    if broken:
        raise PublicationFailed("; ".join(broken))


def _require_sane(marts: Sequence[str], stale: Mapping[str, Staleness], published_at: datetime) -> None:
    if published_at.tzinfo is None:
        raise ValueError(f"published_at needs a time zone: {published_at}")
    if not marts or len(set(marts)) != len(marts):
        raise ValueError(f"marts must be named once each, and at least one: {list(marts)}")
    for mart in marts:
        if not MART_NAME.fullmatch(mart) or mart in RECORD_NAMES:
            raise ValueError(f"a mart cannot be named {mart!r}")
    if unknown := sorted(set(stale) - set(marts)):
        raise ValueError(f"marts said to be stale are not published: {', '.join(unknown)}")


def _audit_marts(candidate: Path, marts: Sequence[str], audit: Audit) -> Checks:
    """Audit what is on disk, read-only: nothing can change it unseen afterwards."""
    with duckdb.connect(candidate / DATABASE_NAME, read_only=True) as connection:
        checks = {mart: _audit_mart(connection, mart, audit) for mart in marts}
    failures = [
        (mart, check.name)
        for mart, results in checks.items()
        for check in results
        if not check.passed and check.severity == "error"
    ]
    if failures:
        raise PublicationRefused(failures, checks)
    return checks


def _audit_mart(connection: duckdb.DuckDBPyConnection, mart: str, audit: Audit) -> Sequence[CheckResult]:
    try:
        return tuple(audit(connection, mart))
    except Exception as error:
        raised = f"the audit raised {type(error).__name__}: {error}"
        raise PublicationRefused([(mart, raised)], {}) from error


def _published_mart(
    candidate: Path,
    table: WrittenTable,
    checks: Sequence[CheckResult],
    stale: Staleness | None,
    previous: Mapping[str, str],
) -> PublishedMart:
    failed = [check for check in checks if not check.passed]
    return PublishedMart(
        mart=table.name,
        row_count=table.row_count,
        parquet_bytes=parquet_path(candidate, table.name).stat().st_size,
        checks_passed=len(checks) - len(failed),
        checks_warned=sum(check.severity == "warning" for check in failed),
        checks_failed=sum(check.severity == "error" for check in failed),
        is_stale=stale is not None,
        stale_since=stale.since if stale else None,
        stale_sources=", ".join(stale.sources) if stale else None,
        content_fingerprint=table.fingerprint,
        is_changed=previous.get(table.name) != table.fingerprint,
    )
