"""Kolada by an emulated server and by saved answers: segments, pages, what is cut off, and every state of a figure."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from hogland_pipeline.sources.kolada import Kolada, KoladaSeries
from sensors_ingest.http import Folder, HttpOrigin, Origin, SourceUnreachable
from sensors_ingest.landing import Landing
from tests.servers import Answer, Scripted, serve
from tests.servers_indicators import KoladaServer, as_json, kolada_row

SAMPLE = Path(__file__).parents[4] / "samples" / "kolada"
TITLES = {"N01951": "Invånare totalt, antal", "N07945": "Elbilar i trafik, andel (%)"}
KPIS = {"N01951": "antal", "N07945": "andel (%)"}
FIVE = ("0604", "0682", "0684", "0685", "0686")
ROWS = [kolada_row(kpi, area, year, 10.0) for kpi in KPIS for area in FIVE for year in (2023, 2024)]


def kolada(origin: Origin, **given: Any) -> Kolada:
    return Kolada(**({"origin": origin, "kpis": KPIS, "areas": FIVE, "years": (2023, 2024)} | given))


def figures(landing: Landing, source: Kolada | KoladaSeries) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pa.Table.from_batches(source.decode(landing, source.fetch(landing))).to_pylist()
    return rows


def from_server(landing: Landing, server: KoladaServer, **given: Any) -> list[dict[str, Any]]:
    with serve(server) as url:
        return figures(landing, kolada(HttpOrigin(url), **given))


def one_figure(landing: Landing, row: dict[str, Any]) -> dict[str, Any]:
    (figure,) = from_server(landing, KoladaServer(TITLES, [row]))
    return figure


def test_every_figure_comes_with_unit_vintage_and_lineage(landing: Landing) -> None:
    rows = from_server(landing, KoladaServer(TITLES, ROWS))
    assert len(rows) == len(ROWS)
    first = rows[0]
    told = ("source", "series_id", "area_id", "period", "breakdown", "value", "value_status", "unit", "vintage")
    assert [first[name] for name in told] == [
        "kolada", "N01951", "0604", "2023", "T", 10.0, "observed", "antal", "2025-10-15",
    ]  # fmt: skip
    assert first["released_at"].isoformat() == "2025-10-15T00:00:00+00:00"
    assert first["landing_id"] == landing.files("kolada")[0].landing_id
    assert first["reject_reason"] is None


def test_pages_are_followed_and_land_as_one_file(landing: Landing) -> None:
    server = KoladaServer(TITLES, ROWS, page_size=3)
    assert len(from_server(landing, server)) == len(ROWS)
    assert len(landing.files("kolada")) == 1
    assert sum(request.path.startswith("/v3/data") for request in server.requests) == 7


def test_segments_hold_at_most_25_ids(landing: Landing) -> None:
    kpis = {f"N{number:05}": "antal" for number in range(30)}
    server = KoladaServer({kpi: f"Titel {kpi}, antal" for kpi in kpis}, [kolada_row("N00029", "0604", 1998)])
    areas = tuple(f"{number:04}" for number in range(580, 610))
    rows = from_server(landing, server, kpis=kpis, areas=areas, years=tuple(range(1995, 2025)))
    assert [row["series_id"] for row in rows] == ["N00029"]
    assert sum(request.path.startswith("/v3/data") for request in server.requests) == 8


def test_a_busy_server_is_asked_again(landing: Landing) -> None:
    assert len(from_server(landing, KoladaServer(TITLES, ROWS, busy=2))) == len(ROWS)


def test_organisational_units_are_areas_too(landing: Landing) -> None:
    row = kolada_row("N01951", "", 2024)
    row["ou"] = "V15E068200101"
    del row["municipality"]
    rows = from_server(landing, KoladaServer(TITLES, [*ROWS, row]), organisational_units=("V15E068200101",))
    assert [each["area_id"] for each in rows].count("V15E068200101") == 1


@pytest.mark.parametrize(
    ("server", "reason"),
    [
        (KoladaServer(TITLES, ROWS, lost_rows=1), "cut off: Kolada counts 20 rows, 19 came"),
        (KoladaServer(TITLES, ROWS, page_size=3, lost_rows=1), "cut off: Kolada counts 20 rows, 19 came"),
        (KoladaServer(TITLES, ROWS, page_size=3, next_name="next_page"), "names a next page that was not read"),
        (KoladaServer(TITLES, ROWS, page_size=3, next_origin="http://127.0.0.1:9"), "on another site"),
    ],
)
def test_what_is_not_whole_does_not_land(landing: Landing, server: KoladaServer, reason: str) -> None:
    with serve(server) as url, pytest.raises(SourceUnreachable, match=reason):
        kolada(HttpOrigin(url)).fetch(landing)
    assert landing.files("kolada") == []


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([Answer(200, b"<html>maintenance</html>")], "not JSON"),
        ([Answer(200, b"[]")], "not a JSON object"),
        ([as_json({"count": 0})], "no list named values"),
        ([Answer(404, b'{"message": "no such route"}')], "404"),
    ],
)
def test_an_answer_that_is_none_says_so(landing: Landing, answers: Sequence[Answer], reason: str) -> None:
    with serve(Scripted(*answers)) as url, pytest.raises(SourceUnreachable, match=reason):
        kolada(HttpOrigin(url)).fetch(landing)


def test_a_page_that_names_itself_as_the_next_ends(landing: Landing) -> None:
    def respond(request: Any) -> Answer:
        return as_json({"count": 9, "next_url": f"{request.path}?per_page=5000", "values": []})

    with serve(respond) as url, pytest.raises(SourceUnreachable, match="the page itself"):
        kolada(HttpOrigin(url)).fetch(landing)


@pytest.mark.parametrize(
    ("given", "value", "status"),
    [
        ({"value": 5.5}, 5.5, "observed"),
        ({"value": 0}, 0.0, "observed"),
        ({"value": None}, None, "missing"),
        ({"value": None, "status": "Missing"}, None, "missing"),
        ({"value": None, "status": "Private"}, None, "confidential"),
        ({"value": None, "status": "Suppressed"}, None, "suppressed"),
        ({"value": 5.5, "isdeleted": True}, None, "missing"),
        ({"value": 5.5, "status": "Guessed"}, 5.5, "guessed"),
    ],
)
def test_missing_suppressed_and_confidential_are_told_apart(
    landing: Landing, given: dict[str, Any], value: float | None, status: str
) -> None:
    figure = one_figure(landing, kolada_row("N01951", "0604", 2024, **given))
    assert (figure["value"], figure["value_status"], figure["reject_reason"]) == (value, status, None)


def test_a_value_that_is_no_number_is_refused_with_its_row(landing: Landing) -> None:
    row = kolada_row("N01951", "0682", 2024)
    row["values"][0]["value"] = "··"
    refused = one_figure(landing, row)
    assert refused["reject_reason"] == "value '··' is not a number"
    assert refused["source_row"] == "N01951 0682 2024 T: ··"


def test_another_unit_than_the_registered_one_is_refused(landing: Landing) -> None:
    server = KoladaServer(TITLES | {"N01951": "Invånare totalt, tusental"}, ROWS)
    rows = from_server(landing, server)
    reasons = {row["series_id"]: row["reject_reason"] for row in rows}
    assert reasons == {"N01951": "the unit is 'tusental' and not 'antal' as registered", "N07945": None}


def test_figures_of_a_withdrawn_key_figure_are_refused(landing: Landing) -> None:
    rows = from_server(landing, KoladaServer({"N07945": TITLES["N07945"]}, ROWS))
    assert {row["series_id"]: row["reject_reason"] for row in rows} == {
        "N01951": "Kolada no longer lists the key figure",
        "N07945": None,
    }


def test_registering_another_unit_decodes_landed_files_again() -> None:
    origin = Folder(SAMPLE)
    versions = {kolada(origin, kpis=kpis).decoder_version for kpis in (KPIS, KPIS | {"N01951": "tusental"})}
    assert len(versions) == 2
    assert kolada(origin).decoder_version == kolada(origin, kpis=dict(reversed(KPIS.items()))).decoder_version


def test_an_announced_publication_is_not_the_vintage(landing: Landing) -> None:
    (row,) = from_server(landing, KoladaServer(TITLES, ROWS[:1], published="2099-01-01"))
    assert row["vintage"] == row["received_at"].date().isoformat()
    assert row["released_at"] is None


def test_renamed_and_withdrawn_series_are_told(landing: Landing) -> None:
    with serve(KoladaServer({"N01951": "Folkmängd, antal"})) as url:
        rows = figures(landing, KoladaSeries(HttpOrigin(url), KPIS))
    told = [(row["series_id"], row["title"], row["unit"], row["is_withdrawn"]) for row in rows]
    assert told == [("N01951", "Folkmängd, antal", "antal", False), ("N07945", None, None, True)]


def test_the_sample_is_read_from_its_folder(landing: Landing) -> None:
    rows = figures(landing, kolada(Folder(SAMPLE)))
    assert {row["series_id"] for row in rows} == set(KPIS)
    assert {row["area_id"] for row in rows} >= {*FIVE, "0000", "G168177", "G37328"}
    assert {row["breakdown"] for row in rows if row["series_id"] == "N01951"} == {"T", "K", "M"}
    assert [row["reject_reason"] for row in rows if row["reject_reason"]] == []


def test_a_saved_page_that_is_missing_is_noticed(landing: Landing, tmp_path: Path) -> None:
    for name in ("kpi.json", "data-1.json"):
        (tmp_path / name).write_bytes((SAMPLE / name).read_bytes())
    with pytest.raises(SourceUnreachable, match="next page that was not read"):
        kolada(Folder(tmp_path)).fetch(landing)


def test_an_empty_folder_says_so(landing: Landing, tmp_path: Path) -> None:
    with pytest.raises(SourceUnreachable, match="no answers of Kolada"):
        kolada(Folder(tmp_path)).fetch(landing)


def test_a_count_of_the_page_alone_is_understood(landing: Landing, tmp_path: Path) -> None:
    pages = [json.loads((SAMPLE / f"data-{number}.json").read_text("utf-8")) for number in (1, 2)]
    for number, page in enumerate(pages, start=1):
        page |= {"next_url": None, "count": len(page["values"])}
        (tmp_path / f"data-{number}.json").write_text(json.dumps(page), encoding="utf-8")
    (tmp_path / "kpi.json").write_bytes((SAMPLE / "kpi.json").read_bytes())
    assert len(figures(landing, kolada(Folder(tmp_path)))) > 0
