"""Methods A and B against the published figures of the five municipalities.

All 290 municipalities are loaded where the recorded data lies beside the repository, else the five (the total of all
is a seed). The published results were calculated before the inputs were rounded to 0.001 t, so that a sum over 25
years can differ by some hundredths of a tonne. That is checked and not assumed: each figure lies within what the
rounding of its own inputs allows, the published totals of method A imply inputs that round to the published ones, and
method B gives every published total to its last digit from the unrounded figures of the raw workbook.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.optimize import linprog

from hogland_pipeline.sources.emission_workbook import read_workbook
from tests.unit.dbt_project.published_figures import CO2_2024_12, GHG_2026_02, GHG_2026_06, METHOD_A, METHOD_B, Series
from tests.unit.dbt_project.small_build import Build, make_build

FIGURES = Path(__file__).parents[4] / "shared" / "data" / "climate"
MODELS = "int_emission_trend__carbon_law", "int_emission_trend__budget_share"
# Half of the last published digit, of tonnes and of per cent, and some room for floating point.
ROUNDING = 0.0005 + 1e-6
YEARS = range(2026, 2051)


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


def unrounded_co2() -> Series:
    """The five municipalities' totals as the raw workbook has them."""
    workbook = FIGURES / "ned_co2_1990-2022.xlsx"
    names = {"Aneby": "0604", "Nässjö": "0682", "Sävsjö": "0684", "Vetlanda": "0685", "Eksjö": "0686"}
    totals = read_workbook(workbook.name, workbook.read_bytes()).rows.filter(
        (pl.col("sector") == "Alla") & pl.col("municipality").is_in(list(names)) & (pl.col("year") >= "2015")
    )
    series: Series = {code: {} for code in names.values()}
    for name, year, cell in totals.select("municipality", "year", "cell").iter_rows():
        series[names[name]][int(year)] = float(cell)
    return series


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
    if FIGURES.is_dir():
        five = given(unrounded_co2())
        others = f"(select * from {co2} where area_id not in ({str(sorted(METHOD_B))[1:-1]}))"
        build.change_warehouse(emissions("CO2", "unrounded", f"(select * from {five} union all from {others})"))
    assert not build.dbt("build", "-s", *(f"+{model}" for model in MODELS), "--exclude-resource-type", "unit_test")
    return build


def line_of_a(municipality: str) -> tuple[float, int, int]:
    """The slope of least absolute deviation, and the two years whose observations it passes through."""
    series = GHG_2026_06[municipality]

    def deviation(line: tuple[float, int, int]) -> float:
        slope, year, _ = line
        return sum(abs(value - series[year] - slope * (at - year)) for at, value in series.items())

    pairs = combinations(sorted(series), 2)
    lines = [((series[later] - series[year]) / (later - year), year, later) for year, later in pairs]
    return min(lines, key=deviation)


def unrounded_total_less_ours(municipality: str) -> tuple[float, float]:
    """Least and greatest total trend, less the one of the rounded inputs, that any unrounded inputs give.

    They round to the published inputs, and slope and Carbon Law of theirs to the published ones. All are linear in the
    three inputs that matter: the two on the line, and the last year's.
    """
    series, expected = GHG_2026_06[municipality], METHOD_A[municipality]
    slope, *on_line = line_of_a(municipality)
    span = on_line[1] - on_line[0]
    ahead = [year - 2024 for year in YEARS if series[2024] + slope * (year - 2024) > 0]
    shrinking = sum(0.8828**years for years in range(25))
    of_slope = np.array([-1 / span, 1 / span, 0])
    of_last = np.array([0, 1, 0] if on_line[1] == 2024 else [0, 0, 1])
    of_trend = len(ahead) * of_last + sum(ahead) * of_slope
    of_carbon_law = shrinking * (of_last + 2 * of_slope)
    published = [
        (of_slope, expected["emissionsSlope"] - slope),
        (of_carbon_law, expected["totalCarbonLaw"] - shrinking * (series[2024] + 2 * slope)),
    ]
    sides = [(sign * row, sign * by + ROUNDING) for row, by in published for sign in (1, -1)]
    rows, bounds = np.array([row for row, _ in sides]), [bound for _, bound in sides]
    least, greatest = (
        linprog(sign * of_trend, A_ub=rows, b_ub=bounds, bounds=[(-ROUNDING, ROUNDING)] * 3) for sign in (1, -1)
    )
    assert least.success and greatest.success, "no inputs that round to the published ones give the published figures"
    return float(least.fun) - ROUNDING, -float(greatest.fun) + ROUNDING


def total_of_b(series: dict[int, float]) -> float:
    """The area under the yearly figures of the least-squares line, 2024 to 2050."""
    slope = statistics.linear_regression(list(series), list(series.values())).slope
    mean, middle = statistics.fmean(series.values()), statistics.fmean(series)
    yearly = [max(0.0, mean + slope * (year - middle)) for year in range(2024, 2051)]
    return sum((one + other) / 2 for one, other in pairwise(yearly))


@pytest.mark.parametrize("municipality", sorted(METHOD_A))
def test_method_a_gives_the_published_figures_within_the_rounding_of_its_inputs(
    nation: Build, municipality: str
) -> None:
    expected = METHOD_A[municipality]
    [(slope, change, trend, carbon_law, net_zero, meets)] = nation.query(
        "select slope_t_per_year, annual_change_pct, total_trend_t, total_carbon_law_t, net_zero_date::varchar,"
        " is_paris_met from intermediate.int_emission_trend__carbon_law"
        f" where vintage = '2026-06' and last_year = 2024 and area_id = '{municipality}'"
    )
    _, year, later = line_of_a(municipality)
    least, greatest = unrounded_total_less_ours(municipality)
    assert slope == pytest.approx(expected["emissionsSlope"], abs=ROUNDING + 2 * ROUNDING / (later - year))
    assert change == pytest.approx(expected["historicalEmissionChangePercent"], abs=ROUNDING)
    assert least <= expected["totalTrend"] - trend <= greatest
    # A method that is a tenth of a tonne off, upwards or downwards, does not pass.
    assert not any(least <= expected["totalTrend"] - (trend + mistake) <= greatest for mistake in (-0.1, 0.1))
    assert carbon_law == pytest.approx(expected["totalCarbonLaw"], abs=0.01)
    assert (net_zero, meets) == (expected["hitNetZero"], expected["meetsParis"])


@pytest.mark.parametrize("municipality", sorted(METHOD_A))
def test_published_totals_of_method_a_imply_inputs_that_round_to_the_published_ones(municipality: str) -> None:
    """Both totals are linear in the last year's emissions and the slope, so that they can be solved for these two."""
    expected, last_emissions = METHOD_A[municipality], GHG_2026_06[municipality][2024]
    slope, year, later = line_of_a(municipality)
    ahead = [year - 2024 for year in YEARS if last_emissions + slope * (year - 2024) > 0]
    emissions_2026 = expected["totalCarbonLaw"] / sum(0.8828**years for years in range(25))
    implied_slope = (expected["totalTrend"] - len(ahead) * emissions_2026) / sum(years - 2 for years in ahead)
    implied_emissions = emissions_2026 - 2 * implied_slope
    # The published totals are rounded too, which moves what they imply by a tenth of that.
    assert implied_emissions == pytest.approx(last_emissions, abs=1.15 * ROUNDING)
    assert implied_slope == pytest.approx(slope, abs=2.3 * ROUNDING / (later - year))
    assert implied_slope == pytest.approx(expected["emissionsSlope"], abs=ROUNDING)


@pytest.mark.parametrize("municipality", sorted(METHOD_B))
def test_method_b_gives_the_published_figures_within_the_rounding_of_its_inputs(
    nation: Build, municipality: str
) -> None:
    expected = METHOD_B[municipality]
    budget, trend, *others = method_b(nation, municipality, "2024-12")
    series = CO2_2024_12[municipality]
    trend_bound = sum(
        abs(total_of_b(series | {year: value + ROUNDING}) - total_of_b(series)) for year, value in series.items()
    )
    assert budget == pytest.approx(expected["budget"], abs=0.01)
    assert trend == pytest.approx(expected["trendEmission"], abs=ROUNDING + trend_bound)
    assert_other_figures_of_b(others, municipality)


@pytest.mark.skipif(not FIGURES.is_dir(), reason="the raw workbook is not beside the repository")
@pytest.mark.parametrize("municipality", sorted(METHOD_B))
def test_method_b_gives_the_published_figures_to_their_last_digit_from_the_unrounded_workbook(
    nation: Build, municipality: str
) -> None:
    expected = METHOD_B[municipality]
    budget, trend, *others = method_b(nation, municipality, "unrounded")
    assert budget == pytest.approx(expected["budget"], abs=ROUNDING)
    assert trend == pytest.approx(expected["trendEmission"], abs=ROUNDING)
    assert_other_figures_of_b(others, municipality)


def method_b(nation: Build, municipality: str, vintage: str) -> tuple[Any, ...]:
    [figures] = nation.query(
        "select budget_t, total_trend_t, annual_change_pct, needed_change_pct, net_zero_date::varchar,"
        " budget_runs_out_date::varchar from intermediate.int_emission_trend__budget_share"
        f" where area_id = '{municipality}' and vintage = '{vintage}'"
    )
    return figures


def assert_other_figures_of_b(figures: Sequence[Any], municipality: str) -> None:
    change, needed, net_zero, runs_out = figures
    expected = METHOD_B[municipality]
    assert change == pytest.approx(expected["historicalEmissionChangePercent"], abs=ROUNDING)
    assert needed == pytest.approx(expected["neededEmissionChangePercent"], abs=ROUNDING)
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
