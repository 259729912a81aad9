"""The semantic model as published: one ``semantic_model.yaml`` in the form of the Open Semantic Interchange.

Chosen over dbt's semantic models, which only dbt's own service serves and for which dbt asks for a time spine in the
marts; and over a dialect of one vendor. The form is open, several BI tools have converters for it, and it is plain
enough for a person who builds the measures by hand. What it has no word for (unit, number format, default aggregation,
Swedish and English names) stands in an extension of vendor COMMON.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from hogland_pipeline.columns import Column
from hogland_pipeline.contracts import languages
from hogland_pipeline.release_tables import Draft, WrittenTable
from hogland_pipeline.releases import PublicationFailed
from hogland_pipeline.semantics import Join, Measure, SemanticModel, Subject, unknown_columns

SEMANTIC_MODEL_NAME = "semantic_model.yaml"
# The last version of the form that is not a draft.
OSI_VERSION = "0.1.1"
NUMBER_FORMATS = {"decimal": "#,##0.0", "integer": "#,##0", "percent": "0.0 %"}


def write_semantic_model(draft: Draft, model: SemanticModel) -> list[str]:
    """Write the model of the marts that this release has; returns the name of the file.

    Raises ``PublicationFailed`` when it names columns that they do not have.
    """
    columns_of = {table.name: {column.name: column.type for column in table.columns} for table in draft.tables}
    # A mart whose source never came is not published.
    here = SemanticModel({mart: subject for mart, subject in model.subjects.items() if mart in columns_of})
    if wrong := list(unknown_columns(here, columns_of)):
        raise PublicationFailed(f"the semantic model does not fit the marts: {'; '.join(wrong)}")
    text = yaml.safe_dump(interchange(draft, here), allow_unicode=True, sort_keys=False, width=120)
    (draft.folder / SEMANTIC_MODEL_NAME).write_text(text, encoding="utf-8")
    return [SEMANTIC_MODEL_NAME]


def interchange(draft: Draft, model: SemanticModel) -> dict[str, Any]:
    """The whole document."""
    used = {join.to for subject in model.subjects.values() for join in subject.joins} | set(model.subjects)
    tables = [table for table in draft.tables if table.name in used]
    return {
        "version": OSI_VERSION,
        "semantic_model": [
            {
                "name": "hogland",
                "description": "Höglandets nyckeltal. / Key figures of Höglandet.",
                "datasets": [_dataset(draft, table, model.subjects.get(table.name)) for table in tables],
                "relationships": list(_relationships(draft, model)),
                "metrics": [
                    _metric(mart, name, measure)
                    for mart, subject in model.subjects.items()
                    for name, measure in subject.measures.items()
                ],
                "custom_extensions": [_extension({"release_id": draft.release_id})],
            }
        ],
    }


def _dataset(draft: Draft, table: WrittenTable, subject: Subject | None) -> dict[str, Any]:
    contract = draft.contract(table.name)
    dataset: dict[str, Any] = {
        "name": table.name,
        # The schema in the DuckDB file; in PostgreSQL it is the one of [publish.postgres].
        "source": f"hogland.main.{table.name}",
        "description": contract.description or table.comment or table.name,
    }
    if contract.key:
        dataset["primary_key" if set(contract.key) <= contract.required else "unique_keys"] = (
            list(contract.key) if set(contract.key) <= contract.required else [list(contract.key)]
        )
    if subject:
        dataset["ai_context"] = {"synonyms": list(subject.synonyms)}
        dataset["custom_extensions"] = [_extension({"sv": subject.sv, "en": subject.en})]
    dataset["fields"] = [_field(column, subject) for column in table.columns]
    return dataset


def _field(column: Column, subject: Subject | None) -> dict[str, Any]:
    field: dict[str, Any] = {
        "name": column.name,
        "expression": _ansi(column.name),
        "dimension": {"is_time": subject is not None and column.name == subject.time},
    }
    if column.comment:
        field["label"] = (subject.label(column.name) if subject else None) or label_of(column)
        field["description"] = column.comment
    return field


def label_of(column: Column) -> str:
    """A short Swedish name: the first words of the description, up to a stop."""
    texts = dict(languages(column.comment or ""))
    words = texts.get("sv") or texts["en"]
    return min((words.partition(stop)[0] for stop in (". ", ";", ",", ":")), key=len).rstrip(".") or column.name


def _relationships(draft: Draft, model: SemanticModel) -> Iterator[dict[str, Any]]:
    """Only joins on a whole key: one that needs a condition cannot be said in this form."""
    for mart, subject in model.subjects.items():
        for join in subject.joins:
            if _is_on_key(draft, join):
                yield {
                    "name": f"{mart}_to_{join.to}",
                    "from": mart,
                    "to": join.to,
                    "from_columns": list(join.by),
                    "to_columns": list(join.by.values()),
                }


def _is_on_key(draft: Draft, join: Join) -> bool:
    return not join.where and set(join.by.values()) == set(draft.contract(join.to).key)


def _metric(mart: str, name: str, measure: Measure) -> dict[str, Any]:
    told: Mapping[str, Any] = {
        "dataset": mart,
        "default_aggregation": measure.aggregation,
        "unit": measure.unit,
        "format": NUMBER_FORMATS["integer" if measure.aggregation.startswith("count") else measure.format],
        "sv": measure.sv,
        "en": measure.en,
    }
    return {
        "name": f"{mart}__{name}",
        "expression": _ansi(measure.sql(name, mart)),
        "description": f"{measure.sv}. / {measure.en}.",
        "ai_context": {"synonyms": [measure.sv, measure.en]},
        "custom_extensions": [_extension({key: value for key, value in told.items() if value is not None})],
    }


def _ansi(expression: str) -> dict[str, Any]:
    return {"dialects": [{"dialect": "ANSI_SQL", "expression": expression}]}


def _extension(data: Mapping[str, Any]) -> dict[str, str]:
    return {"vendor_name": "COMMON", "data": json.dumps(data, ensure_ascii=False)}
