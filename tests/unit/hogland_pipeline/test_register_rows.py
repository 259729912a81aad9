"""A mistake in a register is told with its file and its row, and rows of nothing else are."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest

from hogland_pipeline.register_rows import failure_told


@pytest.fixture
def candidate(tmp_path: Path) -> Path:
    path = tmp_path / "marts.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute(
            "CREATE TABLE sensors AS SELECT 'A' || range AS sensor_id, 'tts, new' AS feed, NULL AS road_class"
            " FROM range(5)"
        )
    return path


def node(query: str, parents: tuple[str, ...] = ("seed.hogland.sensors",), **changes: Any) -> Any:
    values = {
        "resource_type": "test",
        "name": "road_class_has_its_triggers",
        "attached_node": parents[0],
        "depends_on": SimpleNamespace(nodes=list(parents)),
        "compiled_code": query,
    }
    return SimpleNamespace(**values | changes)


def test_the_file_and_the_row_are_named(candidate: Path) -> None:
    broken = node('select * from "marts"."main"."sensors" where sensor_id = \'A1\'')
    assert (
        failure_told(broken, "Got 1 result", candidate)
        == 'sensors.csv does not hold road_class_has_its_triggers: mend A1,"tts, new",'
    )


def test_of_many_rows_three_are_named(candidate: Path) -> None:
    told = failure_told(node("select sensor_id from sensors order by 1"), "Got 5 results", candidate)
    assert told.endswith("mend A0 | A1 | A2 and others")


def test_a_long_row_is_cut(candidate: Path) -> None:
    told = failure_told(node("select repeat('x', 1000)"), "Got 1 result", candidate)
    assert told.endswith(" " + "x" * 119 + "…")


def test_a_value_that_is_none_of_its_column_is_told_with_its_line(tmp_path: Path) -> None:
    register = tmp_path / "sensors.csv"
    register.write_text("sensor_id,latitude\nA1,57.6\nA2,57x6\n", encoding="utf-8")
    with duckdb.connect() as connection, pytest.raises(duckdb.Error) as failed:
        query = "from read_csv(?, header = true, columns = {'sensor_id': 'varchar', 'latitude': 'double'})"
        connection.execute(query, [str(register)]).fetchall()
    message = f"Runtime Error in seed sensors (seeds/sensors.csv)\n  {failed.value}"
    assert failure_told(node("", resource_type="seed", name="sensors"), message, register) == (
        'sensors.csv, line 3: Error when converting column "latitude". '
        "Could not convert string \"57x6\" to 'DOUBLE': A2,57x6"
    )


@pytest.mark.parametrize(
    "other",
    [
        node("select 'an answer'", ("model.hogland.stg_answers", "seed.hogland.sensors")),
        node("select 1", attached_node=None),
        node("select 1", resource_type="model"),
    ],
)
def test_rows_of_nothing_else_are_told(candidate: Path, other: Any) -> None:
    assert failure_told(other, "Got 1 result,\n  of 0", candidate) == "road_class_has_its_triggers: Got 1 result, of 0"
