"""The dashboards of Superset as a bundle that every Superset imports.

Charts and dashboards are files of Superset's own export format under ``dashboards/superset``: change them there,
export, and put the files back. The datasets they read are made from the semantic model and the contracts, so that a
measure is stated once.
"""

from __future__ import annotations

import io
import uuid
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from hogland_pipeline.columns import Column
from hogland_pipeline.release_tables import Draft
from hogland_pipeline.semantics import Measure, SemanticModel, Subject
from hogland_pipeline.settings import PROJECT_ROOT
from hogland_pipeline.site.words import in_both_languages
from hogland_pipeline.targets.semantic_model import label_of

SUPERSET_FOLDER = PROJECT_ROOT / "dashboards" / "superset"
BUNDLE_NAME = "dashboards/hogland_superset.zip"
DATABASE_FOLDER = "datasets/Hogland"
NAMESPACE = uuid.UUID("6f0d1f3e-3f6f-5a52-9d1b-2f6b6a1c0d4e")
D3_FORMATS = {"decimal": ",.1f", "integer": ",d", "percent": ".0%"}
# Parts of a chart's parameters that name columns, and those that name measures.
COLUMN_KEYS = ("x_axis", "granularity_sqla", "groupby", "columns", "all_columns", "groupbyRows", "groupbyColumns")
MEASURE_KEYS = ("metric", "metrics", "percent_metrics", "timeseries_limit_metric")

Bundle = Mapping[str, Any]
Columns = Mapping[str, Sequence[Column]]


def dataset_uuid(mart: str) -> str:
    """The same in every bundle, so that charts find their dataset."""
    return str(uuid.uuid5(NAMESPACE, f"dataset/{mart}"))


def read_bundle(model: SemanticModel, columns_of: Columns, folder: Path = SUPERSET_FOLDER) -> dict[str, Any]:
    """All files of the bundle by name: those under version control, and a dataset per subject of the model."""
    parts = ("charts", "dashboards", "databases")
    paths = [folder / "metadata.yaml", *(path for part in parts for path in sorted((folder / part).glob("*.yaml")))]
    bundle = {path.relative_to(folder).as_posix(): yaml.safe_load(path.read_text(encoding="utf-8")) for path in paths}
    [database] = [content for name, content in bundle.items() if name.startswith("databases/")]
    for mart, subject in model.subjects.items():
        if mart in columns_of:
            bundle[f"{DATABASE_FOLDER}/{mart}.yaml"] = dataset(mart, subject, columns_of, database["uuid"])
    return bundle


def dataset(mart: str, subject: Subject, columns_of: Columns, database_uuid: str) -> dict[str, Any]:
    """A mart as Superset knows it; one with joins is a query, the others are the table itself."""
    own = [_column(column, subject) for column in columns_of[mart]]
    joined = [
        _column(column, subject)
        for join in subject.joins
        for name in join.columns
        for column in columns_of.get(join.to, ())
        if column.name == name
    ]
    return {
        "table_name": mart,
        "main_dttm_col": subject.time,
        "description": f"{subject.sv}. / {subject.en}.",
        "schema": "main",
        "sql": _query(mart, subject) if subject.joins else None,
        "uuid": dataset_uuid(mart),
        "database_uuid": database_uuid,
        "version": "1.0.0",
        "metrics": [_metric(name, measure) for name, measure in subject.measures.items()],
        "columns": own + joined + [_in_words(name, group, subject) for name, group in subject.words.items()],
    }


def write_bundle(draft: Draft, model: SemanticModel) -> list[str]:
    """Write the bundle into a release; returns the name of the file."""
    columns_of = {table.name: table.columns for table in draft.tables}
    path = draft.folder / BUNDLE_NAME
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(zipped(read_bundle(model, columns_of)))
    return [BUNDLE_NAME]


def zipped(bundle: Bundle) -> bytes:
    """The bundle as a file for *Import dashboards*; the same content is the same bytes."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(bundle.items()):
            text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=120)
            archive.writestr(zipfile.ZipInfo(f"hogland/{name}"), text, compress_type=zipfile.ZIP_DEFLATED)
    return target.getvalue()


def marts_of_dashboards(bundle: Bundle) -> dict[str, set[str]]:
    """Slug of every dashboard and the marts that its charts read."""
    mart_of = {content["uuid"]: content["table_name"] for _, content in _part(bundle, "datasets/")}
    charts = {content["uuid"]: content for _, content in _part(bundle, "charts/")}
    return {
        dashboard["slug"]: {mart_of[charts[chart]["dataset_uuid"]] for chart in placed_charts(dashboard)}
        for _, dashboard in _part(bundle, "dashboards/")
    }


def placed_charts(dashboard: Mapping[str, Any]) -> list[str]:
    """The ids of the charts on a dashboard."""
    parts = [part for part in dashboard["position"].values() if isinstance(part, dict)]
    return [str(part["meta"]["uuid"]) for part in parts if part["type"] == "CHART"]


def faults(bundle: Bundle) -> Iterator[str]:
    """A sentence for everything in the bundle that points at nothing. Datasets are held against their marts before."""
    datasets = {content["uuid"]: content for _, content in _part(bundle, "datasets/")}
    charts = {content["uuid"]: name for name, content in _part(bundle, "charts/")}
    databases = {content["uuid"] for _, content in _part(bundle, "databases/")}
    for name, content in _part(bundle, "datasets/"):
        if content["database_uuid"] not in databases:
            yield f"{name}: there is no database {content['database_uuid']}"
    for name, chart in _part(bundle, "charts/"):
        if chart["dataset_uuid"] not in datasets:
            yield f"{name}: there is no dataset {chart['dataset_uuid']}"
            continue
        yield from (f"{name}: {fault}" for fault in _faults_of_chart(chart, datasets[chart["dataset_uuid"]]))
    placed = set()
    for name, dashboard in _part(bundle, "dashboards/"):
        placed.update(placed_charts(dashboard))
        yield from (f"{name}: {fault}" for fault in _faults_of_dashboard(dashboard, charts))
    yield from (f"{name}: is on no dashboard" for chart, name in charts.items() if chart not in placed)


def _faults_of_chart(chart: Mapping[str, Any], dataset: Mapping[str, Any]) -> Iterator[str]:
    columns = {column["column_name"] for column in dataset["columns"]}
    measures = {metric["metric_name"] for metric in dataset["metrics"]}
    params = chart["params"]
    table = dataset["table_name"]
    named = [name for key in COLUMN_KEYS for name in _listed(params.get(key))]
    named += [each["subject"] for each in params.get("adhoc_filters", ())]
    yield from (f"{table} has no column {name}" for name in named if name not in columns)
    wanted = [name for key in MEASURE_KEYS for name in _listed(params.get(key))]
    yield from (f"{table} has no measure {name}" for name in wanted if name not in measures)
    if params["viz_type"] != chart["viz_type"]:
        yield f"is a {chart['viz_type']} with parameters of a {params['viz_type']}"


def _faults_of_dashboard(dashboard: Mapping[str, Any], charts: Mapping[str, str]) -> Iterator[str]:
    position = dashboard["position"]
    yield from (f"there is no chart {chart}" for chart in placed_charts(dashboard) if chart not in charts)
    for key, part in position.items():
        if isinstance(part, dict):
            yield from (
                f"{key} holds {child}, which is not there" for child in part["children"] if child not in position
            )


def _listed(value: Any) -> Iterable[Any]:
    if value is None:
        return ()
    return value if isinstance(value, list) else (value,)


def _part(bundle: Bundle, prefix: str) -> list[tuple[str, Any]]:
    return [(name, content) for name, content in bundle.items() if name.startswith(prefix)]


def _query(mart: str, subject: Subject) -> str:
    columns = ["mart.*"]
    joins = []
    for number, join in enumerate(subject.joins, 1):
        alias = f"joined_{number}"
        columns += [f"{alias}.{column}" for column in join.columns]
        condition = [f"mart.{own} = {alias}.{theirs}" for own, theirs in join.by.items()]
        condition += [f"{alias}.{join.where}"] if join.where else []
        joins.append(f"LEFT JOIN {join.to} AS {alias} ON {' AND '.join(condition)}")
    return f"SELECT {', '.join(columns)}\nFROM {mart} AS mart\n" + "\n".join(joins)


def _column(column: Column, subject: Subject) -> dict[str, Any]:
    return {
        "column_name": column.name,
        "verbose_name": subject.label(column.name) or label_of(column),
        "type": column.type,
        "is_dttm": column.type == "DATE" or column.type.startswith("TIMESTAMP"),
        "is_active": True,
        "groupby": True,
        "filterable": True,
        "description": column.comment,
    }


def _in_words(column: str, group: str, subject: Subject) -> dict[str, Any]:
    """A column of codes in words, calculated by Superset in whatever database the mart is in."""
    cases = " ".join(
        f"WHEN '{code}' THEN '{words.replace(chr(39), 2 * chr(39))}'"
        for code, words in in_both_languages(group).items()
    )
    return {
        "column_name": f"{column}_words",
        "verbose_name": subject.label(column) or column,
        "type": "VARCHAR",
        "is_dttm": False,
        "is_active": True,
        "groupby": True,
        "filterable": True,
        "expression": f"CASE {column} {cases} ELSE {column} END",
        "description": f"{column} i ord. / {column} in words.",
    }


def _metric(name: str, measure: Measure) -> dict[str, Any]:
    counted = measure.aggregation.startswith("count")
    return {
        "metric_name": name,
        "verbose_name": measure.label,
        "metric_type": None,
        "expression": measure.sql(name),
        "description": measure.en,
        "d3format": D3_FORMATS["integer" if counted else measure.format],
    }
