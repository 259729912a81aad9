"""Statistics Sweden by an emulated PxWeb v2 and by saved answers: selections, cell limit, symbols, default subsets."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from hogland_pipeline.resources import bind_sources
from hogland_pipeline.settings import load_settings
from hogland_pipeline.sources.indicators import MalformedAnswer
from hogland_pipeline.sources.scb_pxweb import ScbPxWeb, Table, parts
from sensors_ingest.http import Folder, HttpOrigin, SourceUnreachable
from sensors_ingest.landing import Landing
from tests.servers import serve
from tests.servers_indicators import PxWebServer

FIVE = ("0604", "0682", "0684", "0685", "0686")
SELECTION = {"Region": ("00", "06", *FIVE), "ContentsCode": ("C1",), "Tid": ("from(2023)",)}


def table(**given: Any) -> Table:
    return Table(**({"id": "TAB1", "selection": SELECTION, "units": {"C1": "antal"}} | given))


def figures(landing: Landing, server: PxWebServer, **given: Any) -> list[dict[str, Any]]:
    options = {name: given.pop(name) for name in ("cell_limit",) if name in given}
    with serve(server) as url:
        source = ScbPxWeb(HttpOrigin(f"{url}/api/v2"), (table(**given),), seconds_per_call=0, **options)
        files = source.fetch(landing)
    rows: list[dict[str, Any]] = pa.Table.from_batches(source.decode(landing, files)).to_pylist()
    return rows


def test_every_cell_comes_with_area_unit_and_vintage(landing: Landing) -> None:
    rows = figures(landing, PxWebServer())
    assert len(rows) == 14
    assert {row["area_id"] for row in rows} == {"0000", "0006", *FIVE}
    assert {row["period"] for row in rows} == {"2023", "2024"}
    last = rows[-1]
    assert (last["area_id"], last["period"], last["value"]) == ("0686", "2024", 14.0)
    told = [last[name] for name in ("source", "series_id", "breakdown", "value_status", "unit", "vintage")]
    assert told == ["scb", "TAB1.C1", "total", "observed", "antal", "2025-02-21"]
    assert last["reject_reason"] is None


def test_every_selection_is_spelt_out(landing: Landing) -> None:
    server = PxWebServer()
    figures(landing, server)
    asked = [request.query for request in server.requests if request.path.endswith("/data")]
    assert [query["valueCodes[Tid]"] for query in asked] == ["2023,2024"]
    assert all({f"valueCodes[{name}]" for name in SELECTION} <= set(query) for query in asked)


@pytest.mark.parametrize("limit", [1, 3, 5, 14])
def test_a_selection_beyond_the_cell_limit_is_cut(landing: Landing, limit: int) -> None:
    rows = figures(landing, PxWebServer(cell_limit=limit), cell_limit=limit)
    assert len({(row["area_id"], row["period"]) for row in rows}) == len(rows) == 14


def test_parts_cover_everything_once() -> None:
    selection = {
        "Region": [str(code) for code in range(290)],
        "Age": [str(age) for age in range(101)],
        "Tid": list("abcdefgh"),
    }
    pieces = list(parts(selection, 150_000))
    assert all(len(p["Region"]) * len(p["Age"]) * len(p["Tid"]) <= 150_000 for p in pieces)
    assert sum(len(p["Region"]) * len(p["Age"]) * len(p["Tid"]) for p in pieces) == 290 * 101 * 8


@pytest.mark.parametrize(
    ("symbol", "value", "status"),
    [
        ("..", None, "missing"),
        (".", None, "missing"),
        (None, None, "missing"),
        ("··", None, "confidential"),
        ("-", 0.0, "observed"),
        ("?", None, "?"),
    ],
)
def test_missing_and_confidential_are_told_apart(
    landing: Landing, symbol: str | None, value: float | None, status: str
) -> None:
    rows = figures(landing, PxWebServer(symbols={("0604", "C1", "2024"): symbol}))
    (row,) = [row for row in rows if (row["area_id"], row["period"]) == ("0604", "2024")]
    assert (row["value"], row["value_status"]) == (value, status)


def test_a_default_subset_is_noticed(landing: Landing) -> None:
    with pytest.raises(SourceUnreachable, match="not of the cells that were asked for"):
        figures(landing, PxWebServer(ignores_selection=True))


def test_an_answer_that_is_cut_off_is_noticed(landing: Landing) -> None:
    with pytest.raises(SourceUnreachable, match="cut off: 14 cells, 13 values"):
        figures(landing, PxWebServer(lost_values=1))


@pytest.mark.parametrize(
    ("selection", "reason"),
    [
        (SELECTION | {"Region": ("0699",)}, "variable Region has no 0699"),
        (SELECTION | {"Kon": ("1",)}, "it has no variable Kon"),
        (SELECTION | {"Tid": ("from(2030)",)}, r"variable Tid has no from\(2030\)"),
    ],
)
def test_a_selection_that_the_table_does_not_have_says_so(landing: Landing, selection: Any, reason: str) -> None:
    with pytest.raises(SourceUnreachable, match=reason):
        figures(landing, PxWebServer(), selection=selection)
    assert landing.files("scb") == []


def test_another_unit_than_the_registered_one_is_refused(landing: Landing) -> None:
    rows = figures(landing, PxWebServer(contents={"C1": "tusental"}))
    assert {row["reject_reason"] for row in rows} == {"the unit is 'tusental' and not 'antal' as registered"}
    assert rows[0]["source_row"] == "00 2023 C1 1.0"


def saved(folder: Path, **changes: Any) -> ScbPxWeb:
    answer = PxWebServer().answer({"Region": FIVE, "ContentsCode": ["C1"], "Tid": ["2024"]}) | changes
    (folder / "TAB1-1.json").write_text(json.dumps(answer), encoding="utf-8")
    return ScbPxWeb(Folder(folder), (table(),))


def test_saved_answers_are_read_from_a_folder(landing: Landing, tmp_path: Path) -> None:
    source = saved(tmp_path)
    assert pa.Table.from_batches(source.decode(landing, source.fetch(landing))).num_rows == 5


def test_values_may_be_given_by_place_only(landing: Landing, tmp_path: Path) -> None:
    source = saved(tmp_path, value={"0": 7.0, "4": 9.0}, status={"1": "··"})
    rows = pa.Table.from_batches(source.decode(landing, source.fetch(landing))).to_pylist()
    assert [row["value"] for row in rows] == [7.0, None, None, None, 9.0]
    assert [row["value_status"] for row in rows] == ["observed", "confidential", "missing", "missing", "observed"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"role": {"time": ["Tid"], "metric": ["ContentsCode"]}}, "no dimension has the role geo"),
        ({"updated": None}, "does not say when it was updated"),
        ({"size": [5, 1, 2]}, "other sizes"),
        ({"id": None}, "no JSON-stat"),
        ({"value": [1.0]}, "cut off: 5 cells, 1 values"),
    ],
)
def test_a_saved_answer_that_is_none_says_so(
    landing: Landing, tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    source = saved(tmp_path, **changes)
    with pytest.raises(MalformedAnswer, match=f"TAB1-1.json: .*{reason}"):
        list(source.decode(landing, source.fetch(landing)))


def test_a_variable_with_several_codes_is_not_mixed_up(landing: Landing, tmp_path: Path) -> None:
    answer = PxWebServer().answer({"Region": FIVE, "ContentsCode": ["C1"], "Tid": ["2024"]})
    answer["id"], answer["size"], answer["value"] = [*answer["id"], "Kon"], [*answer["size"], 2], [1.0] * 10
    answer["dimension"]["Kon"] = {"category": {"index": ["1", "2"]}}
    (tmp_path / "TAB1.json").write_text(json.dumps(answer), encoding="utf-8")
    source = ScbPxWeb(Folder(tmp_path), (table(),))
    with pytest.raises(MalformedAnswer, match="variable Kon has several codes"):
        list(source.decode(landing, source.fetch(landing)))


def test_a_folder_without_answers_and_a_file_of_no_table_say_so(landing: Landing, tmp_path: Path) -> None:
    source = ScbPxWeb(Folder(tmp_path), (table(),))
    with pytest.raises(SourceUnreachable, match="no answers"):
        source.fetch(landing)
    (tmp_path / "TAB2-1.json").write_text("{}", encoding="utf-8")
    with pytest.raises(MalformedAnswer, match=r"TAB2-1\.json: its name is that of no configured table"):
        list(source.decode(landing, source.fetch(landing)))


def test_the_sample_is_read_with_the_selection_and_units_of_the_settings(landing: Landing) -> None:
    (source,) = [bound.source for bound in bind_sources(load_settings()) if bound.source.name == "scb"]
    rows = pa.Table.from_batches(source.decode(landing, source.fetch(landing))).to_pylist()
    assert len(rows) == 2 * 2 * 14
    assert {(row["series_id"], row["unit"]) for row in rows} == {
        ("TAB3138.NR0105AH", "mnkr"),
        ("TAB3138.NR0105AI", "procent"),
    }
    assert {row["area_id"] for row in rows} == {"0000", "0006"}
    assert [row for row in rows if row["reject_reason"] or row["value_status"] != "observed"] == []


def test_the_table_of_the_sample_is_cut_at_the_cell_limit_when_it_is_asked_for(landing: Landing) -> None:
    (table,) = [table for bound in bind_sources(load_settings()) for table in getattr(bound.source, "tables", ())]
    server = PxWebServer(
        regions=("00", "06", "0682"),
        contents=table.units,
        periods=tuple(map(str, range(2009, 2024))),
        cell_limit=20,
        table=table.id,
    )
    with serve(server) as url:
        source = ScbPxWeb(HttpOrigin(f"{url}/api/v2"), (table,), cell_limit=20, seconds_per_call=0)
        files = source.fetch(landing)
    rows = pa.Table.from_batches(source.decode(landing, files)).to_pylist()
    assert len({(row["series_id"], row["area_id"], row["period"]) for row in rows}) == len(rows) == 56
    assert sum(request.path.endswith("/data") for request in server.requests) == 4
