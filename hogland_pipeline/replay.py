"""Replay: when a decoder, a device list or a rule has been mended, quarantined rows run again from landing.

The landing files that quarantine points at are decoded and pass the gate as if they had just come. Rows that had
passed before change nothing; those that pass now are loaded; those that still do not stay, with today's reason. A
decoder that had read a wrong value refused nothing: then every landing file of the source runs again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hogland_pipeline.gate import load_files
from hogland_pipeline.resources import BoundSource
from hogland_pipeline.settings import Settings
from hogland_pipeline.warehouse import Warehouse
from sensors_ingest.landing import Landing


@dataclass(frozen=True)
class Recovery:
    """Rows of one source that one check had refused for one reason, before and after the replay."""

    source: str
    check_name: str
    reason: str
    before: int
    after: int

    @property
    def recovered(self) -> int:
        """Rows that are no longer refused for this reason; negative when a mended rule names it for others."""
        return self.before - self.after


@dataclass(frozen=True)
class Replay:
    """What came of replaying one source. ``message`` is empty unless its gate closed."""

    source: str
    files: int
    rows_loaded: int
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


def replay_source(
    settings: Settings, warehouse: Warehouse, landing: Landing, bound: BoundSource, run_id: str, *, whole: bool = False
) -> Replay:
    """Run every landing file of ``bound`` that has rows in quarantine through the gate once more; ``whole``: every
    file.
    """
    before = _refused(warehouse, bound)
    wanted = None if whole else _quarantined_files(warehouse, bound).__contains__
    files = landing.files(bound.source.name, wanted=wanted)
    if not files:
        return Replay(bound.source.name, 0, 0, "", ())
    load = load_files(warehouse, bound, landing, files, run_id, settings)
    after = _refused(warehouse, bound)
    recoveries = [
        Recovery(bound.source.name, check, reason, before.get((check, reason), 0), after.get((check, reason), 0))
        for check, reason in sorted(before.keys() | after.keys())
    ]
    return Replay(bound.source.name, len(files), load.inserted + load.revised, load.message, recoveries)


def _refused(warehouse: Warehouse, bound: BoundSource) -> dict[tuple[str, str], int]:
    with warehouse.read() as connection:
        rows = connection.execute(
            f"SELECT check_name, reason, count(*) FROM quarantine.{bound.table.name} WHERE source = ? GROUP BY ALL",  # noqa: S608 - a name of ours
            [bound.source.name],
        ).fetchall()
    return {(check, reason): count for check, reason, count in rows}


def _quarantined_files(warehouse: Warehouse, bound: BoundSource) -> set[str]:
    with warehouse.read() as connection:
        rows = connection.execute(
            f"SELECT DISTINCT landing_id FROM quarantine.{bound.table.name} WHERE source = ?",  # noqa: S608 - a name of ours
            [bound.source.name],
        ).fetchall()
    return {row[0] for row in rows}
