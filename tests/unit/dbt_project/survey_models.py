"""The survey's models on rows of a test: dbt's compiled SQL in a database in memory, without a build."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import duckdb

# In the order in which they draw on each other.
MODELS = {
    "stg_survey__answer": "staging",
    "int_survey_answer__counted": "intermediate",
    "int_survey_subgroup__hidden": "intermediate",
    "int_survey_answer__masked": "intermediate",
    "kpi_digitalisation__survey_answer": "main",
    "kpi_digitalisation__survey_change": "main",
    "kpi_digitalisation__ai_readiness": "main",
    "kpi_digitalisation__survey_wave": "main",
}


@contextmanager
def survey_database() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty warehouse and marts with the seeds the survey's models read; the connection is in ``marts``."""
    with duckdb.connect() as connection:
        connection.execute(
            """
            attach ':memory:' as warehouse; attach ':memory:' as marts; use marts;
            create schema warehouse.raw; create schema staging; create schema intermediate;
            create table warehouse.raw.survey_answer (
                wave varchar, respondent varchar, question_id varchar, answer varchar, municipality_code varchar,
                role varchar, submitted_at timestamptz, ingested_at timestamptz
            );
            create table staging.survey_questions (
                question_id varchar, question_number integer, kpi_id varchar, question_type varchar, text_sv varchar,
                text_en varchar, answer_options varchar, indicator_answer varchar
            );
            create table staging.survey_waves (
                wave varchar, survey varchar, wave_number integer, title_sv varchar, title_en varchar,
                invited integer, invited_reason varchar
            );
            create table staging.readiness_items (
                dimension varchar, dimension_sv varchar, dimension_en varchar, definition_en varchar,
                question_id varchar, measure varchar
            );
            """
        )
        yield connection


def run_models(connection: duckdb.DuckDBPyConnection, compiled: Mapping[str, str], *names: str) -> None:
    """Build the named models, or all, as tables."""
    for name in names or MODELS:
        connection.execute(f"create table {MODELS[name]}.{name} as {compiled[name]}")
