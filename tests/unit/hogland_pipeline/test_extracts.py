"""CSV, Excel, the data package and the catalogue: what is in them is what was published, and they say so themselves."""

import csv
import json
import re
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pyshacl import validate
from rdflib import DCAT, DCTERMS, RDF, Graph, Literal, URIRef

from hogland_pipeline.contracts import MartContract
from hogland_pipeline.publish import Publication
from hogland_pipeline.publish_settings import CC_BY, CatalogSettings, ExtractSettings
from hogland_pipeline.release_tables import sha256
from hogland_pipeline.releases import Target
from hogland_pipeline.targets.catalog import write_catalog
from hogland_pipeline.targets.extracts import write_extracts
from tests.unit.hogland_pipeline.small_release import build, release

SHAPES = Path(__file__).parent / "dcat_ap_se.shapes.ttl"
CATALOG = CatalogSettings(
    title={"sv": "Höglandets data", "en": "Data of Höglandet"},
    description={"sv": "Nyckeltal", "en": "Indicators"},
    base_url="https://data.example.org/hogland",
    publisher_name="Höglandet",
    publisher_url="https://example.org/hogland",
    contact_name="Data desk",
    contact_email="data@example.org",
)
SNOW = """
    select * from (values
        ('=1+1', date '2026-01-01', 0.5::double, true, timestamptz '2026-01-01 01:02:03.5+01:00', 1.50::decimal(9,2)),
        ('Nässjö, "Norra"', date '2026-01-03', null, false, null, null),
        ('', date '2026-01-02', 'nan'::double, null, null, 2.25)
    ) as t(site, day, depth_cm, is_cold, observed_at, price)
"""
CONTRACT = MartContract(
    "daily_snow", "Snödjup per dygn. / Snow depth by day. One row per site and day.", "street-lead", "operations",
    ("site", "day"), frozenset({"site", "day"}),
)  # fmt: skip


@pytest.fixture
def publication(tmp_path: Path) -> Iterator[Publication]:
    yield publish(tmp_path)


def publish(folder: Path, max_rows: int = 100) -> Publication:
    return release(
        build(folder, daily_snow=SNOW),
        Target(folder / "data"),
        contracts={"daily_snow": CONTRACT},
        writers={
            "extracts": lambda draft: write_extracts(
                draft, ExtractSettings(max_rows=max_rows), "https://example.org/licence"
            ),
            "catalog": lambda draft: write_catalog(draft, CATALOG),
        },
    )


def test_csv_is_utf8_with_commas_and_points_and_tells_null_from_empty(publication: Publication) -> None:
    content = (publication.folder / "extracts" / "daily_snow.csv").read_bytes()
    assert not content.startswith(b"\xef\xbb\xbf")
    lines = content.decode("utf-8").split("\n")
    assert lines == [
        "site,day,depth_cm,is_cold,observed_at,price",
        "=1+1,2026-01-01,0.5,true,2026-01-01T00:02:03.500000Z,1.50",
        '"Nässjö, ""Norra""",2026-01-03,,false,,',
        '"",2026-01-02,NaN,,,2.25',
        "",
    ]


def test_the_workbook_holds_data_dictionary_and_origin(publication: Publication) -> None:
    path = publication.folder / "extracts" / "daily_snow.xlsx"
    sheets: dict[str, pl.DataFrame] = pl.read_excel(path, sheet_id=0)  # type: ignore[assignment]
    assert list(sheets) == ["data", "data_dictionary", "about"]
    assert sheets["data"].row(0) == ("=1+1", date(2026, 1, 1), 0.5, True, datetime(2026, 1, 1, 0, 2, 3, 500000), 1.5)  # noqa: DTZ001
    assert sheets["data"].columns[4] == "observed_at (UTC)"
    assert sheets["data_dictionary"].rows()[0][:4] == ("site", "varchar", "no", "yes")
    about = dict(sheets["about"].rows())
    assert about["release"] == publication.release_id
    assert about["owner"] == "street-lead"


def test_formulas_stay_text(publication: Publication, tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(publication.folder / "extracts" / "daily_snow.xlsx") as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet


def test_a_mart_with_too_many_rows_is_described_as_parquet(tmp_path: Path) -> None:
    folder = publish(tmp_path, max_rows=2).folder
    assert not (folder / "extracts" / "daily_snow.csv").exists()
    assert (folder / "extracts" / "dim_municipality.csv").exists()
    package = json.loads((folder / "datapackage.json").read_text("utf-8"))
    [snow] = [resource for resource in package["resources"] if resource["name"] == "daily_snow"]
    assert (snow["path"], snow["format"]) == ("parquet/daily_snow.parquet", "parquet")


def test_texts_too_long_for_excel_are_not_cut(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = release(
        build(tmp_path, daily_snow="select repeat('x', 40000) as note"),
        Target(tmp_path / "data"),
        writers={"extracts": lambda draft: write_extracts(draft, ExtractSettings(), CC_BY)},
    ).folder
    assert not (folder / "extracts" / "daily_snow.xlsx").exists()
    assert len((folder / "extracts" / "daily_snow.csv").read_text("utf-8")) > 40_000
    assert "column note has texts longer than Excel keeps" in caplog.text


def test_the_data_package_follows_the_specification_and_its_files(publication: Publication) -> None:
    package = json.loads((publication.folder / "datapackage.json").read_text("utf-8"))
    assert faults(package, publication.folder) == []
    assert package["licenses"] == [{"path": "https://example.org/licence"}]
    [snow] = [resource for resource in package["resources"] if resource["name"] == "daily_snow"]
    assert snow["schema"]["primaryKey"] == ["site", "day"]
    assert [field["type"] for field in snow["schema"]["fields"]] == [
        "string", "date", "number", "boolean", "datetime", "number",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value"),
    [("name", "Daily Snow"), ("path", "/etc/passwd"), ("hash", "sha256:0"), ("bytes", 1), ("encoding", None)],
)
def test_a_wrong_data_package_is_found(publication: Publication, key: str, value: Any) -> None:
    package = json.loads((publication.folder / "datapackage.json").read_text("utf-8"))
    package["resources"][0][key] = value
    assert faults(package, publication.folder) != []


def faults(package: dict[str, Any], folder: Path) -> list[str]:
    """What breaks the rules of Data Package 2.0 (package, resource, table schema), or is untrue of the files."""
    found = []
    if not package.get("$schema", "").endswith("/datapackage.json") or not package.get("resources"):
        found.append("no $schema or no resources")
    names = [resource["name"] for resource in package["resources"]]
    if len(set(names)) != len(names):
        found.append("names repeat")
    for resource in package["resources"]:
        path = folder / resource["path"]
        if not re.fullmatch(r"[-a-z0-9._/]+", resource["name"]):
            found.append(f"name {resource['name']}")
        if resource["path"].startswith("/") or ".." in resource["path"] or not path.is_file():
            found.append(f"path {resource['path']}")
            continue
        if resource["bytes"] != path.stat().st_size or resource["hash"] != f"sha256:{sha256(path)}":
            found.append(f"{resource['path']} has another size or digest")
        fields = [field["name"] for field in resource["schema"]["fields"]]
        if not set(resource["schema"].get("primaryKey", [])) <= set(fields):
            found.append("key without field")
        if resource["format"] == "csv":
            if resource.get("encoding") != "utf-8":
                found.append("encoding")
            with path.open(encoding="utf-8", newline="") as file:
                header, *rows = csv.reader(file)
            if header != fields:
                found.append(f"{resource['path']}: header is not the schema's fields")
            for place, field in enumerate(resource["schema"]["fields"]):
                missing = field.get("missingValues", resource["schema"]["missingValues"])
                if field.get("constraints", {}).get("required") and any(row[place] in missing for row in rows):
                    found.append(f"{resource['path']}: {field['name']} is required and missing")
    return found


def graphs(folder: Path) -> list[Graph]:
    return [Graph().parse(folder / "catalog.ttl"), Graph().parse(folder / "catalog.jsonld")]


def test_the_catalogue_says_the_same_in_both_forms_and_keeps_the_shapes(publication: Publication) -> None:
    turtle, json_ld = graphs(publication.folder)
    assert set(turtle) == set(json_ld)
    assert len(list(turtle.subjects(RDF.type, DCAT.Dataset))) == 2
    # CSV, Excel and Parquet of two marts; the publication's own tables are no datasets
    assert len(list(turtle.subjects(RDF.type, DCAT.Distribution))) == 6
    conforms, _, text = validate(turtle, shacl_graph=Graph().parse(SHAPES))
    assert conforms, text


def test_titles_are_in_both_languages_and_the_period_comes_from_the_rows(publication: Publication) -> None:
    graph = graphs(publication.folder)[0]
    dataset = URIRef("https://data.example.org/hogland/datasets/daily_snow")
    titles = {str(title.language): str(title) for title in graph.objects(dataset, DCTERMS.title)}  # type: ignore[attr-defined]
    assert titles == {"sv": "Snödjup per dygn", "en": "Snow depth by day"}
    assert set(graph.objects(dataset, DCAT.keyword)) == {Literal("drift", lang="sv"), Literal("operations", lang="en")}
    assert graph.value(dataset, DCTERMS.issued) is None, "each night is a change of it, and no first issue"
    assert graph.value(dataset, DCTERMS.modified) == Literal(publication.published_at)
    period = graph.value(dataset, DCTERMS.temporal)
    assert str(graph.value(period, DCAT.startDate)) == "2026-01-01"
    assert str(graph.value(period, DCAT.endDate)) == "2026-01-03"


@pytest.mark.parametrize(
    "predicate",
    [DCTERMS.title, DCTERMS.description, DCTERMS.publisher, DCAT.contactPoint, DCAT.accessURL, DCTERMS.license,
     DCTERMS.accessRights, DCAT.byteSize],
)  # fmt: skip
def test_a_catalogue_that_lacks_something_breaks_the_shapes(publication: Publication, predicate: URIRef) -> None:
    graph = graphs(publication.folder)[0]
    graph.remove((None, predicate, None))
    conforms, _, _ = validate(graph, shacl_graph=Graph().parse(SHAPES))
    assert not conforms
