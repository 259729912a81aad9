"""Which marts are stale, because of which sources, since when."""

from datetime import UTC, datetime
from pathlib import Path

from hogland_pipeline.loads import record_failure
from hogland_pipeline.publication_record import SourceState
from hogland_pipeline.publish import Staleness
from hogland_pipeline.staleness import source_states, stale_marts
from hogland_pipeline.warehouse import SENSOR_READING, Warehouse
from tests.unit.hogland_pipeline.test_manifest import MANIFEST

MONDAY, TUESDAY = datetime(2026, 1, 5, 1, tzinfo=UTC), datetime(2026, 1, 6, 1, tzinfo=UTC)
TABLES = {"survey": "survey_answer", "tts": "sensor_reading", "smhi": "sensor_reading"}


def state(source: str, status: str, last_good_at: datetime | None) -> SourceState:
    return SourceState(source, status, last_good_at, TUESDAY, "why")


def test_a_mart_without_the_failed_source_is_fresh() -> None:
    states = [state("survey", "passed", TUESDAY), state("tts", "closed", MONDAY), state("smhi", "passed", TUESDAY)]
    assert stale_marts(MANIFEST, states, TABLES) == {"aard": Staleness(MONDAY, ("tts",))}


def test_several_failed_sources_count_from_the_oldest() -> None:
    states = [state("smhi", "failed", TUESDAY), state("survey", "closed", MONDAY), state("tts", "passed", TUESDAY)]
    assert stale_marts(MANIFEST, states, TABLES) == {
        "aard": Staleness(MONDAY, ("smhi", "survey")),
        "zebra": Staleness(MONDAY, ("survey",)),
    }


def test_a_source_that_never_was_good_has_no_since() -> None:
    states = [state("smhi", "failed", TUESDAY), state("survey", "failed", None)]
    assert stale_marts(MANIFEST, states, TABLES)["aard"] == Staleness(None, ("smhi", "survey"))


def test_a_source_that_is_no_longer_configured_makes_nothing_stale() -> None:
    assert stale_marts(MANIFEST, [state("gone", "failed", MONDAY)], TABLES) == {}


def test_a_state_tells_what_the_last_run_that_loaded_brought(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "warehouse.duckdb")
    record_failure(warehouse, SENSOR_READING, "smhi", "Sunday", "smhi: HTTP 503")
    with warehouse.write() as connection:
        connection.execute(
            """
            INSERT INTO ops.load BY NAME
            SELECT 100 + day AS load_id, 'smhi' AS source, 'sensor_reading' AS table_name, run AS run_id,
                   now() AS started_at, now() AS finished_at, 'passed' AS status, 10 * day AS rows_staged,
                   day AS rows_inserted, 1 AS rows_revised, 0 AS rows_unchanged, 2 AS rows_quarantined,
                   20 AS checks_passed, 1 AS checks_warned, 0 AS checks_failed
            FROM (VALUES (1, 'Monday'), (2, 'Tuesday'), (3, 'Tuesday')) AS loads(day, run)
            """
        )
    (found,) = source_states(warehouse)
    assert (found.rows_read, found.rows_loaded, found.rows_quarantined) == (50, 7, 4)
    assert (found.checks_passed, found.checks_warned, found.checks_failed) == (40, 2, 0)


def test_states_are_those_of_the_log(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "warehouse.duckdb")
    assert source_states(warehouse) == []
    record_failure(warehouse, SENSOR_READING, "smhi", "run", "smhi: HTTP 503")
    (found,) = source_states(warehouse)
    assert (found.source, found.status, found.last_good_at, found.message) == ("smhi", "failed", None, "smhi: HTTP 503")


def test_readers_are_told_of_configured_sources_only(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "warehouse.duckdb")
    for source in ("smhi", "switched_off"):
        record_failure(warehouse, SENSOR_READING, source, "Sunday", "HTTP 503")
    assert [found.source for found in source_states(warehouse, configured=TABLES)] == ["smhi"]
    assert [found.source for found in source_states(warehouse)] == ["smhi", "switched_off"]
