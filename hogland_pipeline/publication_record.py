"""The tables that describe a publication to its readers: marts, sources and targets, with what each column means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import pyarrow as pa

UTC_TIMESTAMP = pa.timestamp("us", tz="UTC")
DESCRIPTION = b"description"


def _field(name: str, kind: pa.DataType, description: str) -> pa.Field:
    return pa.field(name, kind, metadata={DESCRIPTION: description.encode()})


PUBLICATION_SCHEMA = pa.schema(
    [
        _field("run_id", pa.string(), "Körningen som publicerade. / The run that published."),
        _field("published_at", UTC_TIMESTAMP, "När (UTC). / When (UTC)."),
        _field("mart", pa.string(), "Tabellens namn. / Name of the table."),
        _field("row_count", pa.int64(), "Antal rader. / Rows."),
        _field("parquet_bytes", pa.int64(), "Parquet-filens storlek. / Size of the Parquet file, bytes."),
        _field("checks_passed", pa.int32(), "Kontroller som höll. / Checks that held."),
        _field("checks_warned", pa.int32(), "Kontroller som varnade. / Checks that warned."),
        _field("checks_failed", pa.int32(), "Kontroller som föll; alltid 0. / Checks that failed; always 0."),
        _field("is_stale", pa.bool_(), "Om en källa fallerade. / Whether a source behind it failed."),
        _field("stale_since", UTC_TIMESTAMP, "Senast alla källor var bra. / When its sources last were good."),
        _field("stale_sources", pa.string(), "Källor som fallerade. / The sources that failed."),
        _field("content_fingerprint", pa.string(), "Innehållets fingeravtryck. / Fingerprint of columns and rows."),
        _field("is_changed", pa.bool_(), "Om innehållet är nytt. / Whether it differs from the release before."),
    ],
    metadata={DESCRIPTION: b"Vad som publicerades. / What was published. One row per mart."},
)
SOURCE_SCHEMA = pa.schema(
    [
        _field("source", pa.string(), "Källa. / Source."),
        _field("status", pa.string(), "passed, closed eller failed. / How its last attempt ended."),
        _field("last_good_at", UTC_TIMESTAMP, "Senaste goda laddning. / Last load that passed."),
        _field("last_attempt_at", UTC_TIMESTAMP, "Senaste försök. / Last attempt."),
        _field("message", pa.string(), "Varför det inte gick. / Why it failed."),
        _field("rows_read", pa.int64(), "Lästa rader, senaste laddning. / Rows read at the last load."),
        _field("rows_loaded", pa.int64(), "Nya och ändrade rader. / Rows that were new or revised."),
        _field("rows_quarantined", pa.int64(), "Stoppade rader. / Rows refused, kept in quarantine."),
        _field("checks_passed", pa.int32(), "Kontroller som höll. / Checks that held."),
        _field("checks_warned", pa.int32(), "Kontroller som varnade. / Checks that warned."),
        _field("checks_failed", pa.int32(), "Kontroller som föll eller stoppade rader. / Failed, or refused rows."),
    ],
    metadata={DESCRIPTION: "Källornas läge vid publiceringen. / How sources stood. One row per source.".encode()},
)
TARGET_SCHEMA = pa.schema(
    [
        _field(
            "target",
            pa.string(),
            "duckdb, parquet, timeline, extracts, catalog, bi, docs, site eller postgres. / Where it was published.",
        ),
        _field("status", pa.string(), "published, prepared eller failed. / prepared: shown the moment after."),
        _field("release_id", pa.string(), "Utgåvan. / The release that the target shows, null when unknown."),
        _field("message", pa.string(), "Varför det inte gick. / Why it failed."),
    ],
    metadata={DESCRIPTION: "Publiceringens mål. / Targets of the publication. One row per target.".encode()},
)


@dataclass(frozen=True)
class SourceState:
    """How a source stood when the marts were published; one row of `publication_source`."""

    source: str
    status: str
    last_good_at: datetime | None
    last_attempt_at: datetime | None
    message: str | None = None
    rows_read: int | None = None
    rows_loaded: int | None = None
    rows_quarantined: int | None = None
    checks_passed: int | None = None
    checks_warned: int | None = None
    checks_failed: int | None = None


@dataclass(frozen=True)
class TargetState:
    """What became of one target: `published`, `prepared` (it is switched after this was written) or `failed`.

    `release_id` is the release that it shows, None when that is not known.
    """

    target: str
    status: str
    release_id: str | None
    message: str | None = None


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


def record_tables(
    run_id: str,
    published_at: datetime,
    marts: Sequence[PublishedMart],
    sources: Sequence[SourceState],
    targets: Sequence[TargetState],
) -> dict[str, pa.Table]:
    """The tables by name."""
    run = {"run_id": run_id, "published_at": published_at}
    return {
        "publication": pa.Table.from_pylist([run | asdict(mart) for mart in marts], PUBLICATION_SCHEMA),
        "publication_source": pa.Table.from_pylist([asdict(source) for source in sources], SOURCE_SCHEMA),
        "publication_target": pa.Table.from_pylist([asdict(target) for target in targets], TARGET_SCHEMA),
    }


RECORD_NAMES = frozenset({"publication", "publication_source", "publication_target"})
