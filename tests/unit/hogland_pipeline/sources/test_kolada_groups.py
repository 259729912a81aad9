"""Groups of municipalities by an emulated server and by the sample, and the figures of their members."""

from pathlib import Path

import pyarrow as pa
import pytest

from hogland_pipeline.sources.kolada import Kolada
from hogland_pipeline.sources.kolada_groups import KoladaGroups
from sensors_ingest.http import Folder, HttpOrigin, SourceUnreachable
from sensors_ingest.landing import Landing
from tests.servers import serve
from tests.servers_indicators import KoladaServer, kolada_row

SAMPLE = Path(__file__).parents[4] / "samples" / "kolada"
GROUPS = {"G168177": ("0682", "0604"), "G37487": ("0617", "0642")}
TITLES = {"N07945": "Elbilar i trafik, andel (%)"}


def test_a_group_is_a_row_with_its_members_in_order(landing: Landing) -> None:
    with serve(KoladaServer({}, groups=GROUPS, page_size=1)) as url:
        source = KoladaGroups(HttpOrigin(url), tuple(GROUPS))
        files = source.fetch(landing)
    rows = pa.Table.from_batches(source.decode(landing, files)).to_pylist()
    assert [(row["source"], row["group_id"], row["members"]) for row in rows] == [
        ("kolada", "G168177", ["0604", "0682"]),
        ("kolada", "G37487", ["0617", "0642"]),
    ]
    assert [(row["title"], row["landing_row"], row["reject_reason"]) for row in rows] == [
        ("Liknande kommuner G168177", 1, None),
        ("Liknande kommuner G37487", 2, None),
    ]


def test_a_truncated_list_of_groups_does_not_land(landing: Landing) -> None:
    with serve(KoladaServer({}, groups=GROUPS, lost_rows=1)) as url, pytest.raises(SourceUnreachable, match="cut off"):
        KoladaGroups(HttpOrigin(url), tuple(GROUPS)).fetch(landing)
    assert not landing.files("kolada_groups")


def test_the_figures_of_the_members_of_a_group_are_asked_for(landing: Landing) -> None:
    rows = [kolada_row("N07945", area, 2024) for area in ("0682", "0617", "0642", "0180", "G37487")]
    with serve(KoladaServer(TITLES, rows, groups=GROUPS)) as url:
        source = Kolada(HttpOrigin(url), {"N07945": "andel (%)"}, ("0682", "G37487"), (2024,))
        figures = pa.Table.from_batches(source.decode(landing, source.fetch(landing)))
    assert sorted(figures["area_id"].to_pylist()) == ["0617", "0642", "0682", "G37487"]


def test_the_sample_has_seven_similar_municipalities_for_each_of_the_five(landing: Landing) -> None:
    similar = ("G37328", "G37357", "G37487", "G37538", "G37577")
    source = KoladaGroups(Folder(SAMPLE), ("G168177", *similar))
    rows = pa.Table.from_batches(source.decode(landing, source.fetch(landing))).to_pylist()
    assert [len(row["members"]) for row in rows] == [5, 7, 7, 7, 7, 7]
