"""The national emission database: its workbook in every shape it drifts into, CSV series, the real files if there."""

from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest

from hogland_pipeline.sources.emission_database import AREAS_FILE, SECTORS, EmissionDatabase, sector_slug
from hogland_pipeline.sources.indicators import MalformedAnswer
from sensors_ingest.http import Folder, HttpOrigin, SourceUnreachable
from sensors_ingest.landing import Landing
from tests.emission_workbooks import ABOVE, YEARS, write_workbook
from tests.servers import Answer, Request, serve

ROOT = Path(__file__).parents[4]
SAMPLE = ROOT / "samples" / "ned"
REAL = ROOT.parent / "shared" / "data" / "climate"
needs_real_files = pytest.mark.skipif(not REAL.is_dir(), reason="the recorded data is not here")


def figures(landing: Landing, folder: Path) -> pl.DataFrame:
    source = EmissionDatabase(Folder(folder))
    return pl.DataFrame(pa.Table.from_batches(source.decode(landing, source.fetch(landing))))


def refusal(landing: Landing, folder: Path) -> str:
    with pytest.raises(MalformedAnswer) as error:
        figures(landing, folder)
    return str(error.value)


def test_a_workbook_becomes_sectors_and_their_total(landing: Landing, drop: Path) -> None:
    write_workbook(drop / "export.xlsx")
    rows = figures(landing, drop)
    assert rows.height == len(SECTORS) * 3 * len(YEARS)
    assert set(rows["breakdown"]) == set(SECTORS)
    assert rows["area_id"].unique().sort().to_list() == ["0000", "0006", "0682"]
    first = rows.row(0, named=True)
    assert (first["series_id"], first["unit"], first["vintage"], first["value"]) == ("CO2", "t", "2024-04", 9.0)
    assert first["released_at"].date().isoformat() == "2024-04-18"
    assert rows["reject_reason"].null_count() == rows.height


def test_subsectors_are_kept_out_and_sectors_add_up(landing: Landing, drop: Path) -> None:
    write_workbook(drop / "export.xlsx")
    rows = figures(landing, drop).filter((pl.col("area_id") == "0682") & (pl.col("period") == "2022"))
    parts = rows.filter(pl.col("breakdown") != "total")["value"].sum()
    assert parts == rows.filter(pl.col("breakdown") == "total")["value"].item() == 9.0


@pytest.mark.parametrize(
    "shape",
    [
        {"above": [*ABOVE, ["En rad till"]]},
        {"above": ABOVE[:3]},
        {"between": [["", "", "", "", "ton", "ton"]]},
        {"below": [["", "", "", "", "ton", "ton"]]},
        {"years": ["2021.0", "2022.0"]},
    ],
)
def test_one_more_or_one_less_header_row_is_read_the_same(landing: Landing, drop: Path, shape: dict[str, Any]) -> None:
    write_workbook(drop / "export.xlsx", **shape)
    rows = figures(landing, drop)
    assert rows["period"].unique().sort().to_list() == YEARS
    assert rows.height == len(SECTORS) * 3 * len(YEARS)
    assert rows["reject_reason"].null_count() == rows.height


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ({"years": ["2021", ""]}, "gives 1 column(s) with numbers no year"),
        ({"years": ["2022", "2022"]}, "names a year twice"),
        ({"years": ["i år", "i fjol"]}, "no row near the header names years"),
        ({"above": [*ABOVE[:2], ["Enhet: kg/år"], []]}, "its unit is 'kg/år', not ton/år"),
        ({"above": ABOVE[2:], "substance": "CH4"}, "names neither GGT"),
        ({"above": ABOVE[1:]}, "no vintage"),
        ({"sectors": [], "areas": [], "above": [["x"]] * 40}, "no row among the first 30 names Huvudsektor"),
    ],
)
def test_a_workbook_that_cannot_be_read_says_why(
    landing: Landing, drop: Path, shape: dict[str, Any], reason: str
) -> None:
    write_workbook(drop / "export.xlsx", **shape)
    assert refusal(landing, drop).startswith("export.xlsx: ")
    assert reason in refusal(landing, drop)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half of it", b"<html>maintenance</html>"])
def test_a_file_that_is_no_workbook_says_so(landing: Landing, drop: Path, content: bytes) -> None:
    (drop / "export.xlsx").write_bytes(content)
    assert refusal(landing, drop) == "export.xlsx: it is no readable .xlsx workbook."


@pytest.mark.parametrize(
    ("cell", "value", "status", "reason"),
    [
        ("··", None, "confidential", None),
        ("..", None, "missing", None),
        (".", None, "missing", None),
        (None, None, "missing", None),
        (0, 0.0, "observed", None),
        ("1 234,5", 1234.5, "observed", None),
        (-3.5, -3.5, "observed", None),
        ("saknas", None, None, "value 'saknas' is not known"),
    ],
)
def test_symbols_in_a_number_column(
    landing: Landing, drop: Path, cell: Any, value: float | None, status: str | None, reason: str | None
) -> None:
    write_workbook(drop / "export.xlsx", cells={("Transporter", "Nässjö"): cell})
    rows = figures(landing, drop)
    row = rows.filter(
        (pl.col("breakdown") == "transport") & (pl.col("area_id") == "0682") & (pl.col("period") == "2022")
    ).row(0, named=True)
    assert (row["value"], row["value_status"], row["reject_reason"]) == (value, status, reason)
    assert row["landing_row"] > len(ABOVE)


def test_an_unknown_sector_or_area_is_refused_with_its_row(landing: Landing, drop: Path) -> None:
    write_workbook(drop / "export.xlsx", sectors=["Alla", "Rymdfart"], areas=[("Jönköpings län", "Nässjö")])
    (drop / "co2_2024-12.csv").write_text(
        "municipality,year,emissions_tonnes_co2\nNässjö,2022,1\nNasjo,2022,2\n", "utf-8"
    )
    refused = figures(landing, drop).filter(pl.col("reject_reason").is_not_null())
    assert sorted(set(refused["reject_reason"])) == ["area 'Nasjo' is not known", "sector 'Rymdfart' is not known"]
    assert "Alla | Nasjo | 2022 | 2" in refused["source_row"].to_list()
    assert refused.filter(pl.col("source_row").str.contains("Nasjo"))["landing_row"].item() == 3


@pytest.mark.parametrize(
    "name", ["Egen uppärmning av bostäder och lokaler", "EGEN UPPVÄRMNING AV BOSTÄDER OCH LOKALER"]
)
def test_a_sectors_spelling_drifts_and_its_name_does_not(name: str) -> None:
    assert sector_slug(name) == "own_heating"
    assert sector_slug("Avfall (inkl.avlopp)") == sector_slug("Avfall (inkl. avlopp)") == "waste"
    assert sector_slug("Rymdfart") is None


def test_a_series_is_of_the_vintage_in_its_name(landing: Landing, drop: Path) -> None:
    (drop / "ghg_2026-06.csv").write_text(
        "municipality,county,year,emissions_tonnes_co2e\nRiket,,2024,44\nJönköpings län,,2024,..\nNässjö,x,2024,1.5\n",
        "utf-8",
    )
    rows = figures(landing, drop)
    assert rows.select("series_id", "area_id", "value", "value_status", "vintage").rows() == [
        ("GGT", "0000", 44.0, "observed", "2026-06"),
        ("GGT", "0006", None, "missing", "2026-06"),
        ("GGT", "0682", 1.5, "observed", "2026-06"),
    ]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("series.csv", "municipality,year,emissions_tonnes_co2\nNässjö,2022,1\n", "no vintage"),
        ("ghg_2026-13.csv", "municipality,year,emissions_tonnes_co2\nNässjö,2022,1\n", "no vintage"),
        ("ghg_2026-06.csv", "municipality,year,tonnes\nNässjö,2022,1\n", "its header needs municipality, year"),
        ("ghg_2026-06.csv", "", "no readable CSV"),
    ],
)
def test_a_series_that_cannot_be_read_says_why(landing: Landing, drop: Path, name: str, text: str, reason: str) -> None:
    (drop / name).write_text(text, "utf-8")
    assert reason in refusal(landing, drop)


def test_an_empty_folder_says_so(landing: Landing, drop: Path) -> None:
    with pytest.raises(SourceUnreachable, match=r"no \.xlsx and no \.csv"):
        figures(landing, drop)


def test_both_substances_are_asked_for(landing: Landing, tmp_path: Path) -> None:
    asked = []
    greenhouse = [ABOVE[0], ["Emissioner av Växthusgaser totalt (GGT), CO2-ekvivalenter"], *ABOVE[2:]]
    books = {
        "CO2": write_workbook(tmp_path / "co2.xlsx").read_bytes(),
        "GGT": write_workbook(tmp_path / "ggt.xlsx", above=greenhouse, substance="GGT").read_bytes(),
    }

    def respond(request: Request) -> Answer:
        asked.append(request.query)
        return Answer(200, books[request.query["sub"]])

    with serve(respond) as url:
        source = EmissionDatabase(HttpOrigin(url))
        files = source.fetch(landing)
    rows = pl.DataFrame(pa.Table.from_batches(source.decode(landing, files)))
    assert set(rows["series_id"]) == {"CO2", "GGT"}
    assert [query["sub"] for query in asked] == ["GGT", "CO2"]
    assert [file.address.rpartition("/")[2] for file in files] == ["?sub=GGT", "?sub=CO2"]


def test_the_other_substance_than_asked_for_is_refused(landing: Landing, tmp_path: Path) -> None:
    book = write_workbook(tmp_path / "co2.xlsx").read_bytes()
    with serve(lambda request: Answer(200, book)) as url:
        source = EmissionDatabase(HttpOrigin(url), ("GGT",))
        files = source.fetch(landing)
    with pytest.raises(MalformedAnswer, match="it is of substance CO2, not GGT"):
        list(source.decode(landing, files))


def test_the_sample_holds_three_published_vintages_and_a_workbook(landing: Landing) -> None:
    rows = figures(landing, SAMPLE)
    assert rows["reject_reason"].null_count() == rows.height
    vintages = rows.group_by("series_id", "vintage").agg(pl.col("breakdown").n_unique()).sort("series_id", "vintage")
    assert vintages.rows() == [
        ("CO2", "2024-04", 10),
        ("CO2", "2024-12", 1),
        ("GGT", "2026-02", 1),
        ("GGT", "2026-06", 1),
    ]
    nassjo = rows.filter(
        (pl.col("vintage") == "2026-06") & (pl.col("area_id") == "0682") & (pl.col("period") == "2024")
    )
    assert nassjo["value"].item() == 108542.566


def test_every_municipality_and_county_has_a_code() -> None:
    codes = pl.read_csv(AREAS_FILE, infer_schema=False)["area_id"]
    assert codes.n_unique() == codes.len() == 1 + 21 + 290


@needs_real_files
def test_the_real_workbook_is_read_whole(landing: Landing, drop: Path) -> None:
    (drop / "ned.xlsx").write_bytes((REAL / "ned_co2_1990-2022.xlsx").read_bytes())
    rows = figures(landing, drop)
    assert rows["reject_reason"].null_count() == rows.height == 312 * 10 * 12
    municipalities = rows.filter(~pl.col("area_id").str.starts_with("00"))
    assert municipalities["area_id"].n_unique() == 290
    worst = duckdb.sql(
        """
        SELECT max(abs(total - parts)) FROM (
            SELECT sum(value) FILTER (breakdown = 'total') AS total, sum(value) FILTER (breakdown <> 'total') AS parts
            FROM rows GROUP BY area_id, period
        )
        """
    ).fetchall()
    assert worst[0][0] < 1e-6


@needs_real_files
def test_the_sample_has_the_published_figures(landing: Landing) -> None:
    published = pl.read_csv(REAL / "emission_vintages_hoglandet.csv", infer_schema=False).select(
        pl.col("municipality_id").alias("area_id"),
        pl.col("year").alias("period"),
        "vintage",
        pl.col("substance").replace({"GHG CO2e": "GGT"}).alias("series_id"),
        pl.col("emissions_tonnes").cast(pl.Float64).alias("published"),
    )
    rows = figures(landing, SAMPLE)
    both = published.join(rows, on=["area_id", "period", "vintage", "series_id"], how="left")
    assert both.height == published.height == 175
    assert both.filter(pl.col("value").is_null() | (pl.col("value") != pl.col("published"))).height == 0


@needs_real_files
def test_the_samples_country_is_the_sum_of_all_municipalities(landing: Landing) -> None:
    rows = figures(landing, SAMPLE).filter(pl.col("area_id") == "0000")
    for vintage, name in (("2024-12", "co2_2024-12"), ("2026-06", "ghg_co2e_2026-06")):
        everywhere = pl.read_csv(REAL / f"{name}_all_municipalities.csv", schema_overrides={"year": pl.String})
        sums = everywhere.group_by("year").agg(pl.col(everywhere.columns[-1]).sum().alias("sum"))
        both = rows.filter(pl.col("vintage") == vintage).join(sums, left_on="period", right_on="year")
        assert both.height == sums.height
        assert both.select((pl.col("value") - pl.col("sum")).abs().max()).item() < 0.001


@needs_real_files
def test_all_municipalities_of_the_real_series_are_known(landing: Landing, drop: Path) -> None:
    for name in ("co2_2024-12_all_municipalities.csv", "ghg_co2e_2026-06_all_municipalities.csv"):
        (drop / name).write_bytes((REAL / name).read_bytes())
    rows = figures(landing, drop)
    assert rows["reject_reason"].null_count() == rows.height == 3480 + 2900
    assert rows["area_id"].n_unique() == 290
