"""The indicator samples are what their script writes, and hold the troubles that samples/README.md lists."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import fastexcel
import pytest

SAMPLES = Path(__file__).parents[3] / "samples"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_indicator_samples", SAMPLES / "make_indicator_samples.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_script_writes_the_same_content(script: ModuleType, tmp_path: Path) -> None:
    script.main(tmp_path)
    committed = {path.relative_to(SAMPLES) for name in ("ned", "kolada", "scb") for path in (SAMPLES / name).iterdir()}
    assert {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()} == committed
    for path in committed:
        if path.suffix == ".xlsx":
            continue  # zlib differs between machines; the cells are compared below
        assert (tmp_path / path).read_bytes() == (SAMPLES / path).read_bytes(), path
    assert cells(tmp_path / "ned" / script.WORKBOOK) == cells(SAMPLES / "ned" / script.WORKBOOK)


def cells(path: Path) -> list[tuple[str, ...]]:
    sheet = fastexcel.read_excel(path).load_sheet(0, header_row=None, dtypes="string")
    rows: list[tuple[str, ...]] = sheet.to_polars().rows()
    return rows


def data_rows() -> list[dict[str, Any]]:
    pages = [json.loads(path.read_text("utf-8")) for path in sorted((SAMPLES / "kolada").glob("data-*.json"))]
    return [row for page in pages for row in page["values"]]


def test_groups_are_unweighted_means_of_their_municipalities(script: ModuleType) -> None:
    values = {
        row["municipality"]: row["values"][0]["value"]
        for row in data_rows()
        if (row["kpi"], row["period"]) == ("N07945", 2024)
    }
    five = [values[code] for code in script.MUNICIPALITIES]
    assert values[script.HOGLANDET] == pytest.approx(sum(five) / 5, abs=0.01)

    similar = [values[code] for code in script.similar_to("0682")]
    assert "0682" not in script.similar_to("0682")
    assert values["G37487"] == pytest.approx(sum(similar) / 7, abs=0.01)


def test_what_has_no_value_says_why(script: ModuleType) -> None:
    empty = {
        (row["kpi"], row["municipality"], row["period"]): value["status"]
        for row in data_rows()
        for value in row["values"]
        if value["value"] is None
    }
    assert empty == script.STATUSES
