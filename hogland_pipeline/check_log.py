"""What every check of every load found, kept in ``ops.check_result``."""

import json
from collections.abc import Sequence
from datetime import datetime

import duckdb
import pyarrow as pa

from expectations.runner import CheckResult

CHECK_SCHEMA = pa.schema(
    [
        ("load_id", pa.int64()),
        ("source", pa.string()),
        ("position", pa.int32()),
        ("name", pa.string()),
        ("column", pa.string()),
        ("severity", pa.string()),
        ("scope", pa.string()),
        ("passed", pa.bool_()),
        ("evaluated_rows", pa.int64()),
        ("failing_rows", pa.int64()),
        ("failing_share", pa.float64()),
        ("description", pa.string()),
        ("threshold_reason", pa.string()),
        ("sample", pa.string()),
        ("error", pa.string()),
        ("observed_value", pa.string()),
    ]
)


def record_checks(
    connection: duckdb.DuckDBPyConnection, load_id: int, source: str, checks: Sequence[CheckResult]
) -> None:
    """Append the results of one load, in the suite's order."""
    if not checks:
        return
    rows = [
        {name: getattr(check, name, None) for name in CHECK_SCHEMA.names}
        | {
            "load_id": load_id,
            "source": source,
            "position": position,
            "severity": str(check.severity),
            "scope": str(check.scope),
            "sample": json.dumps(check.sample, default=str, ensure_ascii=False),
        }
        for position, check in enumerate(checks)
    ]
    connection.register("check_rows", pa.Table.from_pylist(rows, CHECK_SCHEMA))
    connection.execute("INSERT INTO ops.check_result BY NAME FROM check_rows")
    connection.unregister("check_rows")


def last_checks(connection: duckdb.DuckDBPyConnection, source: str) -> tuple[Sequence[CheckResult], datetime | None]:
    """Results of the newest load of ``source`` that passed and had something to check, and when that was."""
    found = connection.execute(
        """
        SELECT load_id, finished_at FROM ops.load
        WHERE source = ? AND status = 'passed' AND load_id IN (SELECT load_id FROM ops.check_result WHERE source = ?)
        ORDER BY load_id DESC LIMIT 1
        """,
        [source, source],
    ).fetchone()
    if found is None:
        return (), None
    load_id, checked_at = found
    rows = connection.execute(
        """
        SELECT name, "column", severity, scope, passed, evaluated_rows, failing_rows, failing_share, description,
               threshold_reason, sample, error, observed_value
        FROM ops.check_result WHERE load_id = ? ORDER BY position
        """,
        [load_id],
    ).fetchall()
    return [
        CheckResult(
            name=name,
            column=column,
            severity=severity,
            scope=scope,
            passed=passed,
            evaluated_rows=evaluated,
            failing_rows=failing,
            failing_share=share,
            description=description,
            threshold_reason=reason,
            sample=json.loads(sample),
            error=error,
            observed_value=observed,
        )
        for (
            name,
            column,
            severity,
            scope,
            passed,
            evaluated,
            failing,
            share,
            description,
            reason,
            sample,
            error,
            observed,
        ) in rows
    ], checked_at
