"""Methods A and B against the published figures of the five municipalities.

All 290 municipalities are loaded where the recorded data lies beside the repository, else the five (the total of all
is a seed). The published inputs are rounded to 0.001 t and their results were calculated before that, so that a sum
over 25 years can differ by some hundredths of a tonne; every other figure is equal to its last digit.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.unit.dbt_project.published_figures import CO2_2024_12, GHG_2026_02, GHG_2026_06, METHOD_A, METHOD_B, Series
from tests.unit.dbt_project.small_build import Build, make_build

FIGURES = Path(__file__).parents[4] / "shared" / "data" / "climate"
MODELS = "int_emission_trend__carbon_law", "int_emission_trend__budget_share"
# What rounding the inputs to 0.001 t can do to 25 years of a line through two of them.
TOTAL_TOLERANCE_T = 0.05


def emissions(substance: str, vintage: str, relation: str) -> str:
    """SQL that loads a relation of area_id, year and tonnes as the gate would."""
    return f"""
        insert into raw.indicator_value
        select 'ned', '{substance}', area_id, year::varchar, 'total', tonnes, 'observed', 't', '{vintage}',
            null, timestamptz '2026-06-30 12:00:00+00', 'file', timestamptz '2026-06-30 12:01:00+00', 1, 4
        from {relation}
    """


def given(series: Series) -> str:
    rows = ", ".join(f"('{area}', {year}, {t})" for area, years in series.items() for year, t in years.items())
    return f"(values {rows}) as figures(area_id, year, tonnes)"


def recorded(name: str, column: str) -> str:
    return f"""(
        select codes.id as area_id, year, {column} as tonnes from read_csv('{FIGURES / name}') as figures
        inner join read_csv('{FIGURES / "municipalities.csv"}', types = {{'id': 'varchar'}}) as codes
            on figures.municipality = codes.title and codes.type = 'K'
    )"""


@pytest.fixture(scope="module")
def nation(tmp_path_factory: pytest.TempPathFactory) -> Build:
    build = make_build(tmp_path_factory.mktemp("nation"))
    if FIGURES.is_dir():
        ghg = recorded("ghg_co2e_2026-06_all_municipalities.csv", "emissions_tonnes_co2e")
        co2 = recorded("co2_2024-12_all_municipalities.csv", "emissions_tonnes_co2")
    else:
        ghg, co2 = given(GHG_2026_06), given(CO2_2024_12)
    build.change_warehouse(emissions("GGT", "2026-06", ghg))
    build.change_warehouse(emissions("GGT", "2026-02", given(GHG_2026_02)))
    build.change_warehouse(emissions("CO2", "2024-12", co2))
    assert not build.dbt("build", "-s", *(f"+{model}" for model in MODELS), "--exclude-resource-type", "unit_test")
    return build


@pytest.mark.parametrize("municipality", sorted(METHOD_A))
def test_method_a_gives_the_published_figures(nation: Build, municipality: str) -> None:
    expected = METHOD_A[municipality]
    [(slope, change, trend, carbon_law, net_zero, meets)] = nation.query(
        "select slope_t_per_year, annual_change_pct, total_trend_t, total_carbon_law_t, net_zero_date::varchar,"
        " is_paris_met from intermediate.int_emission_trend__carbon_law"
        f" where vintage = '2026-06' and last_year = 2024 and area_id = '{municipality}'"
    )
    # Aneby's slope ends in 0.7645: half a digit either way.
    assert slope == pytest.approx(expected["emissionsSlope"], abs=0.00051)
    assert change == pytest.approx(expected["historicalEmissionChangePercent"], abs=0.0005)
    assert trend == pytest.approx(expected["totalTrend"], abs=TOTAL_TOLERANCE_T)
    assert carbon_law == pytest.approx(expected["totalCarbonLaw"], abs=0.01)
    assert (net_zero, meets) == (expected["hitNetZero"], expected["meetsParis"])


@pytest.mark.parametrize("municipality", sorted(METHOD_B))
def test_method_b_gives_the_published_figures(nation: Build, municipality: str) -> None:
    expected = METHOD_B[municipality]
    [(budget, trend, change, needed, net_zero, runs_out)] = nation.query(
        "select budget_t, total_trend_t, annual_change_pct, needed_change_pct, net_zero_date::varchar,"
        " budget_runs_out_date::varchar from intermediate.int_emission_trend__budget_share"
        f" where area_id = '{municipality}'"
    )
    assert budget == pytest.approx(expected["budget"], abs=0.01)
    assert trend == pytest.approx(expected["trendEmission"], abs=TOTAL_TOLERANCE_T)
    assert change == pytest.approx(expected["historicalEmissionChangePercent"], abs=0.0005)
    assert needed == pytest.approx(expected["neededEmissionChangePercent"], abs=0.0005)
    assert (net_zero, runs_out) == (expected["hitNetZero"], expected["budgetRunsOut"])


def test_both_methods_cover_every_municipality_in_seconds(nation: Build) -> None:
    started = time.perf_counter()
    assert not nation.dbt("run", "-s", *MODELS)
    assert time.perf_counter() - started < 30
    areas = "select count(distinct area_id) from intermediate.{} where area_type = 'municipality'"
    expected = 290 if FIGURES.is_dir() else 5
    assert [nation.query(areas.format(model)) for model in MODELS] == [[(expected,)], [(expected,)]]


def test_the_slope_lies_within_its_interval(nation: Build) -> None:
    assert nation.query(
        "select count(*) from intermediate.int_emission_trend__carbon_law"
        " where not (slope_lower_t_per_year <= slope_t_per_year and slope_t_per_year <= slope_upper_t_per_year)"
    ) == [(0,)]


@pytest.mark.skipif(not FIGURES.is_dir(), reason="the recorded results are not beside the repository")
def test_the_figures_to_compare_with_are_the_recorded_ones() -> None:
    method_a = json.loads((FIGURES / "expected_method_a_hoglandet.json").read_text(encoding="utf-8"))
    method_b = json.loads((FIGURES / "expected_method_b_hoglandet.json").read_text(encoding="utf-8"))
    codes = {figure["name"]: figure["municipality_id"] for figure in method_a}
    assert {figure["municipality_id"]: figure for figure in method_a} == {
        code: {"municipality_id": code, "name": name} | METHOD_A[code] for name, code in codes.items()
    }
    assert {codes[figure["kommun"]]: figure for figure in method_b} == {
        code: {"kommun": name} | METHOD_B[code] for name, code in codes.items()
    }
