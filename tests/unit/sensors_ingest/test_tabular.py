"""Delivered tables: both shapes and formats, local times, sentinels and units; a broken line costs only itself."""

import gzip
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sensors_ingest.http import Folder, SourceUnreachable
from sensors_ingest.landing import Landing
from sensors_ingest.lines import line_batches
from sensors_ingest.tabular import Columns, Tabular
from sensors_ingest.units import Scale
from tests.decoding import decode, decode_one

SCALES = (
    Scale("temperature", "air_temperature", None, (-9999,), -40, 60),
    Scale("humidity", "relative_humidity", "%", (-9999,)),
)
QUALITIES = {"G": "good", "Y": "suspect", "R": "bad"}
LINES = Columns("sensor_id", ("observed_at",), "value", "quantity", "unit", "quality", ("received_at",))
SWEDISH = Columns("Station", ("Datum", "Tid (UTC)"), "Värde", "Parameter", "Enhet", "Kvalitet", ("Mottagen",))
HEADER = "Station;Datum;Tid (UTC);Parameter;Värde;Enhet;Kvalitet;Mottagen"
JSON = (
    '{"sensor_id":"se-1","observed_at":"2026-01-05T12:00:00Z","quantity":"temperature","value":1.5,"unit":"degC",'
    '"quality":"G","received_at":"2026-01-05T12:00:01.022Z"}'
)
CSV = "se-1;2026-01-05;12:00:00;temperature;1,5;degC;G;2026-01-05 12:00:01.022"
UNCLOSED = "a quotation mark is not closed, or before the end of its cell"
# The old road weather files: a column a quantity, local time, several numbers for "missing".
ROADS = (
    Scale("Lufttemp", "air_temperature", "degC", (-99.9, -99.8, -100)),
    Scale("Vind", "wind_speed", "m/s", (-99.9, -9)),
)
WIDE = Columns("Station", ("Tid",))


def ndjson(folder: Path = Path(), **more: Any) -> Tabular:
    return Tabular("tables", Folder(folder), "ndjson", LINES, SCALES, QUALITIES, **more)


def csv(folder: Path = Path(), columns: Columns = SWEDISH, scales: Any = SCALES, **more: Any) -> Tabular:
    return Tabular("tables", Folder(folder), "csv", columns, scales, QUALITIES, **({"decimal": ","} | more))


def table(*lines: str, header: str = HEADER) -> bytes:
    return "".join(line + "\n" for line in ("\ufeff" + header, *lines)).encode()


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path / "landing")


@pytest.mark.parametrize(
    ("source", "content", "said", "row"), [(ndjson(), JSON.encode(), "1.5", 1), (csv(), table(CSV), "1.5", 2)]
)
def test_every_column_of_a_reading(landing: Landing, source: Tabular, content: bytes, said: str, row: int) -> None:
    assert decode_one(source, landing, content).rows(named=True) == [
        {
            "feed": "tables",
            "sensor_id": "se-1",
            "quantity": "air_temperature",
            "observed_at": datetime(2026, 1, 5, 12, tzinfo=UTC),
            "value": 1.5,
            "unit": "degC",
            "source_value": said,
            "source_unit": "degC",
            "quality": "good",
            "source_quality": "G",
            "received_at": datetime(2026, 1, 5, 12, 0, 1, 22000, tzinfo=UTC),
            "precedence": 0,
            "uplink_key": None,
            "landing_id": landing.files("feed")[0].landing_id,
            "landing_row": row,
            "reject_reason": None,
            "source_row": None,
        }
    ]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("1,5", ""), "no value"),
        (("1,5", "-9999"), "sentinel -9999 (no value)"),
        (("1,5", "-9999,00"), "sentinel -9999.00 (no value)"),
        (("1,5", "187"), "value 187 is not between -40.0 and 60.0 degC"),
        (("1,5", "1.5"), "value 1.5 (with a point, where the comma is decimal) is not a number"),
        (("1,5", "1.234,5"), "value 1.234,5 (with a point, where the comma is decimal) is not a number"),
        (("1,5", "varmt"), "value varmt is not a number"),
        (("1,5", "nan"), "value nan is not a number"),
        (("degC", "furlong"), "unit furlong of temperature unknown"),
        (("degC", ""), "unit (none) of temperature unknown"),
        (("temperature", "pressure"), "quantity pressure is not one of this feed"),
        (("temperature", ""), "no quantity"),
        (("se-1", ""), "no sensor"),
        (("12:00:00", "25:00:00"), "the time cannot be read"),
        (("12:00:00", ""), "the time cannot be read"),
        (("2026-01-05;", "2026-02-30;"), "the time cannot be read"),
        (("2026-01-05;", "0026-01-05;"), "the time cannot be read"),
        ((";G;", ";G;G;"), "9 cells where the header has 8"),
        ((";G;2026-01-05 12:00:01.022", ""), "6 cells where the header has 8"),
        (("se-1", '"se-1'), UNCLOSED),
        ((";1,5;", ';"1"5;'), UNCLOSED),
        ((";1,5;", ';"1" ;'), UNCLOSED),
        (("se-1", '"se"-1'), UNCLOSED),
        ((";degC;G;", ';deg"C;"G;'), UNCLOSED),
    ],
)
def test_broken_line_is_one_reject_with_its_number(landing: Landing, change: tuple[str, str], reason: str) -> None:
    broken = CSV.replace(*change, 1)
    rows = decode_one(csv(), landing, table(CSV, "", broken, "  ", CSV.replace("12:00", "13:00")))
    assert rows.select("landing_row", "reject_reason").rows() == [(2, None), (4, reason), (6, None)]
    assert rows["source_row"][1] == broken


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (JSON[:-1], "line is not valid JSON"),
        ("null", "line is not a JSON object"),
        ("[1]", "line is not a JSON object"),
        ("17", "line is not a JSON object"),
        ("{}", "no sensor"),
        ("\ufffd\u0000", "line is not valid JSON"),
        (JSON.replace("1.5", "null"), "no value"),
        (JSON.replace("1.5", '"1,5"'), "value 1,5 is not a number"),
        (JSON.replace("1.5", "[1]"), "value [1] is not a number"),
        (JSON.replace("1.5", "true"), "value true is not a number"),
        (JSON.replace('"2026-01-05T12:00:00Z"', "null"), "the time cannot be read"),
        ("[" * 100_000, "line is not valid JSON"),
        ("[" * 100_000 + "]" * 100_000, "line is not a JSON object"),
    ],
)
def test_broken_json_is_one_reject_with_its_number(landing: Landing, line: str, reason: str) -> None:
    rows = decode_one(ndjson(), landing, f"{JSON}\n\n{line}\r\n{JSON}".encode())
    assert rows.select("landing_row", "reject_reason").rows() == [(1, None), (3, reason), (4, None)]
    assert rows["source_row"][1] == line.strip()[:4000]


def test_a_byte_order_mark_costs_no_line(landing: Landing) -> None:
    rows = decode_one(ndjson(), landing, f"\ufeff{JSON}\r\n{JSON}".encode())
    assert rows["reject_reason"].to_list() == [None, None]


def test_a_number_beyond_all_numbers_in_our_unit_is_a_reject(landing: Landing) -> None:
    columns = Columns("s", ("t",), "v", "q", "u")
    content = b"s;t;v;q;u\nx;2026-01-05;1e307;d;m\nx;2026-01-05;1e307;d;cm"
    rows = decode_one(csv(columns=columns, scales=(Scale("d", "snow_depth", "cm"),), decimal="."), landing, content)
    assert rows["reject_reason"].to_list() == ["value 1e307 is not a number", None]


def test_sentinel_of_one_quantity_is_a_number_of_another(landing: Landing) -> None:
    scales = (Scale("a", "air_temperature", "degC", (-9,)), Scale("b", "air_temperature", "degC"))
    columns = Columns("s", ("t",), "v", "q")
    content = b"s;t;v;q\nx;2026-01-05T00:00:00Z;-9;a\nx;2026-01-05T00:00:00Z;-9;b\n"
    rows = decode_one(csv(columns=columns, scales=scales), landing, content)
    assert rows.select("value", "reject_reason").rows() == [(None, "sentinel -9 (no value)"), (-9.0, None)]


def test_units_are_converted_and_kept(landing: Landing) -> None:
    rows = decode_one(csv(), landing, table(CSV.replace("1,5;degC", "42,72;degF"), CSV.replace("1,5;degC", "275,15;K")))
    assert rows.select("value", "unit", "source_value", "source_unit").rows() == [
        (5.955556, "degC", "42.72", "degF"),
        (2.0, "degC", "275.15", "K"),
    ]


def test_quoted_cells(landing: Landing) -> None:
    line = '"se;1";2026-01-05;12:00:00;"temperature";"1,5";degC;"G""";2026-01-05 12:00:01'
    [row] = decode_one(csv(), landing, table(line)).rows(named=True)
    assert (row["sensor_id"], row["value"], row["quality"], row["source_quality"]) == (
        "se;1",
        1.5,
        "unverified",
        'G"',
    )


@pytest.mark.parametrize("delimiter", [",", "\t", "|", "^"])
def test_other_delimiters(landing: Landing, delimiter: str) -> None:
    content = table(CSV.replace("1,5", '"1.5"').replace(";", delimiter), header=HEADER.replace(";", delimiter))
    assert decode_one(csv(delimiter=delimiter, decimal="."), landing, content)["value"].to_list() == [1.5]


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-01-05 12:00", "2026-01-05T11:00:00+00:00"),
        ("2026-07-05 12:00", "2026-07-05T10:00:00+00:00"),
        ("2026-07-05T12:00:00Z", "2026-07-05T12:00:00+00:00"),
        ("2025-10-26T02:30:00+02:00", "2025-10-26T00:30:00+00:00"),
        ("2025-10-26T02:30:00+01:00", "2025-10-26T01:30:00+00:00"),
        ("2025-10-26 01:59", "2025-10-25T23:59:00+00:00"),
        ("2025-10-26 03:00", "2025-10-26T02:00:00+00:00"),
        ("2026-03-29 01:59", "2026-03-29T00:59:00+00:00"),
        ("2026-03-29 03:00", "2026-03-29T01:00:00+00:00"),
        ("2025-10-26 02:00", "the clock showed the local time 2025-10-26 02:00 twice"),
        ("2025-10-26 02:59", "the clock showed the local time 2025-10-26 02:59 twice"),
        ("2026-03-29 02:30", "the clock skipped the local time 2026-03-29 02:30"),
        ("294247-01-10 04:00", "the time cannot be read"),
        ("infinity", "the time cannot be read"),
        ("", "the time cannot be read"),
    ],
)
def test_local_times_are_one_instant_or_refused(landing: Landing, text: str, instant: str) -> None:
    content = table(f"s;{text};-2,5;3", header="Station;Tid;Lufttemp;Vind")
    rows = decode_one(csv(columns=WIDE, scales=ROADS, timezone="Europe/Stockholm"), landing, content)
    assert len(rows) == 2
    said = rows["observed_at"][0].isoformat() if rows["reject_reason"][0] is None else rows["reject_reason"][0]
    assert said == instant


def test_meters_that_keep_normal_time_have_no_ambiguous_hour(landing: Landing) -> None:
    content = table("s;2025-10-26 02:30;1;2", "s;2026-07-01 00:00;1;2", header="Station;Tid;Lufttemp;Vind")
    rows = decode_one(csv(columns=WIDE, scales=ROADS, timezone="Etc/GMT-1"), landing, content)
    assert rows["observed_at"].unique().sort().to_list() == [
        datetime(2025, 10, 26, 1, 30, tzinfo=UTC),
        datetime(2026, 6, 30, 23, tzinfo=UTC),
    ]


def test_a_column_a_quantity_with_the_old_sentinels(landing: Landing) -> None:
    lines = ["s;2020-01-05 12:00;-9;-9", "s;2020-01-05 13:00;-99,9;", "s;2020-01-05 14:00;-100;3", "s;2020"]
    lines += ["s;2020-01-05 15:00;1;2;3"]
    content = table(*lines, header="Station;Tid;Lufttemp;Vind")
    rows = decode_one(csv(columns=WIDE, scales=ROADS, timezone="Europe/Stockholm"), landing, content)
    assert rows.select("landing_row", "quantity", "value", "reject_reason").rows() == [
        (2, "air_temperature", -9.0, None),
        (2, "wind_speed", None, "sentinel -9 (no value)"),
        (3, "air_temperature", None, "sentinel -99.9 (no value)"),
        (4, "air_temperature", None, "sentinel -100 (no value)"),
        (4, "wind_speed", 3.0, None),
        (5, None, None, "2 cells where the header has 4"),
        (6, None, None, "5 cells where the header has 4"),
    ]


def test_wide_json(landing: Landing) -> None:
    source = Tabular("tables", Folder(Path()), "ndjson", WIDE, ROADS)
    content = b'{"Station":"s","Tid":"2020-01-05T12:00:00Z","Lufttemp":-2.5}\nnot JSON\n'
    rows = decode_one(source, landing, content)
    assert rows.select("landing_row", "quantity", "value", "reject_reason").rows() == [
        (1, "air_temperature", -2.5, None),
        (2, None, None, "line is not valid JSON"),
    ]


@pytest.mark.parametrize("content", [table(CSV, header=HEADER.replace("Värde", "Value")), b"<html>\n" + CSV.encode()])
def test_file_without_a_column_is_one_reject(landing: Landing, content: bytes) -> None:
    [row] = decode_one(csv(), landing, content).rows(named=True)
    assert row["reject_reason"].startswith("the header lacks ")
    assert "Värde" in row["reject_reason"]
    assert row["landing_row"] == 1


def test_file_with_a_column_twice_is_one_reject(landing: Landing) -> None:
    content = table("s;2020-01-05 12:00;1;2;3", header="Station;Tid;Lufttemp;Vind;Lufttemp")
    [row] = decode_one(csv(columns=WIDE, scales=ROADS), landing, content).rows(named=True)
    assert (row["landing_row"], row["reject_reason"]) == (1, "the header names Lufttemp twice")


@pytest.mark.parametrize("moment", ["infinity", "-infinity", "294247-01-10 04:00:54", "2026-01-05 (BC)", "0001-01-01"])
@pytest.mark.parametrize("timezone", ["UTC", "Europe/Stockholm"])
def test_a_time_nobody_believes_is_not_kept_as_one(landing: Landing, moment: str, timezone: str) -> None:
    source = csv(columns=WIDE, scales=ROADS[:1], timezone=timezone)
    [row] = decode_one(source, landing, table(f"s;{moment};1", header="Station;Tid;Lufttemp")).rows(named=True)
    assert (row["observed_at"], row["reject_reason"]) == (None, "the time cannot be read")


@pytest.mark.parametrize("content", [b"", b"\n\n", table()])
def test_empty_files_hold_nothing(landing: Landing, content: bytes) -> None:
    assert decode_one(csv(), landing, content).is_empty()


def test_time_of_receipt_from_the_future_is_not_believed(landing: Landing) -> None:
    rows = decode_one(ndjson(), landing, JSON.replace("2026-01-05T12:00:01.022Z", "2999-01-01T00:00:00Z").encode())
    assert rows["received_at"][0] == landing.files("feed")[0].fetched_at


def test_rows_are_numbered_through_the_batches(landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [CSV.replace("se-1", f"se-{number}") for number in range(500)]
    file = landing.write("feed", [table(*lines)], address="a.csv", suffix="csv")
    whole = decode(csv(), landing, [file])
    monkeypatch.setattr("sensors_ingest.tabular.line_batches", lambda chunks: line_batches(chunks, 1000))
    assert decode(csv(), landing, [file]).equals(whole)
    assert whole["landing_row"].to_list() == list(range(2, 502))


def test_folder_lands_the_days_asked_for_and_what_has_no_day(tmp_path: Path, landing: Landing) -> None:
    (tmp_path / "delivery=2026-01-05.csv").write_bytes(table(CSV))
    (tmp_path / "delivery=2026-01-06.csv.gz").write_bytes(gzip.compress(table()))
    (tmp_path / "history.csv").write_bytes(table(CSV, CSV))
    (tmp_path / "2026-13-01.csv").write_bytes(table(CSV, CSV, CSV))
    (tmp_path / "readme.txt").write_text("no table")
    files = csv(tmp_path).fetch(landing, [date(2026, 1, 5)])
    assert sorted((file.address, file.day) for file in files) == [
        ("2026-13-01.csv", None),
        ("delivery=2026-01-05.csv", date(2026, 1, 5)),
        ("history.csv", None),
    ]
    [packed] = [file for file in csv(tmp_path).fetch(landing, [date(2026, 1, 6)]) if file.day]
    assert landing.read(packed) == table()


def test_damaged_and_missing_deliveries(tmp_path: Path, landing: Landing) -> None:
    (tmp_path / "a.csv.gz").write_bytes(b"not gzip")
    with pytest.raises(SourceUnreachable, match=r"a\.csv\.gz.*cannot be read"):
        csv(tmp_path).fetch(landing, [])
    with pytest.raises(SourceUnreachable, match="does not exist"):
        csv(tmp_path / "none").fetch(landing, [])


@pytest.mark.parametrize(
    ("columns", "reason"),
    [({"value": "v"}, "needs a quantity column"), ({"observed_at": ()}, "observed_at needs a column")],
)
def test_columns_that_do_not_fit(columns: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Columns(**({"sensor_id": "s", "observed_at": ("t",)} | columns))


def test_scales_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="quantity 'heat' is none of"):
        Scale("x", "heat")
    with pytest.raises(ValueError, match="unit 'm' of x is none of degC"):
        Scale("x", "air_temperature", "m")


def test_another_layout_is_another_decoder() -> None:
    versions = {csv().decoder_version, csv(decimal=".").decoder_version, ndjson().decoder_version}
    assert len(versions) == 3
    assert pl.Series([csv().decoder_version, csv().decoder_version]).n_unique() == 1
