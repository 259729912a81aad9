"""A small release with the marts that the KPI page reads (``site_marts.sql``), written without a night."""

from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

from hogland_pipeline.columns import Column
from hogland_pipeline.publish_settings import SiteSettings
from hogland_pipeline.release_tables import Draft, WrittenTable
from hogland_pipeline.site.write import write_site

MARTS = Path(__file__).with_name("site_marts.sql")
PUBLISHED_AT = datetime(2026, 2, 1, 3, 15, tzinfo=UTC)
STOCKHOLM = ZoneInfo("Europe/Stockholm")


def site_draft(folder: Path, *, without: Collection[str] = (), then: str = "") -> Draft:
    """A release being written into ``folder``; ``without`` leaves marts out, ``then`` changes the others by SQL."""
    folder.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(folder / "hogland.duckdb") as connection:
        connection.execute(MARTS.read_text(encoding="utf-8"))
        for mart in without:
            connection.execute(f"drop table {mart}")
        if then:
            connection.execute(then)
        names = connection.execute("select table_name from duckdb_tables() order by table_name").fetchall()
        tables = tuple(_table(connection, name) for (name,) in names)
    return Draft(folder, "20260201T031500000000Z-test", "test", PUBLISHED_AT, tables, {})


def write_release(draft: Draft) -> Path:
    """Write the site of a draft; its folder."""
    write_site(draft, SiteSettings(), STOCKHOLM)
    return draft.folder / "site"


def _table(connection: duckdb.DuckDBPyConnection, name: str) -> WrittenTable:
    described = connection.execute(f"describe {name}").fetchall()
    columns = tuple(Column(row[0], row[1], f"Vad {row[0]} är. / What {row[0]} is.") for row in described)
    return WrittenTable(name, 1, columns, "", f"Svensk text om {name}. / About {name}.")
