"""What a real night keeps of every mart for later days, and what it must not keep."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest

from hogland_pipeline.as_of import ask_as_of
from hogland_pipeline.overview import QueryFailed, ask
from hogland_pipeline.timeline import read_index, relations_at
from tests.integration.conftest import Platform

SURVEY_MARTS = (
    "kpi_digitalisation__ai_readiness",
    "kpi_digitalisation__survey_answer",
    "kpi_digitalisation__survey_change",
    "kpi_digitalisation__survey_wave",
)


def survey_indicators(published: Path) -> set[str]:
    """The indicators that have a survey's answers behind them, by the lineage of their values."""
    with duckdb.connect(published, read_only=True) as connection:
        query = "select distinct kpi_id from kpi_lineage where raw_table = 'survey_answer'"
        return {kpi for (kpi,) in connection.execute(query).fetchall()}


def kept_indicators(release: Path) -> dict[str, set[str]]:
    """The indicators in each file of the timelines that has any."""
    kept = {}
    for path in release.glob("timeline/*/*.parquet"):
        columns = {name for (name, *_) in duckdb.sql(f"describe from '{path}'").fetchall()}
        if "kpi_id" in columns:
            kept[path.parent.name] = {kpi for (kpi,) in duckdb.sql(f"select distinct kpi_id from '{path}'").fetchall()}
    return kept


def test_no_timeline_holds_what_rests_on_answers_of_a_survey(first_night: Platform) -> None:
    answered = survey_indicators(first_night.published)
    assert answered == {"ai_strategy_share", "tech_direction_share"}
    kept = kept_indicators(first_night.published.parent)
    # The register names them, without a figure.
    assert answered <= kept.pop("dim_kpi")
    assert {mart: kpis & answered for mart, kpis in kept.items() if kpis & answered} == {}
    assert {"fct_kpi_value", "kpi_lineage", "kpi_benchmark", "kpi_trajectory", "kpi_climate__restatement"} == set(kept)
    index = read_index(first_night.published.parent)
    assert index is not None
    assert tuple(index.left_out) == SURVEY_MARTS


def test_every_other_mart_is_answered_as_it_is_published(first_night: Platform) -> None:
    release = first_night.published.parent.resolve()
    index = read_index(release)
    assert index is not None
    relations = dict(relations_at(release, index, datetime.now(UTC)))
    with duckdb.connect(first_night.published, read_only=True) as connection:
        marts = {mart for (mart,) in connection.execute("select mart from publication").fetchall()}
        assert set(relations) == marts - set(SURVEY_MARTS)
        for mart, query in relations.items():
            rows = f"(from {mart} where {index.forms[mart].rows})"
            differing = (
                f"select count(*) from ((from {rows} except all {query}) union all ({query} except all from {rows}))"
            )
            assert connection.execute(differing).fetchall() == [(0,)], mart


def test_a_day_is_asked_as_the_file_of_today_is(first_night: Platform) -> None:
    query = "select area_id, value from fct_kpi_value where kpi_id = 'ghg_trend_slope' and is_latest order by all"
    today = datetime.now(ZoneInfo(first_night.settings.timezone)).date()
    assert ask_as_of(first_night.settings, query, today).rows == ask(first_night.settings, query).rows
    with pytest.raises(QueryFailed, match="kpi_digitalisation__survey_answer: it has no timeline"):
        ask_as_of(first_night.settings, "from kpi_digitalisation__survey_answer", today)
