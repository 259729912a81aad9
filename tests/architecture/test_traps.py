"""Every trap that docs/feeds.md names is held by tests, and they are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLACES = {".py": ROOT / "tests", ".yml": ROOT / "dbt_project" / "models"}
NAMED = re.compile(r"`([\w.]+)::(\w+)`")


def traps(text: str) -> dict[str, list[tuple[str, str]]]:
    """The rows of the table of traps: what the trap is, and the tests (file, name) that hold it."""
    _, _, rest = text.partition("| feed | trap | what happens | held by |\n")
    rows = [line.strip("| ").split(" | ") for line in rest.split("\n\n")[0].splitlines()[1:]]
    return {f"{row[0]}: {row[1]}": NAMED.findall(row[-1]) for row in rows}


def is_there(file: str, name: str) -> bool:
    """Whether a file of that name defines the test."""
    written = re.compile(rf"^ *(?:def {name}\(|- name: {name}$)", re.MULTILINE)
    suffix = Path(file).suffix
    found = PLACES[suffix].rglob(file) if suffix in PLACES else ()
    return any(written.search(path.read_text(encoding="utf-8")) for path in found)


def test_every_trap_has_its_tests() -> None:
    found = traps((ROOT / "docs" / "feeds.md").read_text(encoding="utf-8"))
    assert len(found) > 50
    assert [trap for trap, tests in found.items() if not tests] == []
    assert [f"{file}::{name}" for tests in found.values() for file, name in tests if not is_there(file, name)] == []


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("test_traps.py", "test_nothing"),
        ("test_none.py", "test_x"),
        ("_sensor_health.yml", "unit_nothing"),
        ("a.md", "b"),
    ],
)
def test_a_test_that_is_not_there_is_told(file: str, name: str) -> None:
    assert not is_there(file, name)


def test_a_trap_without_a_test_is_told() -> None:
    head = "| feed | trap | what happens | held by |\n|---|---|---|---|\n"
    table = head + "| all | a | b | `c.py::d` |\n| all | e | f | |\n\nx"
    assert traps(table) == {"all: a": [("c.py", "d")], "all: e": []}
