"""Small files for people: each mart as CSV, as an Excel workbook with a data dictionary, and one Frictionless package.

    extracts/<mart>.csv      UTF-8, comma, decimal point, times in UTC as ISO 8601, empty for null
    extracts/<mart>.xlsx     sheets `data`, `data_dictionary` and `about`
    datapackage.json         describes the CSV files, and as Parquet the marts too large for one

Excel keeps no time zones (times are UTC, as the header says) and 15 digits of a number.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import polars as pl
import xlsxwriter

from hogland_pipeline.contracts import MartContract
from hogland_pipeline.publish_settings import ExtractSettings
from hogland_pipeline.release_tables import Draft, WrittenTable, parquet_path, sha256

DATA_PACKAGE_NAME = "datapackage.json"
EXTRACT_FOLDER = "extracts"
LONGEST_EXCEL_TEXT = 32_767
FIELD_TYPES = {"BOOLEAN": "boolean", "VARCHAR": "string", "DATE": "date", "FLOAT": "number", "DOUBLE": "number"}

log = logging.getLogger(__name__)


def write_extracts(draft: Draft, settings: ExtractSettings, license_url: str) -> list[str]:
    """Write the extracts and the data package; returns the names of the files, relative to the release."""
    folder = draft.folder / EXTRACT_FOLDER
    folder.mkdir()
    written: list[Path] = []
    for table in draft.tables:
        if table.row_count <= settings.max_rows:
            written += _write_extract(draft, table, folder)
        else:
            log.warning("%s: %d rows are too many for an extract; it is in Parquet", table.name, table.row_count)
    package = draft.folder / DATA_PACKAGE_NAME
    package.write_text(
        json.dumps(data_package(draft, license_url), indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    return [path.relative_to(draft.folder).as_posix() for path in [*written, package]]


def _write_extract(draft: Draft, table: WrittenTable, folder: Path) -> Iterator[Path]:
    rows = pl.read_parquet(parquet_path(draft.folder, table.name))
    csv = folder / f"{table.name}.csv"
    rows.write_csv(csv, datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ")
    yield csv
    if too_long := _too_long_for_excel(rows):
        log.warning("%s: no workbook, column %s has texts longer than Excel keeps", table.name, too_long)
        return
    workbook = folder / f"{table.name}.xlsx"
    _write_workbook(draft, table, rows, workbook)
    yield workbook


def _too_long_for_excel(rows: pl.DataFrame) -> str | None:
    texts = rows.select(pl.col(pl.String).str.len_chars().max())
    return next((name for name in texts.columns if (texts[name][0] or 0) > LONGEST_EXCEL_TEXT), None)


def _write_workbook(draft: Draft, table: WrittenTable, rows: pl.DataFrame, path: Path) -> None:
    # Texts that begin with = or look like an address stay texts.
    options = {"strings_to_formulas": False, "strings_to_urls": False, "nan_inf_to_errors": True}
    with xlsxwriter.Workbook(path, options) as workbook:
        times = pl.col(pl.Datetime).dt.replace_time_zone(None).name.suffix(" (UTC)")
        others = pl.exclude(pl.Datetime)
        order = [f"{name} (UTC)" if kind == pl.Datetime else name for name, kind in rows.schema.items()]
        data = rows.with_columns(pl.col(pl.Float32, pl.Float64).fill_nan(None)).select(others, times).select(order)
        _write_sheet(workbook, "data", data)
        _write_sheet(workbook, "data_dictionary", data_dictionary(table, draft.contract(table.name)))
        _write_sheet(workbook, "about", _about(draft, table))


def _write_sheet(workbook: Any, name: str, rows: pl.DataFrame) -> None:
    rows.write_excel(
        workbook,
        name,
        table_style="Table Style Light 1",
        header_format={"bold": True},
        freeze_panes=(1, 0),
        autofit=True,
        dtype_formats={pl.Datetime: "yyyy-mm-dd hh:mm:ss", pl.Date: "yyyy-mm-dd", pl.Float64: "General"},
    )


def data_dictionary(table: WrittenTable, contract: MartContract) -> pl.DataFrame:
    """One row per column: name, type, whether it may be empty, whether it is part of the key, what it means."""
    rows = [
        {
            "column": column.name,
            "type": column.type.lower(),
            "may_be_empty": "no" if column.name in contract.required else "yes",
            "is_key": "yes" if column.name in contract.key else "no",
            "description": column.comment or "",
        }
        for column in table.columns
    ]
    return pl.DataFrame(
        rows, schema=dict.fromkeys(("column", "type", "may_be_empty", "is_key", "description"), pl.String)
    )


def _about(draft: Draft, table: WrittenTable) -> pl.DataFrame:
    contract = draft.contract(table.name)
    until = contract.deprecated_until
    facts = {
        "table": table.name,
        "description": contract.description or table.comment or "",
        "rows": str(table.row_count),
        "owner": contract.owner or "",
        "version": str(contract.version),
        "deprecated_until": until.isoformat() if until else "",
        "release": draft.release_id,
        "published_at (UTC)": f"{draft.published_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
    }
    return pl.DataFrame({"about": list(facts), "value": list(facts.values())})


def data_package(draft: Draft, license_url: str) -> dict[str, Any]:
    """The release as a Frictionless Data Package (version 2): one resource per table."""
    return {
        "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
        "name": "hogland",
        "title": "Höglandets nyckeltal / Key figures of Höglandet",
        "licenses": [{"path": license_url}],
        "version": draft.release_id,
        "created": draft.published_at.astimezone(UTC).isoformat(),
        "resources": [_resource(draft, table) for table in draft.tables],
    }


def _resource(draft: Draft, table: WrittenTable) -> dict[str, Any]:
    contract = draft.contract(table.name)
    csv = draft.folder / EXTRACT_FOLDER / f"{table.name}.csv"
    path = csv if csv.exists() else parquet_path(draft.folder, table.name)
    resource: dict[str, Any] = {
        "name": table.name,
        "type": "table",
        "description": contract.description or table.comment or table.name,
        "path": path.relative_to(draft.folder).as_posix(),
        "format": "csv" if path == csv else "parquet",
        "mediatype": "text/csv" if path == csv else "application/vnd.apache.parquet",
        "bytes": path.stat().st_size,
        "hash": f"sha256:{sha256(path)}",
        "schema": _table_schema(table, contract),
    }
    if path == csv:
        resource |= {"encoding": "utf-8", "dialect": {"delimiter": ",", "lineTerminator": "\n", "header": True}}
    return resource


def _table_schema(table: WrittenTable, contract: MartContract) -> dict[str, Any]:
    fields = []
    for column in table.columns:
        field: dict[str, Any] = {"name": column.name, "type": _field_type(column.type)}
        if column.comment:
            field["description"] = column.comment
        if column.name in contract.required:
            field["constraints"] = {"required": True}
            if field["type"] == "string":
                # No null here: what is empty is an empty text.
                field["missingValues"] = []
        fields.append(field)
    schema: dict[str, Any] = {"fields": fields, "missingValues": [""]}
    if contract.key and set(contract.key) <= contract.required:
        schema["primaryKey"] = list(contract.key)
    elif contract.key:
        # A primary key may have no empty part; a unique one may.
        schema["uniqueKeys"] = [list(contract.key)]
    return schema


def _field_type(duckdb_type: str) -> str:
    if duckdb_type.startswith("TIMESTAMP"):
        return "datetime"
    if duckdb_type.startswith("DECIMAL"):
        return "number"
    return FIELD_TYPES.get(duckdb_type, "integer")
