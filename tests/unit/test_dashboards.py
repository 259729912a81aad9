"""The semantic model, the dashboards of Superset and dbt's exposures agree with each other and with the marts.

Superset itself is too heavy for this: `make superset SUPERSET=--check` runs it and looks at every chart.
"""

import copy
import csv
import json
import re
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from hogland_pipeline.columns import Column
from hogland_pipeline.contracts import contracts_of
from hogland_pipeline.dbt_build import MANIFEST_PATH
from hogland_pipeline.manifest import Manifest
from hogland_pipeline.publication_record import DESCRIPTION, PUBLICATION_SCHEMA
from hogland_pipeline.release_tables import Draft, WrittenTable
from hogland_pipeline.releases import PublicationFailed
from hogland_pipeline.semantics import SemanticModel, SemanticsError, read_semantic_model, unknown_columns
from hogland_pipeline.settings import PROJECT_ROOT
from hogland_pipeline.superset_bundle import (
    COLUMN_KEYS,
    Bundle,
    dataset_uuid,
    faults,
    marts_of_dashboards,
    read_bundle,
    write_bundle,
    zipped,
)
from hogland_pipeline.targets.semantic_model import label_of, write_semantic_model

NIGHT = datetime(2026, 2, 1, 1, tzinfo=UTC)
MODEL = read_semantic_model()


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return Manifest.read(MANIFEST_PATH)


@pytest.fixture(scope="module")
def columns_of(manifest: Manifest) -> dict[str, list[Column]]:
    """Of every mart as its contract has them, and of the table that describes the publication."""
    columns = {
        str(mart["name"]): [
            Column(name, column["data_type"].upper(), " ".join(column["description"].split()))
            for name, column in mart["columns"].items()
        ]
        for mart in manifest.marts()
    }
    record = [Column(f.name, "VARCHAR", f.metadata[DESCRIPTION].decode()) for f in PUBLICATION_SCHEMA]
    return columns | {"publication": record}


@pytest.fixture(scope="module")
def bundle(columns_of: dict[str, list[Column]]) -> Bundle:
    return read_bundle(MODEL, columns_of)


def types(columns_of: dict[str, list[Column]]) -> dict[str, dict[str, str]]:
    return {table: {column.name: column.type for column in columns} for table, columns in columns_of.items()}


# The semantic model


def test_the_model_names_only_columns_that_the_marts_have(columns_of: dict[str, list[Column]]) -> None:
    assert list(unknown_columns(MODEL, types(columns_of))) == []


def test_a_measure_is_of_a_number_unless_it_counts(columns_of: dict[str, list[Column]]) -> None:
    kinds = types(columns_of)
    for mart, subject in MODEL.subjects.items():
        for name, measure in subject.measures.items():
            if not measure.aggregation.startswith("count") and mart != "publication":
                assert kinds[mart][measure.column or name] in ("DOUBLE", "INTEGER", "BIGINT"), (mart, name)


MART = {"kpi_x": {"day": "DATE", "cm": "DOUBLE", "code": "VARCHAR"}, "dim": {"code": "VARCHAR", "name": "VARCHAR"}}
SUBJECT: dict[str, Any] = {
    "sv": "Snö",
    "en": "Snow",
    "time": "day",
    "joins": [{"to": "dim", "by": {"code": "code"}, "columns": ["name"]}],
    "measures": {"cm": {"aggregation": "max", "sv": "Djup", "en": "Depth"}},
}


def model_of(tmp_path: Path, **changes: Any) -> SemanticModel:
    path = tmp_path / "semantic_model.yml"
    path.write_text(yaml.safe_dump({"kpi_x": SUBJECT | changes}), encoding="utf-8")
    return read_semantic_model(path)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({}, None),
        ({"time": "hour"}, "kpi_x: has no column hour"),
        ({"measures": {"mm": SUBJECT["measures"]["cm"]}}, "kpi_x: has no column mm"),
        ({"measures": {"rows": SUBJECT["measures"]["cm"] | {"aggregation": "count"}}}, None),
        ({"labels": {"wind": "Vind"}}, "kpi_x: labels column wind, which it has not"),
        ({"labels": {"name": "Kommun"}}, None),
        ({"words": {"wind": "stages"}}, "kpi_x: has words for column wind, which it has not"),
        ({"words": {"code": "winds"}}, "kpi_x: the words winds of column code are not in the texts of the KPI page"),
        ({"words": {"code": "stages"}}, None),
        ({"joins": [SUBJECT["joins"][0] | {"by": {"kod": "code"}}]}, "kpi_x: has no column kod"),
        ({"joins": [SUBJECT["joins"][0] | {"to": "nowhere"}]}, "kpi_x: joins nowhere, which has no column code"),
        ({"joins": [SUBJECT["joins"][0] | {"where": "is_now"}]}, "kpi_x: joins dim, which has no column is_now"),
        (
            {"joins": [SUBJECT["joins"][0] | {"columns": ["code"]}]},
            "kpi_x: has column code itself and would join it from dim",
        ),
    ],
)
def test_a_column_that_is_not_there_is_named(tmp_path: Path, changes: dict[str, Any], fault: str | None) -> None:
    found = list(unknown_columns(model_of(tmp_path, **changes), MART))
    assert found[:1] == ([fault] if fault else [])


def test_a_mart_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert list(unknown_columns(model_of(tmp_path), {})) == ["kpi_x: there is no such mart"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"measures": {}}, "at least 1"),
        ({"measures": {"cm": {"aggregation": "median", "sv": "D", "en": "D"}}}, "aggregation"),
        ({"synonym": ["snö"]}, "synonym"),
    ],
)
def test_a_mistake_in_the_file_is_one_sentence_with_its_place(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(SemanticsError, match=rf"semantic_model\.yml, kpi_x\..*{reason}|{reason}"):
        model_of(tmp_path, **changes)


# What is published


def draft(folder: Path, manifest: Manifest, columns_of: dict[str, list[Column]]) -> Draft:
    tables = tuple(WrittenTable(name, 1, tuple(columns), "f") for name, columns in columns_of.items())
    return Draft(folder, "r1", "run", NIGHT, tables, contracts_of(manifest))


def test_the_published_model_says_how_to_aggregate_join_and_call_things(
    tmp_path: Path, manifest: Manifest, columns_of: dict[str, list[Column]]
) -> None:
    assert write_semantic_model(draft(tmp_path, manifest, columns_of), MODEL) == ["semantic_model.yaml"]
    [model] = yaml.safe_load((tmp_path / "semantic_model.yaml").read_text("utf-8"))["semantic_model"]
    metrics = {metric["name"]: metric for metric in model["metrics"]}
    depth = metrics["kpi_operations__daily_snow__snow_depth_high_cm"]
    assert depth["expression"]["dialects"] == [
        {"dialect": "ANSI_SQL", "expression": "MAX(kpi_operations__daily_snow.snow_depth_high_cm)"}
    ]
    told = json.loads(depth["custom_extensions"][0]["data"])
    assert (told["unit"], told["default_aggregation"], told["sv"]) == ("cm", "max", "Högsta snödjup")
    [snow] = [each for each in model["datasets"] if each["name"] == "kpi_operations__daily_snow"]
    assert "snödjup" in snow["ai_context"]["synonyms"]
    assert snow["primary_key"] == ["sensor_id", "local_date"]
    assert [field["name"] for field in snow["fields"] if field["dimension"]["is_time"]] == ["local_date"]
    names = {each["name"] for each in model["datasets"]}
    keys = {each["name"]: each.get("primary_key") for each in model["datasets"]}
    assert {each["name"] for each in model["relationships"]} >= {"kpi_operations__daily_snow_to_dim_municipality"}
    for relation in model["relationships"]:
        assert {relation["from"], relation["to"]} <= names
        assert relation["to_columns"] == keys[relation["to"]]


def test_a_mart_that_did_not_come_is_left_out_and_one_that_lost_a_column_is_not(
    tmp_path: Path, manifest: Manifest, columns_of: dict[str, list[Column]]
) -> None:
    fewer = {name: columns for name, columns in columns_of.items() if name != "kpi_twin__solution"}
    write_semantic_model(draft(tmp_path, manifest, fewer), MODEL)
    assert "kpi_twin__solution__solutions" not in (tmp_path / "semantic_model.yaml").read_text("utf-8")
    poorer = columns_of | {"kpi_twin__solution": columns_of["kpi_twin__solution"][1:]}
    with pytest.raises(PublicationFailed, match="kpi_twin__solution: has no column url"):
        write_semantic_model(draft(tmp_path, manifest, poorer), MODEL)


@pytest.mark.parametrize(
    ("description", "label"),
    [
        ("Högsta snödjup under dygnet, cm. / Highest depth, cm.", "Högsta snödjup under dygnet"),
        ("Plats. / Place.", "Plats"),
        ("Only English.", "Only English"),
        (None, "depth_cm"),
    ],
)
def test_the_first_words_of_a_description_are_the_label(description: str | None, label: str) -> None:
    assert label_of(Column("depth_cm", "DOUBLE", description)) == label


# The bundle of Superset


def test_everything_in_the_bundle_points_at_something(bundle: Bundle) -> None:
    assert list(faults(bundle)) == []


def test_the_queries_of_datasets_run_and_give_the_columns_they_name(bundle: Bundle) -> None:
    """On empty tables of the contracts' types: a join that multiplied or lost columns would show."""
    with duckdb.connect() as connection:
        datasets = [content for name, content in bundle.items() if name.startswith("datasets/")]
        tables = {"dim_sensor": "", "dim_municipality": "", "dim_kpi": ""} | {d["table_name"]: "" for d in datasets}
        for table in tables:
            create_table(connection, table)
        for dataset in datasets:
            query = dataset["sql"] or f"FROM {dataset['table_name']}"
            columns = [row[0] for row in connection.execute(f"DESCRIBE {query}").fetchall()]
            stored = [column["column_name"] for column in dataset["columns"] if not column.get("expression")]
            assert sorted(columns) == sorted(stored)
            for column in dataset["columns"]:
                if column.get("expression"):
                    connection.execute(f"SELECT {column['expression']} FROM ({query})")
            for metric in dataset["metrics"]:
                connection.execute(f"SELECT {metric['expression']} FROM ({query})")


def test_codes_are_shown_in_words_swedish_first(bundle: Bundle) -> None:
    dataset = bundle["datasets/Hogland/kpi_twin__stage_by_month.yaml"]
    [stage] = [column for column in dataset["columns"] if column["column_name"] == "stage_words"]
    assert stage["verbose_name"] == "Stadium"
    with duckdb.connect() as connection:
        shown = connection.execute(
            f"SELECT {stage['expression']} FROM (VALUES ('identified'), ('validated'), ('mature'), (NULL)) t(stage)"
        ).fetchall()
    assert [row[0] for row in shown] == ["Identifierad / Identified", "Validerad / Validated", "mature", None]


def test_no_chart_shows_a_code_that_has_words(bundle: Bundle) -> None:
    coded = {dataset_uuid(mart): set(subject.words) for mart, subject in MODEL.subjects.items()}
    for name, chart in bundle.items():
        if name.startswith("charts/"):
            shown = {column for key in COLUMN_KEYS for column in chart["params"].get(key) or ()}
            assert not shown & coded[chart["dataset_uuid"]], name


def create_table(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    nodes = Manifest.read(MANIFEST_PATH).marts()
    found = [node["columns"] for node in nodes if node["name"] == table]
    columns = {name: column["data_type"] for name, column in found[0].items()} if found else record_columns()
    connection.execute(f"CREATE TABLE {table} ({', '.join(f'{name} {kind}' for name, kind in columns.items())})")


def record_columns() -> dict[str, str]:
    return {field.name: "BIGINT" if str(field.type).startswith("int") else "VARCHAR" for field in PUBLICATION_SCHEMA}


def spoil_database(bundle: dict[str, Any]) -> None:
    bundle["datasets/Hogland/fct_kpi_value.yaml"]["database_uuid"] = "gone"


def test_a_chart_of_an_indicator_shows_the_method_of_the_registry_and_no_other(bundle: Bundle) -> None:
    """Values of two methods stand beside each other in `fct_kpi_value`; their maximum would be a figure of neither."""
    with (PROJECT_ROOT / "dbt_project" / "seeds" / "kpi_definitions.csv").open(encoding="utf-8", newline="") as seed:
        methods = {row["kpi_id"]: row["method_version"] for row in csv.DictReader(seed)}
    filters = [
        {wanted.get("subject"): wanted.get("comparator") for wanted in chart["params"]["adhoc_filters"]}
        for name, chart in bundle.items()
        if name.startswith("charts/") and chart["dataset_uuid"] == dataset_uuid("fct_kpi_value")
    ]
    of_one = [wanted for wanted in filters if "kpi_id" in wanted]
    assert len(of_one) >= 2
    for wanted in of_one:
        assert wanted.get("method_version") == methods[wanted["kpi_id"]], wanted["kpi_id"]


def spoil_dataset(bundle: dict[str, Any]) -> None:
    bundle["charts/snow_depth.yaml"]["dataset_uuid"] = "gone"


def spoil_column(bundle: dict[str, Any]) -> None:
    bundle["charts/snow_depth.yaml"]["params"]["groupby"] = ["site", "street"]


def spoil_axis(bundle: dict[str, Any]) -> None:
    bundle["charts/snow_depth.yaml"]["params"]["x_axis"] = "day"


def spoil_filter(bundle: dict[str, Any]) -> None:
    bundle["charts/climate_ghg_total.yaml"]["params"]["adhoc_filters"][0]["subject"] = "kpi"


def spoil_measure(bundle: dict[str, Any]) -> None:
    bundle["charts/twin_stage.yaml"]["params"]["metric"] = "profit"


def spoil_kind(bundle: dict[str, Any]) -> None:
    bundle["charts/twin_stage.yaml"]["viz_type"] = "table"


def spoil_position(bundle: dict[str, Any]) -> None:
    bundle["dashboards/hogland-uttc.yaml"]["position"]["GRID_ID"]["children"].append("ROW-9")


def lose_chart(bundle: dict[str, Any]) -> None:
    del bundle["charts/twin_stage.yaml"]


def forget_chart(bundle: dict[str, Any]) -> None:
    del bundle["dashboards/hogland-uttc.yaml"]["position"]["CHART-twin_stage"]
    bundle["dashboards/hogland-uttc.yaml"]["position"]["ROW-hogland-uttc-1"]["children"].remove("CHART-twin_stage")


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (spoil_database, "datasets/Hogland/fct_kpi_value.yaml: there is no database gone"),
        (spoil_dataset, "charts/snow_depth.yaml: there is no dataset gone"),
        (spoil_column, "charts/snow_depth.yaml: kpi_operations__daily_snow has no column street"),
        (spoil_axis, "charts/snow_depth.yaml: kpi_operations__daily_snow has no column day"),
        (spoil_filter, "charts/climate_ghg_total.yaml: fct_kpi_value has no column kpi"),
        (spoil_measure, "charts/twin_stage.yaml: kpi_twin__solution has no measure profit"),
        (spoil_kind, "charts/twin_stage.yaml: is a table with parameters of a pie"),
        (spoil_position, "dashboards/hogland-uttc.yaml: GRID_ID holds ROW-9, which is not there"),
        (forget_chart, "charts/twin_stage.yaml: is on no dashboard"),
    ],
)
def test_a_reference_to_nothing_is_found(bundle: Bundle, spoil: Callable[[dict[str, Any]], None], fault: str) -> None:
    spoilt = copy.deepcopy(dict(bundle))
    spoil(spoilt)
    assert list(faults(spoilt)) == [fault]


def test_a_chart_that_a_dashboard_shows_and_nobody_has_is_found(bundle: Bundle) -> None:
    spoilt = dict(bundle)
    gone = spoilt["charts/twin_stage.yaml"]["uuid"]
    lose_chart(spoilt)
    assert list(faults(spoilt)) == [f"dashboards/hogland-uttc.yaml: there is no chart {gone}"]


def test_a_mart_that_loses_a_column_of_a_chart_is_found(columns_of: dict[str, list[Column]]) -> None:
    fewer = [column for column in columns_of["kpi_twin__solution"] if column.name != "owner"]
    spoilt = read_bundle(MODEL, columns_of | {"kpi_twin__solution": fewer})
    assert list(faults(spoilt)) == ["charts/twin_list.yaml: kpi_twin__solution has no column owner"]


def test_the_bundle_is_a_zip_that_is_the_same_each_time_and_names_no_machine(
    tmp_path: Path, manifest: Manifest, columns_of: dict[str, list[Column]], bundle: Bundle
) -> None:
    [name] = write_bundle(draft(tmp_path, manifest, columns_of), MODEL)
    content = (tmp_path / name).read_bytes()
    assert content == zipped(bundle)
    with zipfile.ZipFile(BytesIO(content)) as archive:
        assert "hogland/metadata.yaml" in archive.namelist()
        database = yaml.safe_load(archive.read("hogland/databases/hogland.yaml"))
    assert database["sqlalchemy_uri"] == "duckdb:///data/published/hogland.duckdb"
    assert database["extra"]["engine_params"] == {"connect_args": {"read_only": True}}


def test_titles_are_swedish_first(bundle: Bundle) -> None:
    titles = [content["dashboard_title"] for name, content in bundle.items() if name.startswith("dashboards/")]
    assert sorted(titles) == [
        "Digitalisering / Digitalisation",
        "Klimat / Climate",
        "Snödrift / Snow operations",
        "UTTC-portföljen / UTTC portfolio",
    ]


# Exposures


def exposed(manifest: Manifest) -> dict[str, set[str]]:
    return {
        exposure["name"]: {node.rpartition(".")[2] for node in exposure["depends_on"]["nodes"]}
        for exposure in manifest.content["exposures"].values()
    }


def shown(bundle: Bundle) -> dict[str, set[str]]:
    """Marts behind every dashboard, those that its datasets join too."""
    joins = {mart: {join.to for join in subject.joins} for mart, subject in MODEL.subjects.items()}
    return {
        slug.replace("-", "_"): marts.union(*(joins[mart] for mart in marts))
        for slug, marts in marts_of_dashboards(bundle).items()
    }


def test_every_dashboard_has_its_exposure(manifest: Manifest, bundle: Bundle) -> None:
    dashboards = shown(bundle)
    assert {name: marts for name, marts in exposed(manifest).items() if name in dashboards} == dashboards


def test_an_exposure_that_lags_behind_its_dashboard_is_found(manifest: Manifest, bundle: Bundle) -> None:
    moved = copy.deepcopy(dict(bundle))
    moved["charts/twin_stage.yaml"]["dataset_uuid"] = dataset_uuid("kpi_twin__local_adoption")
    assert exposed(manifest)["hogland_uttc"] ^ shown(moved)["hogland_uttc"] == {"kpi_twin__local_adoption"}


def test_every_exposure_has_an_owner_of_its_marts(manifest: Manifest) -> None:
    owners = {contract.owner for contract in contracts_of(manifest).values()}
    assert {exposure["owner"]["name"] for exposure in manifest.content["exposures"].values()} <= owners


def marts_named_in(sources: str, manifest: Manifest) -> set[str]:
    return set(re.findall(r"\w+", sources)) & {str(mart["name"]) for mart in manifest.marts()}


def test_the_kpi_page_has_its_exposure(manifest: Manifest) -> None:
    site = PROJECT_ROOT / "hogland_pipeline" / "site"
    sources = "".join(path.read_text("utf-8") for path in site.glob("*.py"))
    assert exposed(manifest)["kpi_page"] == marts_named_in(sources, manifest)
    more = sources + "SELECT * FROM kpi_twin__capability"
    assert marts_named_in(more, manifest) - exposed(manifest)["kpi_page"] == {"kpi_twin__capability"}
