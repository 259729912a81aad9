"""What the pages show, read from the release being written: one query a table, nothing per page or cell."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import duckdb

from hogland_pipeline.release_tables import Draft
from hogland_pipeline.releases import DATABASE_NAME

Row = Mapping[str, Any]

log = logging.getLogger(__name__)

# Name of the answer: the marts that it reads, and the query.
QUERIES: Mapping[str, tuple[tuple[str, ...], str]] = {
    "municipalities": (("dim_municipality",), "FROM dim_municipality ORDER BY municipality_name"),
    "kpis": (("dim_kpi",), "FROM dim_kpi ORDER BY domain, display_order, name_sv"),
    "values": (
        ("fct_kpi_value", "dim_kpi"),
        # One method an indicator, the registry's own where it has values: a series of two would show a step. At most
        # forty periods an area: the years of a yearly figure, the last days of a daily one.
        """
        WITH methods AS (
            SELECT kpi_id, max_by(v.method_version, (v.method_version = k.method_version, period_end, v.method_version))
                   AS method_version
            FROM fct_kpi_value AS v JOIN dim_kpi AS k USING (kpi_id) WHERE is_latest GROUP BY kpi_id
        )
        SELECT kpi_id, area_type, area_id, period, period_end, value, value_text, n, lower_bound, upper_bound,
               value_status
        FROM fct_kpi_value SEMI JOIN methods USING (kpi_id, method_version)
        WHERE is_latest
        QUALIFY dense_rank() OVER (PARTITION BY kpi_id, area_type, area_id ORDER BY period_end DESC) <= 40
        ORDER BY kpi_id, area_type, area_id, period_end
        """,
    ),
    "lineage": (
        ("kpi_lineage",),
        """
        SELECT kpi_id, dbt_model, raw_table, load_source, sum(raw_rows)::BIGINT AS raw_rows,
               count(DISTINCT landing_id) AS files, max(loaded_at) AS loaded_at,
               string_agg(DISTINCT source_vintage, ', ' ORDER BY source_vintage DESC) AS vintages,
               string_agg(DISTINCT method_version, ', ' ORDER BY method_version) AS methods
        FROM kpi_lineage GROUP BY ALL ORDER BY kpi_id, load_source
        """,
    ),
    "benchmarks": (
        ("kpi_benchmark",),
        """
        FROM kpi_benchmark WHERE is_latest
        QUALIFY period = max(period) OVER (PARTITION BY kpi_id, municipality_code, group_kind)
        """,
    ),
    "trajectories": (
        ("kpi_trajectory",),
        "FROM kpi_trajectory WHERE is_latest ORDER BY kpi_id, municipality_code, year",
    ),
    "trends": (
        ("kpi_climate__emission_trend",),
        """
        FROM kpi_climate__emission_trend WHERE is_latest
        QUALIFY last_year = max(last_year) OVER (PARTITION BY municipality_code, method_version)
        ORDER BY municipality_name, method_version DESC
        """,
    ),
    "sensors": (("dim_sensor",), "FROM dim_sensor WHERE is_current ORDER BY site, device_id"),
    "sensor_status": (("kpi_operations__sensor_status",), "FROM kpi_operations__sensor_status"),
    "snow": (
        ("kpi_operations__daily_snow",),
        # The last three months of each sensor.
        """
        FROM kpi_operations__daily_snow
        QUALIFY local_date > max(local_date) OVER (PARTITION BY sensor_id) - 92
        ORDER BY sensor_id, local_date
        """,
    ),
    "plough_events": (
        ("kpi_operations__plough_event",),
        """
        SELECT sensor_id, max(local_date) AS last_date, count(*) AS events
        FROM kpi_operations__plough_event GROUP BY sensor_id
        """,
    ),
    "solutions": (("kpi_twin__solution",), "FROM kpi_twin__solution WHERE NOT is_withdrawn ORDER BY title"),
    "effects": (("kpi_twin__solution_effect",), "FROM kpi_twin__solution_effect ORDER BY url, effect_number"),
    "survey_waves": (("kpi_digitalisation__survey_wave",), "FROM kpi_digitalisation__survey_wave ORDER BY wave_number"),
    "survey_answers": (
        ("kpi_digitalisation__survey_answer",),
        """
        FROM kpi_digitalisation__survey_answer
        ORDER BY wave, question_number NULLS LAST, question_id, subgroup_type, subgroup, answer
        """,
    ),
    "readiness": (
        ("kpi_digitalisation__ai_readiness",),
        "FROM kpi_digitalisation__ai_readiness WHERE subgroup_type = 'all' ORDER BY wave, dimension",
    ),
    "publication": (("publication",), "FROM publication ORDER BY mart"),
    "sources": (("publication_source",), "FROM publication_source ORDER BY source"),
}


@dataclass(frozen=True)
class Stale:
    """A mart that keeps older values: since when its sources were last good, and which of them failed."""

    mart: str
    since: datetime | None
    sources: str


@dataclass(frozen=True)
class Marts:
    """Rows by the name of the query; ``missing`` names the marts that this release does not have, or not readably."""

    rows: Mapping[str, Sequence[Row]]
    missing: frozenset[str] = frozenset()
    stale: Mapping[str, Stale] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Sequence[Row]:
        return self.rows[name]

    def missing_for(self, *names: str) -> list[str]:
        """Marts that the queries need and that are not there."""
        return [mart for mart in _marts_of(names) if mart in self.missing]

    def stale_for(self, *names: str) -> list[Stale]:
        """Marts of the queries whose values are older, because a source failed."""
        return [self.stale[mart] for mart in _marts_of(names) if mart in self.stale]


def read_marts(draft: Draft) -> Marts:
    """Every answer that the pages need. A mart that is missing or has other columns gives no rows, and is named."""
    there = {table.name for table in draft.tables}
    rows: dict[str, Sequence[Row]] = {}
    missing: set[str] = set()
    with duckdb.connect(draft.folder / DATABASE_NAME, read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name, (marts, query) in QUERIES.items():
            rows[name] = []
            if absent := set(marts) - there:
                missing |= absent
                continue
            try:
                rows[name] = _answer(connection, query)
            except duckdb.Error as error:
                log.warning("the site leaves out %s: %s", ", ".join(marts), error)
                missing.update(marts)
    stale = {
        row["mart"]: Stale(row["mart"], row["stale_since"], row["stale_sources"])
        for row in rows["publication"]
        if row["is_stale"]
    }
    return Marts(rows, frozenset(missing), stale)


def _answer(connection: duckdb.DuckDBPyConnection, query: str) -> list[Row]:
    answer = connection.execute(query)
    names = [column[0] for column in answer.description or ()]
    return [dict(zip(names, map(_plain, values), strict=True)) for values in answer.fetchall()]


def _plain(value: Any) -> Any:
    """Charts and number formats know no decimals."""
    return float(value) if isinstance(value, Decimal) else value


def _marts_of(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(mart for name in names for mart in QUERIES[name][0]))
