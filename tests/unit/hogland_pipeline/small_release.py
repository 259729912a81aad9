"""Small marts, their publication, and what is then on disk."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from expectations.runner import CheckResult
from hogland_pipeline.publication_record import SourceState
from hogland_pipeline.publish import Publication, Staleness, publish
from hogland_pipeline.releases import Target

NIGHT = datetime(2026, 2, 1, 1, tzinfo=UTC)
MARTS = ("daily_snow", "dim_municipality")
SNOW = "select range::integer as day, range * 0.5 as snow_depth_cm from range(21)"
MUNICIPALITIES = "select * from (values ('0682', 'Nässjö'), ('0686', 'Eksjö')) as t(municipality_code, name)"


def build(folder: Path, **tables: str) -> Path:
    path = folder / "marts.duckdb"
    path.unlink(missing_ok=True)
    with duckdb.connect(path) as connection:
        for name, query in ({"daily_snow": SNOW, "dim_municipality": MUNICIPALITIES} | tables).items():
            connection.execute(f"create table main.{name} as {query}")
    return path


def check(name: str, *, passed: bool = True, severity: Any = "error") -> CheckResult:
    return CheckResult(
        name=name,
        column=None,
        severity=severity,
        scope="table",
        passed=passed,
        evaluated_rows=21,
        failing_rows=0 if passed else 1,
        failing_share=0.0 if passed else 1 / 21,
        description="",
        threshold_reason="",
    )


def one_pass(_: duckdb.DuckDBPyConnection, mart: str) -> Sequence[CheckResult]:
    return [check(f"{mart}_is_sound")]


def release(
    build_db: Path,
    target: Target,
    *,
    marts: Sequence[str] = MARTS,
    at: datetime = NIGHT,
    audit: Callable[[duckdb.DuckDBPyConnection, str], Sequence[CheckResult]] = one_pass,
    stale: Mapping[str, Staleness] | None = None,
    sources: Sequence[SourceState] = (),
    run_id: str = "1f6c2a9e-7f11",
    **options: Any,
) -> Publication:
    return publish(
        build_db,
        target,
        marts,
        run_id=run_id,
        sources=sources,
        stale=stale or {},
        audit=audit,
        published_at=at,
        **options,
    )


def ask(database: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(database, read_only=True) as connection:
        return connection.execute(query).fetchall()


def tree(folder: Path) -> dict[str, bytes]:
    real = folder.resolve()
    return {str(path.relative_to(real)): path.read_bytes() for path in real.rglob("*") if path.is_file()}
