"""Nights on PostgreSQL: every row of night N holds N, so that a reader can tell one release from a mixture."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from hogland_pipeline.publish import Publication
from hogland_pipeline.releases import Target
from hogland_pipeline.targets.postgres import PostgresTarget
from tests.unit.hogland_pipeline.small_release import NIGHT, build, release

ROWS = 2_000

MARTS = ("daily_snow", "dim_municipality", "fct_kpi_value")


def night(folder: Path, number: int) -> Path:
    query = f"select {number} as night, range as number, 'rad ' || range as name from range({ROWS})"
    return build(folder, **dict.fromkeys(MARTS, query))


def publish_night(folder: Path, server: PostgresTarget, number: int, **options: Any) -> Publication:
    return release(
        night(folder, number),
        Target(folder / "data"),
        marts=MARTS,
        at=NIGHT + timedelta(days=number),
        server=server,
        run_id=f"{number}",
        **options,
    )
