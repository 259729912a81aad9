"""Printed words and amounts, Swedish and English."""

from datetime import date

import pytest

from hogland_pipeline.sources.uttc_words import (
    CLAIMS,
    STAGES,
    Amount,
    UnknownWord,
    look_up,
    quantity_code,
    read_amount,
    read_date,
    unit_code,
)


@pytest.mark.parametrize(
    ("printed", "amount"),
    [
        ("Upp till 50 ton CO2e per år", Amount(50, "t CO2e/yr", "up_to")),
        ("up to 50 t CO2e/yr", Amount(50, "t CO2e/yr", "up_to")),
        ("Cirka 1 400 ton CO2 per år", Amount(1400, "t CO2/yr", "about")),
        ("ca. 1,400 tonnes CO2 per year", Amount(1400, "t CO2/yr", "about")),
        ("about 1.5 t CO2/yr", Amount(1.5, "t CO2/yr", "about")),
        ("1,25 MWh per år", Amount(1.25, "MWh/yr", None)),
        ("0,125 %", Amount(0.125, "percent", None)),
        ("1,234.5 MSEK", Amount(1234.5, "MSEK", None)),
        ("Mer än 20 % av leveranserna", Amount(20, "percent", "more_than")),
        ("> 20 %", Amount(20, "percent", "more_than")),
        ("över 500 byggnader", Amount(500, "byggnader", "more_than")),
        ("500+", Amount(500, "", "more_than")),
        ("500", Amount(500, "", None)),
        ("−38 %", Amount(-38, "percent", None)),
        ("Från 20 till 1 timme per vecka", Amount(-19, "h/week", None)),
        ("20 → 1 h/week", Amount(-19, "h/week", None)),
        ("cirka 300 MSEK", Amount(300, "MSEK", "about")),
        ("Carl 5 %", None),
        ("bättre luft", None),
        ("", None),
    ],
)
def test_read_amount(printed: str, amount: Amount | None) -> None:
    assert read_amount(printed) == amount


@pytest.mark.parametrize(
    ("printed", "day"),
    [
        ("May 6, 2025", date(2025, 5, 6)),
        ("  november 4,  2025", date(2025, 11, 4)),
        ("Aug. 20, 2025", date(2025, 8, 20)),
    ],
)
def test_read_date(printed: str, day: date) -> None:
    assert read_date(printed) == day


@pytest.mark.parametrize("printed", ["6 maj 2025", "May 32, 2025", "Ma 6, 2025", "Jul 2025", "February 29, 2025", "x"])
def test_a_date_that_is_none_is_named(printed: str) -> None:
    with pytest.raises(UnknownWord, match="is no date such as"):
        read_date(printed)


def test_words_are_found_whatever_their_case_and_unknown_ones_named() -> None:
    assert look_up(STAGES, " identifierade ", "stage") == "identified"
    assert look_up(CLAIMS, "measured", "effect claim") == "measured"
    with pytest.raises(UnknownWord, match="stage 'ARKIVERADE' is none of identified, analysed, validated"):
        look_up(STAGES, "ARKIVERADE", "stage")


def test_quantities_and_units_keep_what_they_do_not_know() -> None:
    assert quantity_code("Årets högsta effekt") == "yearly_peak_power_change"
    assert quantity_code("Buller på väg") == "buller_pa_vag"
    assert quantity_code("paving_debt") == "paving_debt"
    assert unit_code("dB(A)") == "dB(A)"
    assert unit_code("t CO2e/yr") == "t CO2e/yr"
