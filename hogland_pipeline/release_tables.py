"""What a release consists of: the DuckDB file, a Parquet file per table, and the manifest that lists them."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from expectations.runner import CheckResult
from hogland_pipeline.columns import PLAIN_TYPE, Column, literal, period_of, quoted, row_hash
from hogland_pipeline.contracts import MartContract, Promise
from hogland_pipeline.publication_record import DESCRIPTION, RECORD_NAMES
from hogland_pipeline.releases import DATABASE_NAME, MANIFEST_NAME, PublicationFailed, Target

# The oldest storage format: a file written so opens in every DuckDB from 1.1.3 to 2.0.
STORAGE_VERSION = "v1.0.0"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WrittenTable:
    """A written table; the fingerprint covers its columns and rows, in whatever order the rows are.

    ``period`` is the SQL for the period of a row (`columns.period_of`), ``periods`` holds a fingerprint for each.
    """

    name: str
    row_count: int
    columns: tuple[Column, ...]
    fingerprint: str
    comment: str | None = None
    period: str = ""
    periods: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Draft:
    """A release being written: what writers of further files (extracts, descriptions) are given.

    `checks` are the results of its audit by table.
    """

    folder: Path
    release_id: str
    run_id: str
    published_at: datetime
    tables: tuple[WrittenTable, ...]
    contracts: Mapping[str, MartContract]
    checks: Mapping[str, Sequence[CheckResult]] = field(default_factory=dict)

    def contract(self, table: str) -> MartContract:
        """The contract of a table; tables of the publication itself have a bare one."""
        return self.contracts.get(table) or MartContract(table)


def published_promises(target: Target) -> dict[str, Promise]:
    """What the current release promises by mart; empty when nothing readable is published."""
    manifest = target.published / MANIFEST_NAME
    try:
        tables = json.loads(manifest.read_text(encoding="utf-8"))["tables"]
        return {name: _promise(table) for name, table in tables.items() if name not in RECORD_NAMES}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        log.warning("%s cannot be read (%s): contracts are not compared with it", manifest, error)
        return {}


def _promise(table: Mapping[str, Any]) -> Promise:
    until = table.get("deprecated_until")
    columns = {column["name"]: column["type"] for column in table["columns"]}
    return Promise(columns, table.get("version", 1), date.fromisoformat(until) if until else None)


def promised(tables: Sequence[WrittenTable], contracts: Mapping[str, MartContract]) -> dict[str, Promise]:
    """What a new release promises."""
    promises = {}
    for table in tables:
        contract = contracts.get(table.name) or MartContract(table.name)
        columns = {column.name: column.type for column in table.columns}
        promises[table.name] = Promise(columns, contract.version, contract.deprecated_until)
    return promises


def published_fingerprints(target: Target) -> dict[str, str]:
    """Fingerprints of the published tables by name; empty when nothing readable is published."""
    manifest = target.published / MANIFEST_NAME
    try:
        tables = json.loads(manifest.read_text(encoding="utf-8"))["tables"]
        return {name: table["fingerprint"] for name, table in tables.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        log.warning("%s cannot be read (%s): every mart counts as changed", manifest, error)
        return {}


def copy_marts(
    build_db: Path, candidate: Path, marts: Sequence[str], contracts: Mapping[str, MartContract]
) -> list[WrittenTable]:
    """Copy marts from schema main of the build database into the candidate, with comments, and as Parquet.

    Raises `PublicationFailed` when a mart is missing or has a column type that not every reader knows.
    """
    if not build_db.is_file():
        raise PublicationFailed(f"there is no build database {build_db}")
    # Without a temporary folder of its own, an in-memory database would spill into the working directory.
    with duckdb.connect(config={"temp_directory": str(candidate / "spill")}) as connection:
        connection.execute(f"ATTACH {literal(build_db)} AS build (READ_ONLY)")
        database = literal(candidate / DATABASE_NAME)
        connection.execute(f"ATTACH {database} AS hogland (STORAGE_VERSION '{STORAGE_VERSION}')")
        tables = [_copy_mart(connection, candidate, contracts.get(mart) or MartContract(mart)) for mart in marts]
        connection.execute("CHECKPOINT hogland")
        connection.execute("DETACH hogland")
    return tables


def add_tables(candidate: Path, tables: Mapping[str, pa.Table]) -> list[WrittenTable]:
    """Add small tables to the copied marts, and as Parquet."""
    with duckdb.connect(candidate / DATABASE_NAME) as connection:
        for name, rows in tables.items():
            connection.register("arriving", rows)
            connection.execute(f"CREATE TABLE main.{name} AS FROM arriving")
            connection.unregister("arriving")
            _describe(connection, name, rows.schema)
        written = [_write_table(connection, candidate, MartContract(name)) for name in tables]
        connection.execute("CHECKPOINT")
    return written


def _describe(connection: duckdb.DuckDBPyConnection, table: str, schema: pa.Schema) -> None:
    """Descriptions of an Arrow schema and its fields become comments."""
    if schema.metadata and DESCRIPTION in schema.metadata:
        text = schema.metadata[DESCRIPTION].decode()
        connection.execute(f"COMMENT ON TABLE main.{table} IS {literal(text)}")
    for column in schema:
        if column.metadata and DESCRIPTION in column.metadata:
            text = column.metadata[DESCRIPTION].decode()
            connection.execute(f"COMMENT ON COLUMN main.{table}.{column.name} IS {literal(text)}")


def _copy_mart(connection: duckdb.DuckDBPyConnection, candidate: Path, contract: MartContract) -> WrittenTable:
    mart = contract.name
    _require_plain(mart, _columns(connection, "build", mart))
    connection.execute(f"CREATE TABLE hogland.main.{mart} AS FROM build.main.{mart}")
    _copy_comments(connection, mart)
    table = _write_table(connection, candidate, contract)
    [built] = _row(connection, f"FROM build.main.{mart} SELECT count(*)")
    if built != table.row_count:
        raise PublicationFailed(f"mart {mart}: {built} rows built, {table.row_count} rows copied")
    return table


def _require_plain(mart: str, columns: Sequence[Column]) -> None:
    """Only types that every tool reads alike: no ENUM, LIST, STRUCT or HUGEINT (a bare sum of integers)."""
    if not columns:
        raise PublicationFailed(f"mart {mart} is not in the build database")
    for column in columns:
        if not PLAIN_TYPE.fullmatch(column.type):
            raise PublicationFailed(
                f"mart {mart}: column {column.name} has type {column.type}, which not every reader knows; "
                "cast it in the model"
            )


def _copy_comments(connection: duckdb.DuckDBPyConnection, mart: str) -> None:
    [comment] = _row(
        connection,
        "SELECT max(comment) FROM duckdb_tables() "
        "WHERE database_name = 'build' AND schema_name = 'main' AND table_name = ?",
        [mart],
    )
    if comment:
        connection.execute(f"COMMENT ON TABLE hogland.main.{mart} IS {literal(comment)}")
    for column in _columns(connection, "build", mart):
        if column.comment:
            name = f"hogland.main.{mart}.{quoted(column.name)}"
            connection.execute(f"COMMENT ON COLUMN {name} IS {literal(column.comment)}")


def _columns(connection: duckdb.DuckDBPyConnection, catalog: str, table: str) -> tuple[Column, ...]:
    rows = connection.execute(
        "SELECT column_name, data_type, comment FROM duckdb_columns() "
        "WHERE database_name = ? AND schema_name = 'main' AND table_name = ? ORDER BY column_index",
        [catalog, table],
    ).fetchall()
    return tuple(Column(*row) for row in rows)


def _write_table(connection: duckdb.DuckDBPyConnection, candidate: Path, contract: MartContract) -> WrittenTable:
    """Measure a table of the candidate and write it as Parquet too."""
    name = contract.name
    columns = _columns(connection, "hogland", name)
    period = period_of(columns, contract.key, contract.required)
    rows = connection.execute(
        f"FROM (FROM hogland.main.{name} SELECT {period or 'NULL'} AS period, {row_hash(columns)} AS row_hash)"
        " SELECT period::VARCHAR, count(*), sum(row_hash), bit_xor(row_hash) GROUP BY period ORDER BY period"
    ).fetchall()
    count = sum(counted for _, counted, _, _ in rows)
    content = json.dumps([[(column.name, column.type) for column in columns], rows])
    path = parquet_path(candidate, name)
    connection.execute(f"COPY hogland.main.{name} TO {literal(path)} (FORMAT parquet, COMPRESSION zstd)")
    [exported] = _row(connection, f"FROM parquet_file_metadata({literal(path)}) SELECT num_rows")
    if exported != count:
        raise PublicationFailed(f"{path.name}: {count} rows in the table, {exported} rows exported")
    [comment] = _row(
        connection,
        "SELECT max(comment) FROM duckdb_tables() "
        "WHERE database_name = 'hogland' AND schema_name = 'main' AND table_name = ?",
        [name],
    )
    return WrittenTable(
        name,
        count,
        columns,
        hashlib.sha256(content.encode()).hexdigest()[:32],
        comment,
        period,
        {of: f"{counted:x}-{total:x}-{parity:x}" for of, counted, total, parity in rows} if period else {},
    )


def write_manifest(draft: Draft, before: Path | None = None) -> None:
    """List tables with columns and contracts, and files with their digests, for readers that verify a copy.

    What is a link to a file of the release ``before`` has the digest that is listed there.
    """
    digests = _known_digests(before) if before else {}
    files = {}
    for name, path in release_files(draft.folder).items():
        about = path.stat()
        if about.st_ino not in digests:
            digests[about.st_ino] = sha256(path)
        files[name] = {"bytes": about.st_size, "sha256": digests[about.st_ino]}
    manifest: dict[str, Any] = {
        "release_id": draft.release_id,
        "run_id": draft.run_id,
        "published_at": draft.published_at.astimezone(UTC).isoformat(),
        "storage_version": STORAGE_VERSION,
        "tables": {table.name: _listed(table, draft.contract(table.name)) for table in draft.tables},
        "files": files,
    }
    text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    (draft.folder / MANIFEST_NAME).write_text(text, encoding="utf-8")


def _known_digests(release: Path) -> dict[int, str]:
    """The digests that a release lists, by the inode of the file."""
    try:
        files = json.loads((release / MANIFEST_NAME).read_text(encoding="utf-8"))["files"]
        return {(release / name).stat().st_ino: listed["sha256"] for name, listed in files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _listed(table: WrittenTable, contract: MartContract) -> dict[str, Any]:
    until = contract.deprecated_until
    return {
        "rows": table.row_count,
        "fingerprint": table.fingerprint,
        "description": contract.description or table.comment,
        "owner": contract.owner,
        "domain": contract.domain,
        "version": contract.version,
        "deprecated_until": until.isoformat() if until else None,
        "key": list(contract.key),
        "required": sorted(contract.required),
        "columns": [asdict(column) for column in table.columns],
    }


def require_exactly_its_files(draft: Draft, further: Collection[str]) -> None:
    """A write-ahead log beside the database would be lost at the rename, and its rows with it.

    `further` names what writers added, relative to the release.
    """
    expected = {DATABASE_NAME, MANIFEST_NAME, *further} | {f"parquet/{table.name}.parquet" for table in draft.tables}
    if differing := sorted(set(release_files(draft.folder)) ^ expected):
        raise PublicationFailed(f"the release has unexpected or missing files: {', '.join(differing)}")


def release_tables(folder: Path) -> tuple[list[WrittenTable], dict[str, MartContract]]:
    """The tables of a complete release and their contracts, as its manifest lists them."""
    listed = json.loads((folder / MANIFEST_NAME).read_text(encoding="utf-8"))["tables"]
    tables, contracts = [], {}
    for name, table in listed.items():
        columns = tuple(Column(**column) for column in table["columns"])
        tables.append(WrittenTable(name, table["rows"], columns, table["fingerprint"], table.get("description")))
        contracts[name] = MartContract(name, table.get("description") or "", key=tuple(table.get("key", ())))
    return tables, contracts


def release_files(folder: Path) -> dict[str, Path]:
    """The files of a release by their name relative to it."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path for path in paths}


def sha256(path: Path) -> str:
    """The digest of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def parquet_path(candidate: Path, table: str) -> Path:
    """Where the Parquet copy of a table lies in its release."""
    return candidate / "parquet" / f"{table}.parquet"


def _row(connection: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[object] = ()) -> tuple[Any, ...]:
    [row] = connection.execute(query, list(parameters)).fetchall()
    return tuple(row)
