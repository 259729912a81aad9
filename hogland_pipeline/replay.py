"""Replay: when a decoder, a device list or a rule has been mended, quarantined rows run again from landing.

The landing files that quarantine points at are decoded and pass the gate as if they had just come. Rows that had
passed before change nothing; those that pass now are loaded; those that still do not stay, with today's reason. A
decoder that had read a wrong value refused nothing: then every landing file of the source runs again, and what it had
made of rows that it refuses now is taken back.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from hogland_pipeline.gate import load_files
from hogland_pipeline.loads import files_to_load
from hogland_pipeline.resources import BoundSource
from hogland_pipeline.settings import Settings
from hogland_pipeline.warehouse import Warehouse
from sensors_ingest.landing import Landing

DECODED_CHECK = "payload_is_decoded"
_CLOSED_WITH_STAGE = """
    SELECT source FROM ops.source_status SEMI JOIN (
        SELECT table_name AS source FROM duckdb_tables() WHERE schema_name = 'stage'
    ) USING (source) WHERE status = 'closed'
"""


@dataclass(frozen=True)
class Recovery:
    """Rows that one check refuses for one reason, before and after the replay.

    Of those before, ``recovered`` came in and ``reason_changed`` are in ``after`` of another reason now.
    """

    source: str
    check_name: str
    reason: str
    before: int
    recovered: int
    reason_changed: int
    after: int


@dataclass(frozen=True)
class Replay:
    """What came of replaying one source. ``message`` is empty unless its gate closed or a file cannot be read."""

    source: str
    files: int
    rows_loaded: int
    rows_taken_back: int
    message: str
    recoveries: Sequence[Recovery]


@dataclass(frozen=True)
class Refusal:
    """How many rows of one source one check keeps in quarantine for one reason."""

    source: str
    check_name: str
    reason: str
    rows: int


def refusals(warehouse: Warehouse, sources: Sequence[BoundSource]) -> list[Refusal]:
    """What is in quarantine, most rows of a source first."""
    found = []
    with warehouse.read() as connection:
        for bound in sources:
            rows = connection.execute(
                f"SELECT source, check_name, reason, count(*) AS refused FROM quarantine.{bound.table.name}"  # noqa: S608 - a name of ours
                " WHERE source = ? GROUP BY ALL ORDER BY refused DESC, check_name, reason",
                [bound.source.name],
            ).fetchall()
            found += [Refusal(*row) for row in rows]
    return found


def held_back(warehouse: Warehouse, sources: Sequence[BoundSource]) -> list[Refusal]:
    """Why rows of sources with a closed gate were refused: they are in no quarantine, since nothing of them came in."""
    found = []
    with warehouse.read() as connection:
        closed = {name for (name,) in connection.execute(_CLOSED_WITH_STAGE).fetchall()}
        for name in (bound.source.name for bound in sources if bound.source.name in closed):
            rows = connection.execute(
                # The good days of a batch came in, and what they refused is in quarantine.
                f"SELECT reject_reason, count(*) AS refused FROM stage.{name}"  # noqa: S608 - a name of ours
                " SEMI JOIN (FROM ops.refused_file WHERE source = ?) USING (landing_id)"
                " WHERE reject_reason IS NOT NULL GROUP BY ALL ORDER BY refused DESC, reject_reason",
                [name],
            ).fetchall()
            found += [Refusal(name, DECODED_CHECK, *row) for row in rows]
    return found


def replay_source(
    settings: Settings, warehouse: Warehouse, landing: Landing, bound: BoundSource, run_id: str, *, whole: bool = False
) -> Replay:
    """Run every landing file of ``bound`` that has rows in quarantine through the gate once more; ``whole``: every
    file, but for one that was refused and has been replaced or taken away since.
    """
    name, before = bound.source.name, _refused(warehouse, bound)
    if whole:
        files = files_to_load(warehouse, landing, name, decoder_version=None)
    else:
        files = landing.files(name, wanted=_quarantined_files(warehouse, bound).__contains__)
    if not files:
        return Replay(name, 0, 0, 0, "", ())
    try:
        load = load_files(warehouse, bound, landing, files, run_id, settings)
    except bound.malformed as error:
        return Replay(name, len(files), 0, 0, str(error).rstrip("."), ())
    recoveries = _recoveries(name, before, _refused(warehouse, bound))
    return Replay(name, len(files), load.inserted + load.revised, load.taken_back, load.message, recoveries)


def _refused(warehouse: Warehouse, bound: BoundSource) -> pa.Table:
    """How many rows of each line of a landing file are in quarantine, by reason."""
    with warehouse.read() as connection:
        return connection.execute(
            f"""
            SELECT landing_id, landing_row, check_name, reason, count(*) AS refused
            FROM quarantine.{bound.table.name} WHERE source = ? GROUP BY ALL
            """,  # noqa: S608 - a name of ours
            [bound.source.name],
        ).to_arrow_table()


def _recoveries(source: str, before: pa.Table, after: pa.Table) -> list[Recovery]:
    """What became of each reason. A line that lost a reason and gained another one changed its reason."""
    with duckdb.connect() as connection:
        connection.register("refused_before", before)
        connection.register("refused_after", after)
        rows = connection.execute(
            """
            WITH line AS (
                SELECT landing_id, landing_row, check_name, reason, coalesce(b.refused, 0) AS before,
                       coalesce(a.refused, 0) AS after, greatest(before - after, 0) AS gone,
                       sum(greatest(after - before, 0)) OVER (PARTITION BY landing_id, landing_row) AS come
                FROM refused_before b FULL JOIN refused_after a USING (landing_id, landing_row, check_name, reason)
            ), spread AS (
                -- What came to a line is counted against its reasons that went, one after the other.
                SELECT *, least(gone, greatest(come - coalesce(sum(gone) OVER others, 0), 0)) AS changed FROM line
                WINDOW others AS (
                    PARTITION BY landing_id, landing_row ORDER BY check_name, reason
                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                )
            )
            SELECT check_name, reason, sum(before)::BIGINT, sum(gone - changed)::BIGINT, sum(changed)::BIGINT,
                   sum(after)::BIGINT
            FROM spread GROUP BY ALL ORDER BY ALL
            """
        ).fetchall()
    return [Recovery(source, *row) for row in rows]


def _quarantined_files(warehouse: Warehouse, bound: BoundSource) -> set[str]:
    with warehouse.read() as connection:
        rows = connection.execute(
            f"SELECT DISTINCT landing_id FROM quarantine.{bound.table.name} WHERE source = ?",  # noqa: S608 - a name of ours
            [bound.source.name],
        ).fetchall()
    return {row[0] for row in rows}
