"""SMHI metobs: both formats and both origins; gaps stay gaps, and a bad file or row costs only itself."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sensors_ingest.http import Folder, HttpOrigin, SourceUnreachable
from sensors_ingest.landing import LandedFile, Landing
from sensors_ingest.smhi import Series, Smhi
from tests.decoding import readings
from tests.servers import Answer, Scripted, Tree, serve

RECORDED = Path(__file__).parents[4] / "shared/data/feeds/smhi"
TEMPERATURE, SNOW = Series(1, 74180), Series(8, 74180)
LATEST = "parameter/{}/station/74180/period/latest-months/data.json"
ARCHIVE = "parameter/{}/station/74180/period/corrected-archive/data.csv"
SEVENTH = 1670392800000  # 2022-12-07 06:00 UTC


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path / "landing")


def document(*values: object, **more: object) -> bytes:
    return json.dumps({"value": values, "updated": 1670439600000, "station": {"key": "74180"}} | more).encode()


def archive(
    *rows: str, header: str = "Datum;Tid (UTC);Lufttemperatur;Kvalitet;;Tidsutsnitt:", station: int = 74180
) -> bytes:
    lines = [
        "\ufeffStationsnamn;Klimatnummer;Mäthöjd (meter över marken)",
        f"Hagshult Mo;{station};2.0",
        "",
        "Tidsperiod (fr.o.m);Tidsperiod (t.o.m);Höjd (meter över havet)",
        "1944-01-01 00:00:00;1995-07-31 23:59:59;172.0",
        "1995-08-01 00:00:00;2025-10-31 23:59:59;169.0",
        "",
        header,
        *rows,
    ]
    return "".join(line + "\n" for line in lines).encode()


def decode(landing: Landing, *files: LandedFile) -> pl.DataFrame:
    return readings(Smhi("smhi", Folder(Path()), (TEMPERATURE,)).decode(landing, files))


def decode_content(landing: Landing, content: bytes, address: str) -> pl.DataFrame:
    file = landing.write("smhi", [content], address=address, suffix=address.rpartition(".")[2])
    return decode(landing, file)


def test_every_column_of_a_reading(landing: Landing) -> None:
    rows = decode_content(landing, document(None, {"date": SEVENTH, "value": "0.07", "quality": "G"}), LATEST.format(8))
    assert rows.rows(named=True) == [
        {
            "feed": "smhi",
            "sensor_id": "74180",
            "quantity": "snow_depth",
            "observed_at": datetime(2022, 12, 7, 6, tzinfo=UTC),
            "value": 7.0,
            "unit": "cm",
            "source_value": "0.07",
            "source_unit": "m",
            "quality": "good",
            "source_quality": "G",
            "received_at": datetime(2022, 12, 7, 19, tzinfo=UTC),
            "precedence": 0,
            "uplink_key": None,
            "landing_id": landing.files("smhi")[0].landing_id,
            "landing_row": 2,
            "reject_reason": None,
            "source_row": None,
        }
    ]


@pytest.mark.parametrize(
    ("code", "quality"), [("G", "good"), ("Y", "suspect"), ("R", "unverified"), (None, "unverified")]
)
def test_quality_keeps_the_raw_code(landing: Landing, code: str | None, quality: str) -> None:
    value = {"date": SEVENTH, "value": "1", "quality": code}
    [row] = decode_content(landing, document(value), LATEST.format(1)).rows(named=True)
    assert (row["quality"], row["source_quality"]) == (quality, code)


def test_interval_is_dated_by_its_start(landing: Landing) -> None:
    value = {"from": SEVENTH + 1000, "to": SEVENTH + 86_400_000, "ref": "2022-12-07", "value": "3.4", "quality": "G"}
    [row] = decode_content(landing, document(value), LATEST.format(5)).rows(named=True)
    assert (row["quantity"], row["unit"]) == ("precipitation_daily", "mm")
    assert row["observed_at"] == datetime(2022, 12, 7, 6, tzinfo=UTC)
    header = "Från Datum Tid (UTC);Till Datum Tid (UTC);Representativt dygn;Nederbördsmängd;Kvalitet"
    content = archive("2022-12-07 06:00:01;2022-12-08 06:00:00;2022-12-07;3.4;G", header=header)
    [again] = decode_content(landing, content, ARCHIVE.format(5)).rows(named=True)
    assert (again["observed_at"], again["value"]) == (row["observed_at"], row["value"])


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"date": SEVENTH, "value": "", "quality": "G"}, "no value"),
        ({"date": SEVENTH, "value": None, "quality": "G"}, "no value"),
        ({"date": SEVENTH, "value": "snö", "quality": "G"}, "value snö is not a number"),
        ({"date": SEVENTH, "value": "NaN", "quality": "G"}, "value NaN is not a number"),
        ({"date": "x", "value": "1"}, "the time cannot be read"),
        ({"date": 9 * 10**18, "value": "1"}, "the time cannot be read"),
        ({"date": SEVENTH * 1000, "value": "1"}, "the time cannot be read"),
        ({"date": -SEVENTH * 30, "value": "1"}, "the time cannot be read"),
        ("hello", "the time cannot be read"),
    ],
)
def test_bad_json_row_is_one_reject(landing: Landing, value: object, reason: str) -> None:
    good = {"date": SEVENTH, "value": "1.5", "quality": "G"}
    rows = decode_content(landing, document(value, good), LATEST.format(1))
    assert rows.select("landing_row", "value", "reject_reason").rows() == [(1, None, reason), (2, 1.5, None)]
    assert json.loads(rows["source_row"][0]) == value
    if reason == "the time cannot be read":
        assert rows["observed_at"][0] is None


@pytest.mark.parametrize("updated", [4102444799000, SEVENTH * 1000, 0, None])
def test_received_in_the_future_or_before_the_feed_is_received_when_it_was_fetched(
    landing: Landing, updated: int | None
) -> None:
    content = document({"date": SEVENTH, "value": "1"}, updated=updated)
    [row] = decode_content(landing, content, LATEST.format(1)).rows(named=True)
    assert row["received_at"] == landing.files("smhi")[0].fetched_at


def test_a_number_beyond_all_numbers_in_our_unit_is_a_reject(landing: Landing) -> None:
    content = document({"date": SEVENTH, "value": "1e307"})
    [row] = decode_content(landing, content, LATEST.format(8)).rows(named=True)
    assert (row["value"], row["reject_reason"]) == (None, "value 1e307 is not a number")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a JSON object with a list named value"),
        (b"<html>", "not a JSON object with a list named value"),
        (b"[]", "not a JSON object with a list named value"),
        (b'{"updated":1}', "not a JSON object with a list named value"),
        (b'{"value":"x"}', "not a JSON object with a list named value"),
        (document(station={"key": "5"}), "of station 5, not 74180"),
    ],
)
def test_bad_json_file_is_one_reject(landing: Landing, content: bytes, reason: str) -> None:
    [row] = decode_content(landing, content, LATEST.format(1)).rows(named=True)
    assert reason in row["reject_reason"]
    assert (row["sensor_id"], row["landing_row"]) == ("74180", 1)


@pytest.mark.parametrize("value", [None, [], [None]])
def test_nothing_observed_is_nothing(landing: Landing, value: Any) -> None:
    assert decode_content(landing, json.dumps({"value": value}).encode(), LATEST.format(8)).is_empty()


def test_archive_preamble_footnotes_and_gaps(landing: Landing) -> None:
    content = archive(
        "2025-10-01;00:00:00;5.3;G;;Kvalitetskontrollerade historiska data",
        "2025-10-01;01:00:00;;G;;Tidsperiod = 2025; och mera",
        "",
        "2025-10-01;03:00:00;-0.2;Y",
        "2025-10-01;04:00:00;abc;G",
        "2025-13-01;04:00:00;1.0;G",
        "2025-10-01",
    )
    rows = decode_content(landing, content, ARCHIVE.format(1))
    assert rows.select("landing_row", "value", "quality", "reject_reason").rows() == [
        (9, 5.3, "good", None),
        (10, None, "good", "no value"),
        (12, -0.2, "suspect", None),
        (13, None, "good", "value abc is not a number"),
        (14, None, "good", "the time cannot be read"),
        (15, None, "unverified", "the time cannot be read"),
    ]
    assert rows["precedence"].unique().to_list() == [1]
    assert rows["source_row"][3] == "2025-10-01;04:00:00;abc;G"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no header line"),
        (b"Not Found\n", "no header line"),
        (archive("x", header="Datum;Tid (UTC);Lufttemperatur"), "no column Kvalitet"),
        (archive(station=1), "of station 1, not 74180"),
    ],
)
def test_bad_archive_file_is_one_reject(landing: Landing, content: bytes, reason: str) -> None:
    [row] = decode_content(landing, content, ARCHIVE.format(1)).rows(named=True)
    assert reason in row["reject_reason"]


def test_file_from_an_unknown_address_is_one_reject(landing: Landing) -> None:
    [row] = decode_content(landing, document(), "parameter/99/station/74180/period/latest-day/data.json").rows(
        named=True
    )
    assert "names no known parameter" in row["reject_reason"]


def test_unknown_parameter_is_refused_by_configuration() -> None:
    with pytest.raises(ValueError, match="parameter 99 is not known"):
        Series(99, 74180)


def test_folder_lands_what_there_is(tmp_path: Path, landing: Landing) -> None:
    path = tmp_path / "smhi" / LATEST.format(8)
    path.parent.mkdir(parents=True)
    path.write_bytes(document())
    [file] = Smhi("smhi", Folder(tmp_path / "smhi"), (TEMPERATURE, SNOW)).fetch(landing)
    assert (file.address, file.day) == (LATEST.format(8), None)


def test_folder_without_anything_is_an_error(tmp_path: Path, landing: Landing) -> None:
    with pytest.raises(SourceUnreachable, match="none of the configured series has any data"):
        Smhi("smhi", Folder(tmp_path), (TEMPERATURE,)).fetch(landing)
    with pytest.raises(SourceUnreachable, match="does not exist"):
        Smhi("smhi", Folder(tmp_path / "none"), (TEMPERATURE,)).fetch(landing)


def test_address_is_the_same_tree_and_404_is_routine(landing: Landing) -> None:
    root = "/api/version/1.0/"
    value = {"date": SEVENTH, "value": "1.5", "quality": "G"}
    tree = Tree(
        {root + LATEST.format(1): document(value), root + ARCHIVE.format(8): archive("2022-12-07;06:00:00;0.07;G")},
        {"Last-Modified": "Sun, 24 Mar 2024 10:21:12 GMT"},
    )
    with serve(tree) as url:
        source = Smhi("smhi", HttpOrigin(url + "/"), (TEMPERATURE, SNOW))
        files = source.fetch(landing)
    assert len(tree.requests) == 4
    modified = datetime(2024, 3, 24, 10, 21, 12, tzinfo=UTC)
    assert [file.source_time for file in files] == [modified, modified]
    rows = decode(landing, *files)
    assert rows.select("quantity", "value", "received_at").rows() == [
        ("air_temperature", 1.5, datetime(2022, 12, 7, 19, tzinfo=UTC)),
        ("snow_depth", 7.0, modified),
    ]


@pytest.mark.parametrize(
    ("validator", "condition"),
    [
        ({"Last-Modified": "Sun, 24 Mar 2024 10:21:12 GMT"}, {"If-Modified-Since": "Sun, 24 Mar 2024 10:21:12 GMT"}),
        ({"ETag": '"v1"'}, {"If-None-Match": '"v1"'}),
    ],
)
def test_what_has_not_changed_lands_nothing_new(
    landing: Landing, validator: dict[str, str], condition: dict[str, str]
) -> None:
    value = {"date": SEVENTH, "value": "1.5", "quality": "G"}
    script = Scripted(Answer(body=document(value), headers=validator), Answer(404), Answer(304), Answer(404))
    with serve(script) as url:
        source = Smhi("smhi", HttpOrigin(url), (TEMPERATURE,))
        [first] = source.fetch(landing)
        [again] = source.fetch(landing)
    assert (first.is_new, again.is_new, again.landing_id) == (True, False, first.landing_id)
    assert len(landing.files("smhi")) == 1
    assert not condition.keys() & dict(script.requests[0].headers).keys()
    assert condition.items() <= dict(script.requests[2].headers).items()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(404), "none of the configured series"),
        (Answer(403, b"blocked"), "HTTP 403 .*blocked"),
        (Answer(body=document() * 100, is_cut=True), "broke off"),
    ],
)
def test_address_that_fails_lands_nothing(landing: Landing, answer: Answer, reason: str) -> None:
    with serve(Scripted(answer)) as url, pytest.raises(SourceUnreachable, match=reason):
        Smhi("smhi", HttpOrigin(url), (TEMPERATURE,)).fetch(landing)
    assert landing.files("smhi") == []


@pytest.mark.skipif(not RECORDED.is_dir(), reason="recorded payloads are not here")
def test_recorded_download_over_a_clock_change(landing: Landing) -> None:
    """3,125 hours; three are absent, and the night of 29 March 2020 has every UTC hour."""
    content = (RECORDED / "latest-months_65090_Temperatur.csv").read_bytes()
    rows = decode_content(landing, content, "parameter/1/station/65090/period/corrected-archive/data.csv")
    assert (len(rows), rows["reject_reason"].null_count()) == (3125, 3125)
    assert rows["observed_at"].is_unique().all()
    assert (rows["observed_at"].min(), rows["observed_at"].max()) == (
        datetime(2020, 1, 17, 1, tzinfo=UTC),
        datetime(2020, 5, 26, 8, tzinfo=UTC),
    )
    night = rows.filter(pl.col("observed_at").dt.date() == datetime(2020, 3, 29, tzinfo=UTC).date())
    assert night["observed_at"].dt.hour().to_list() == list(range(24))
    assert (rows["landing_row"][0], rows["landing_row"][-1]) == (11, 3135)


@pytest.mark.skipif(not RECORDED.is_dir(), reason="recorded payloads are not here")
def test_recorded_archive(landing: Landing) -> None:
    content = (RECORDED / "corrected-archive_1_akalla.csv").read_bytes()
    rows = decode_content(landing, content, "parameter/1/station/1/period/corrected-archive/data.csv")
    assert rows.select("value", "quality", "reject_reason").rows() == [(5.3, "suspect", None)] * 2
