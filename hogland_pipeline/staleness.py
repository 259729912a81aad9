"""Which sources failed at their last attempt, and which marts draw on them."""

from collections.abc import Collection, Mapping, Sequence

from hogland_pipeline.manifest import Manifest
from hogland_pipeline.publication_record import SourceState
from hogland_pipeline.publish import Staleness
from hogland_pipeline.warehouse import Warehouse


def source_states(warehouse: Warehouse, configured: Collection[str] | None = None) -> list[SourceState]:
    """How every source that was ever tried stands, by name, with what its last run that loaded brought.

    Of ``configured`` ones only, for readers: a feed that was switched off or renamed would stand as it ended for ever.
    """
    with warehouse.read() as connection:
        rows = connection.execute(
            """
            WITH last_run AS (
                SELECT source, max_by(run_id, load_id) AS run_id FROM ops.load GROUP BY source
            ),
            brought AS (
                SELECT source, sum(rows_staged)::BIGINT, sum(rows_inserted + rows_revised)::BIGINT,
                       sum(rows_quarantined)::BIGINT, sum(checks_passed)::INTEGER, sum(checks_warned)::INTEGER,
                       sum(checks_failed)::INTEGER
                FROM ops.load SEMI JOIN last_run USING (source, run_id) GROUP BY source
            )
            SELECT s.source, s.status, s.last_good_at, s.last_attempt_at, s.message, brought.* EXCLUDE (source)
            FROM ops.source_status AS s LEFT JOIN brought USING (source) ORDER BY s.source
            """
        ).fetchall()
    states = [SourceState(*row) for row in rows]
    return [state for state in states if configured is None or state.source in configured]


def stale_marts(
    manifest: Manifest, states: Sequence[SourceState], tables_of: Mapping[str, str]
) -> dict[str, Staleness]:
    """Marts that draw on a source whose last attempt did not pass, with those sources and the oldest good time.

    ``tables_of`` names the raw table that each configured source fills.
    """
    failed = [state for state in states if state.status != "passed" and state.source in tables_of]
    stale: dict[str, Staleness] = {}
    for mart in manifest.marts():
        tables = manifest.raw_tables_behind(str(mart["unique_id"]))
        behind = [state for state in failed if tables_of[state.source] in tables]
        if behind:
            good = [state.last_good_at for state in behind]
            since = None if None in good else min(at for at in good if at)
            stale[str(mart["name"])] = Staleness(since, tuple(state.source for state in behind))
    return stale
