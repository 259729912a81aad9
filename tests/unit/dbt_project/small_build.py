"""A small warehouse as the gate leaves it, and dbt run on it in this process."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner

PROJECT = Path(__file__).parents[3] / "dbt_project"

SCHEMA = """
create schema raw;
create schema ops;
create table raw.sensor_reading (
    feed varchar, sensor_id varchar, quantity varchar, observed_at timestamptz, value double, unit varchar,
    source_value varchar, source_unit varchar, quality varchar, source_quality varchar,
    received_at timestamptz, precedence smallint, uplink_key varchar, landing_id varchar,
    ingested_at timestamptz, revision integer, load_id bigint
);
create table raw.survey_answer (
    wave varchar, respondent varchar, question_id varchar, answer varchar, municipality_code varchar,
    role varchar, submitted_at timestamptz, landing_id varchar, received_at timestamptz,
    ingested_at timestamptz, revision integer, load_id bigint
);
create table raw.uttc_solution (
    url varchar, slug varchar, title varchar, short_title varchar, stage varchar, published_date date,
    summary varchar, transition_area varchar, transition_sector varchar, transition_kind varchar, owner varchar,
    effects struct(value double, unit varchar, kind varchar, claim varchar, qualifier varchar,
        quantity varchar, description varchar)[],
    baseline_period varchar, object_count integer, object_count_qualifier varchar, snapshot_at timestamptz,
    landing_id varchar, received_at timestamptz, ingested_at timestamptz, revision integer, load_id bigint
);
create table raw.indicator_value (
    source varchar, series_id varchar, area_id varchar, period varchar, breakdown varchar, value double,
    value_status varchar, unit varchar, vintage varchar, released_at timestamptz, received_at timestamptz,
    landing_id varchar, ingested_at timestamptz, revision integer, load_id bigint
);
create table raw.indicator_series (
    source varchar, series_id varchar, title varchar, unit varchar, description varchar, is_withdrawn boolean,
    received_at timestamptz, landing_id varchar, ingested_at timestamptz, revision integer, load_id bigint
);
create table raw.area_group (
    source varchar, group_id varchar, title varchar, members varchar[], received_at timestamptz, landing_id varchar,
    ingested_at timestamptz, revision integer, load_id bigint
);
create table ops.load (
    load_id bigint, source varchar, table_name varchar, run_id varchar, landing_day date, started_at timestamptz,
    finished_at timestamptz, status varchar, rows_staged bigint, rows_inserted bigint, rows_revised bigint,
    rows_unchanged bigint, rows_quarantined bigint, checks_passed integer, checks_warned integer,
    checks_failed integer, message varchar
);
create table ops.touched_day (load_id bigint, feed varchar, local_date date);
create schema quarantine;
create table quarantine.uttc_solution (url varchar, landing_id varchar, quarantined_at timestamptz);
create table quarantine.sensor_reading (
    feed varchar, sensor_id varchar, quantity varchar, observed_at timestamptz, source varchar, landing_day date,
    check_name varchar, reason varchar, load_id bigint
);
"""

# Four days around a remounting and the end of a sensor's life, every ten minutes: depth 50 cm, and 20 cm after
# noon UTC.
READINGS = """
insert into raw.sensor_reading
select
    'tts_hogland', sensor_id, quantity, observed_at,
    case quantity
        when 'distance' then
            if(sensor_id = 'A81758FFFE04A002' and observed_at >= '2026-01-11 23:00:00+00', 2700, 3000)
            - if(hour(observed_at) < 12, 500, 200)
        when 'air_temperature' then if(hour(observed_at) < 12, -5.5, 1.25)
        else 80
    end,
    case quantity when 'distance' then 'mm' when 'air_temperature' then 'degC' else 'percent' end,
    null, null, 'good', null, observed_at, 0, null, 'file', timestamptz '2026-01-14 01:00:00+00', 1, 1
from generate_series(
    timestamptz '2026-01-09 23:00:00+00', timestamptz '2026-01-13 22:50:00+00', interval 10 minutes
) as moments(observed_at)
cross join (values ('A81758FFFE04A001'), ('A81758FFFE04A002'), ('A81758FFFE04A006')) as sensors(sensor_id)
cross join (values ('distance'), ('air_temperature'), ('relative_humidity')) as quantities(quantity)
where sensor_id != 'A81758FFFE04A006' or observed_at < '2026-01-10 23:00:00+00';

insert into ops.touched_day
select distinct 1, feed, timezone('Europe/Stockholm', observed_at)::date from raw.sensor_reading;
"""

# The published totals: question 5 yes 13, no 27, don't know 1; question 6 yes 7, no 34.
SURVEY = """
insert into raw.survey_answer
select
    'ai_maturity_2024_25', 'r' || person, question_id,
    case
        when question_id = 'tech_direction' then
            case when person <= 13 then 'yes' when person <= 40 then 'no' else 'dont_know' end
        else if(person <= 7, 'yes', 'no')
    end,
    case when person % 4 = 0 then '0686' else '0682' end,
    'manager', timestamptz '2025-02-01 09:00:00+00' + to_minutes(person), 'file', null,
    timestamptz '2026-01-14 01:00:00+00', 1, 2
from generate_series(1, 41) as people(person)
cross join (values ('tech_direction'), ('ai_strategy')) as questions(question_id);

insert into raw.survey_answer
select
    'ai_maturity_2024_25', 'r' || person, 'ai_use.' || option,
    case when person = 41 then 'no_answer' when person <= choices then 'yes' else 'no' end,
    case when person % 4 = 0 then '0686' else '0682' end,
    'manager', timestamptz '2025-02-01 09:00:00+00' + to_minutes(person), 'file', null,
    timestamptz '2026-01-14 01:00:00+00', 1, 2
from generate_series(1, 41) as people(person)
cross join (values ('analysis', 12), ('text_support', 30)) as options(option, choices);
"""

# Stages of the nine published solutions; the effects in our own words.
SOLUTIONS = """
insert into raw.uttc_solution
select
    'https://example.org/2025/' || number, 'solution-' || number, 'Solution ' || number, null,
    if(number in (5, 6, 7, 9), 'analysed', 'identified'), null, null, null, null, null, null,
    case number
        when 6 then [
            {'value': 1400.0, 'unit': 't CO2/yr', 'kind': 'gross', 'claim': 'estimated', 'qualifier': 'about',
             'quantity': 'emissions', 'description': 'less heating'},
            {'value': 1350.0, 'unit': 't CO2/yr', 'kind': 'net', 'claim': 'estimated', 'qualifier': 'about',
             'quantity': 'emissions', 'description': 'made up for the test'}]
        when 7 then [
            {'value': 50.0, 'unit': 't CO2e/yr', 'kind': 'gross', 'claim': 'claimed', 'qualifier': 'up_to',
             'quantity': 'emissions', 'description': 'less energy'}]
    end,
    null, null, null, timestamptz '2026-01-14 00:30:00+00', 'file', null,
    timestamptz '2026-01-14 01:00:00+00', 1, 3
from generate_series(1, 9) as solutions(number);
"""


@dataclass
class Build:
    """One warehouse and the marts dbt builds from it; ``seeds`` can be edited, they are copies."""

    folder: Path
    results: list[Any] = field(default_factory=list)

    @property
    def seeds(self) -> Path:
        return self.folder / "dbt_project" / "seeds"

    @property
    def warehouse(self) -> Path:
        return self.folder / "warehouse.duckdb"

    @property
    def marts(self) -> Path:
        return self.folder / "marts.duckdb"

    def change_warehouse(self, sql: str) -> None:
        with duckdb.connect(self.warehouse) as connection:
            connection.execute("set TimeZone = 'UTC'")
            connection.execute(sql)

    def change_marts(self, sql: str) -> None:
        with duckdb.connect(self.marts) as connection:
            connection.execute(
                f"set TimeZone = 'UTC'; attach if not exists '{self.warehouse}' as warehouse (read_only)"
            )
            connection.execute(sql)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(self.marts) as connection:
            connection.execute(
                f"set TimeZone = 'UTC'; attach if not exists '{self.warehouse}' as warehouse (read_only)"
            )
            return connection.execute(sql).fetchall()

    def dbt(self, *arguments: str, as_of: str = "2026-01-15", whole_history: bool = False) -> set[str]:
        """Run dbt and return the names of the nodes that failed; a warning is none, nor is a dashboard (no-op)."""
        project = str(self.folder / "dbt_project")
        variables = json.dumps({"as_of": as_of, "whole_history": whole_history})
        environment = {"HOGLAND_BUILD_DB": str(self.marts), "HOGLAND_WAREHOUSE_DB": str(self.warehouse)}
        before = {name: os.environ.get(name) for name in environment}
        os.environ.update(environment)
        try:
            outcome = dbtRunner().invoke(
                [
                    *arguments,
                    *("--project-dir", project, "--profiles-dir", project, "--vars", variables),
                    *("--quiet", "--log-level-file", "none"),
                ]
            )
        finally:
            # dbt keeps its database open after a command, and with it the warehouse.
            DuckDBConnectionManager.close_all_connections()
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
        if outcome.exception:
            raise outcome.exception
        self.results = list(outcome.result.results)
        good = ("success", "pass", "warn", "no-op")
        return {result.node.name for result in self.results if result.status not in good}

    def content(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every mart, row by row in the order it is stored."""
        tables = self.query(
            "select table_name from duckdb_tables() where database_name = 'marts' and schema_name = 'main'"
        )
        return {table: self.query(f"select * from main.{table}") for (table,) in sorted(tables)}


def append_row(seed: Path, row: str) -> None:
    """Add a row to a seed of a build's own."""
    seed.write_text(seed.read_text(encoding="utf-8").rstrip("\n") + "\n" + row + "\n", encoding="utf-8")


def make_build(folder: Path) -> Build:
    shutil.copytree(PROJECT, folder / "dbt_project", ignore=shutil.ignore_patterns("target", "logs"))
    build = Build(folder)
    build.change_warehouse(SCHEMA + READINGS + SURVEY + SOLUTIONS)
    return build
