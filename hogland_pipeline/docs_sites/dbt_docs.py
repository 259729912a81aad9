"""dbt's own documentation site as one static file: what ``dbt docs generate --static`` writes, without running dbt.

dbt's command parses the project and asks the database relation by relation: 9 s of CPU. The manifest is there already
and one query answers what its catalog holds, so that the page costs 0.2 s.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from hogland_pipeline.manifest import Manifest

CATALOG_SCHEMA = "https://schemas.getdbt.com/dbt/catalog/v1.json"
# What the page never shows of a test, and of anything: two thirds of the manifest.
UNSEEN = {"build_path", "checksum", "compiled_path", "created_at", "unrendered_config", "file_key_name"}
# Parts of dbt's page that a browser tries to load before the page's own script has filled them in.
LOADED_TOO_EARLY = {
    """<use xlink:href="{{ getIcon(item.type""": """<use ng-attr-href="{{ getIcon(item.type""",
    """<link rel="shortcut icon" href="${require('./assets/favicons/favicon.ico')}"/>""": "",
}
UNSEEN_OF_TESTS = UNSEEN | {"compiled_code", "contract", "path"}


def dbt_docs_page(manifest: Manifest, build_db: Path, generated_at: datetime) -> str:
    """The page, with what the project is and what tables of `build_db` are filled in."""
    from dbt.task.docs import DOCS_INDEX_FILE_PATH

    page = Path(DOCS_INDEX_FILE_PATH).read_text(encoding="utf-8")
    for early, late in LOADED_TOO_EARLY.items():
        page = page.replace(early, late)
    for place, content in (
        ('"MANIFEST.JSON INLINE DATA"', shown_manifest(manifest)),
        ('"CATALOG.JSON INLINE DATA"', catalog(manifest, build_db, generated_at)),
    ):
        if page.count(place) != 1:
            raise ValueError(f"dbt's page has no place for {place}: its version has changed")
        # The data stands inside a script element.
        page = page.replace(place, json.dumps(content, separators=(",", ":")).replace("</", "<\\/"))
    return page


def shown_manifest(manifest: Manifest) -> dict[str, Any]:
    """The manifest without what the page does not show: dbt's own macros, paths and checksums."""
    content = dict(manifest.content)
    project = content["metadata"]["project_name"]
    content["macros"] = {key: macro for key, macro in content["macros"].items() if macro["package_name"] == project}
    content["nodes"] = {key: _shown(node) for key, node in content["nodes"].items()}
    return content


def _shown(node: Mapping[str, Any]) -> dict[str, Any]:
    if node["resource_type"] != "test":
        return {key: value for key, value in node.items() if key not in UNSEEN}
    shown = {key: value for key, value in node.items() if key not in UNSEEN_OF_TESTS}
    config = node["config"]
    return shown | {"config": {key: config.get(key) for key in ("enabled", "severity", "materialized", "tags", "meta")}}


def catalog(manifest: Manifest, build_db: Path, generated_at: datetime) -> dict[str, Any]:
    """dbt's catalog: columns with types and comments, and row counts, of every relation of the build."""
    with duckdb.connect(build_db, read_only=True) as connection:
        relations = connection.execute(
            "SELECT schema_name, table_name, 'BASE TABLE', comment, estimated_size FROM duckdb_tables()"
            " UNION ALL SELECT schema_name, view_name, 'VIEW', comment, NULL FROM duckdb_views() WHERE NOT internal"
        ).fetchall()
        columns = connection.execute(
            "SELECT schema_name, table_name, column_name, data_type, column_index, comment FROM duckdb_columns()"
            " WHERE NOT internal ORDER BY ALL"
        ).fetchall()
    columns_of: dict[tuple[str, str], dict[str, Any]] = {}
    for schema, table, name, kind, index, comment in columns:
        column = {"type": kind, "index": index, "name": name, "comment": comment}
        columns_of.setdefault((schema, table), {})[name] = column
    tables = {
        (schema, name): {
            "metadata": {"type": kind, "schema": schema, "name": name, "database": build_db.stem, "comment": comment},
            "columns": columns_of.get((schema, name), {}),
            "stats": _stats(rows),
        }
        for schema, name, kind, comment, rows in relations
    }
    return {
        "metadata": {
            "dbt_schema_version": CATALOG_SCHEMA,
            "dbt_version": manifest.content["metadata"]["dbt_version"],
            "generated_at": generated_at.astimezone(UTC).isoformat(),
        },
        "nodes": {
            node["unique_id"]: tables[place] | {"unique_id": node["unique_id"]}
            for node in manifest.built_nodes()
            if (place := (node["schema"], node["alias"])) in tables
        },
        "sources": {},
        "errors": None,
    }


def _stats(rows: int | None) -> dict[str, Any]:
    if rows is None:
        return {"has_stats": {"id": "has_stats", "label": "", "value": False, "include": False}}
    return {
        "has_stats": {"id": "has_stats", "label": "", "value": True, "include": False},
        "rows": {"id": "rows", "label": "Rows", "value": rows, "include": True, "description": "Rows in the table"},
    }
