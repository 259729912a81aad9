"""Publish the marts: copy them into a release, audit what was written, record it, switch readers over.

    data/releases/<release id>/hogland.duckdb            plain tables in schema main, and `publication`
                               parquet/<table>.parquet   the same tables
                               manifest.json             rows and columns of tables, bytes and sha256 of files

One rename switches the DuckDB and the Parquet files together (see `releases`). Readers that open several
files resolve `data/published` once and read from the resolved folder.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from expectations.runner import CheckResult
from hogland_pipeline.release_tables import (
    WrittenTable,
    add_tables,
    copy_marts,
    parquet_path,
    published_fingerprints,
    release_files,
    require_exactly_its_files,
    write_manifest,
)
from hogland_pipeline.releases import (
    DATABASE_NAME,
    Target,
    candidate_release,
    new_release_id,
    only_publisher,
    switch_over,
)

MART_NAME = re.compile(r"[a-z][a-z0-9_]*")
UTC_TIMESTAMP = pa.timestamp("us", tz="UTC")
PUBLICATION_SCHEMA = pa.schema(
    [
        ("run_id", pa.string()),
        ("published_at", UTC_TIMESTAMP),
        ("mart", pa.string()),
        ("row_count", pa.int64()),
        ("parquet_bytes", pa.int64()),
        ("checks_passed", pa.int32()),
        ("checks_warned", pa.int32()),
        ("checks_failed", pa.int32()),
        ("is_stale", pa.bool_()),
        ("stale_since", UTC_TIMESTAMP),
        ("stale_sources", pa.string()),
        ("content_fingerprint", pa.string()),
        ("is_changed", pa.bool_()),
    ]
)
SOURCE_SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("status", pa.string()),
        ("last_good_at", UTC_TIMESTAMP),
        ("last_attempt_at", UTC_TIMESTAMP),
        ("message", pa.string()),
    ]
)
RESERVED_NAMES = frozenset({"publication", "publication_source"})

Audit = Callable[[duckdb.DuckDBPyConnection, str], Sequence[CheckResult]]
Checks = Mapping[str, Sequence[CheckResult]]


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
class SourceState:
    """How a source stood when the marts were published; one row of `publication_source`."""

    source: str
    status: str
    last_good_at: datetime | None
    last_attempt_at: datetime | None
    message: str | None = None


@dataclass(frozen=True)
class Staleness:
    """Why a mart keeps older values: the sources that failed, and since when (None: they never were good)."""

    since: datetime | None
    sources: tuple[str, ...]


@dataclass(frozen=True)
class PublishedMart:
    """One row of the `publication` table, without the run it shares with the others. Sizes are bytes."""

    mart: str
    row_count: int
    parquet_bytes: int
    checks_passed: int
    checks_warned: int
    checks_failed: int
    is_stale: bool
    stale_since: datetime | None
    stale_sources: str | None
    content_fingerprint: str
    is_changed: bool


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

    @property
    def is_changed(self) -> bool:
        """Whether any mart differs from the release before."""
        return any(mart.is_changed for mart in self.marts)


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
) -> Publication:
    """Copy `marts` from schema main of `build_db` into a new release, audit it, and switch readers over.

    `audit` is called once per mart with a read-only connection to the written candidate; the mart is
    `main.<mart>`. Raises `PublicationRefused` when a check of severity error fails or an audit raises, and
    `PublicationFailed` when the release cannot be written; either way the candidate is removed and what was
    published is untouched. `stale` and `sources` are recorded for readers, they decide nothing here.
    """
    _require_sane(marts, stale, published_at)
    release_id = new_release_id(published_at, run_id)
    with only_publisher(target):
        previous = published_fingerprints(target)
        with candidate_release(target, release_id) as candidate:
            tables = copy_marts(build_db, candidate, marts)
            checks = _audit_marts(candidate, marts, audit)
            published = tuple(
                _published_mart(candidate, table, checks[table.name], stale.get(table.name), previous)
                for table in tables
            )
            recorded = _record(candidate, run_id, published_at, published, sources)
            write_manifest(candidate, release_id, run_id, published_at, [*tables, *recorded])
            require_exactly_its_files(candidate, [*tables, *recorded])
            folder = switch_over(target, candidate)
    return Publication(
        release_id=release_id,
        folder=folder,
        run_id=run_id,
        published_at=published_at,
        marts=published,
        checks=checks,
        database_bytes=(folder / DATABASE_NAME).stat().st_size,
        total_bytes=sum(path.stat().st_size for path in release_files(folder).values()),
    )


def _require_sane(marts: Sequence[str], stale: Mapping[str, Staleness], published_at: datetime) -> None:
    if published_at.tzinfo is None:
        raise ValueError(f"published_at needs a time zone: {published_at}")
    if not marts or len(set(marts)) != len(marts):
        raise ValueError(f"marts must be named once each, and at least one: {list(marts)}")
    for mart in marts:
        if not MART_NAME.fullmatch(mart) or mart in RESERVED_NAMES:
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


def _record(
    candidate: Path,
    run_id: str,
    published_at: datetime,
    marts: Sequence[PublishedMart],
    sources: Sequence[SourceState],
) -> list[WrittenTable]:
    run = {"run_id": run_id, "published_at": published_at}
    publication = pa.Table.from_pylist([run | asdict(mart) for mart in marts], PUBLICATION_SCHEMA)
    publication_source = pa.Table.from_pylist([asdict(source) for source in sources], SOURCE_SCHEMA)
    return add_tables(candidate, {"publication": publication, "publication_source": publication_source})
