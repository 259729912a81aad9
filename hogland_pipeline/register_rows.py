"""Which rows of a register broke a dbt test, or cannot be read. dbt tells how many, or all it knows of the file; who
keeps the register needs to know which.

Only rows of registers are told (``dbt_project/seeds``): what other tests find may be an answer to the survey.
"""

import csv
import io
import re
from pathlib import Path
from typing import Any

import duckdb

SHOWN_ROWS = 3
ROW_LENGTH = 120
# How DuckDB tells a value that is none of its column's; twenty lines about how it read the file follow.
UNREADABLE_LINE = re.compile(r"CSV Error on Line: (\d+)\s+Original Line: (.*)\s+(.*)")


def failure_told(node: Any, message: str | None, candidate: Path) -> str:
    """One sentence for a node of dbt that failed: with its file and rows, where it is a test of registers alone."""
    if node.resource_type == "seed" and (unreadable := UNREADABLE_LINE.search(message or "")):
        number, line, reason = unreadable.groups()
        return f"{node.name}.csv, line {number}: {reason.strip().rstrip('.')}: {_cut(line)}"
    if node.resource_type != "test" or not _is_of_a_register(node):
        return f"{node.name}: {_one_line(message or 'no reason given')}"
    rows = _failing_rows(node.compiled_code, candidate)
    register = node.attached_node.rpartition(".")[2]
    more = " and others" if len(rows) > SHOWN_ROWS else ""
    return f"{register}.csv does not hold {node.name}: mend {' | '.join(rows[:SHOWN_ROWS])}{more}"


def _is_of_a_register(node: Any) -> bool:
    parents = node.depends_on.nodes
    return bool(node.attached_node and node.compiled_code) and all(parent.startswith("seed.") for parent in parents)


def _failing_rows(query: str, candidate: Path) -> list[str]:
    """The first rows as lines of CSV, which is how they stand in the register."""
    with duckdb.connect(candidate, read_only=True) as connection:
        rows = connection.execute(query).fetchmany(SHOWN_ROWS + 1)
    return [_as_line(row) for row in rows]


def _as_line(row: tuple[Any, ...]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(row)
    return _cut(line.getvalue())


def _cut(text: str) -> str:
    return text if len(text) <= ROW_LENGTH else text[: ROW_LENGTH - 1] + "…"


def _one_line(message: str) -> str:
    return " ".join(message.split())
