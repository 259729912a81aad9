"""Write the three sites into a release, under ``site/docs``.

site/docs/dbt/index.html          models, columns, lineage: dbt's own page
site/docs/checks/index.html       what was checked and what was found, with a page of Great Expectations a table
site/docs/dictionary/index.html   tables and columns, Swedish first
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from expectations.suite import load_suite
from hogland_pipeline.docs_sites.data_docs import AuditedTable, audit_pages
from hogland_pipeline.docs_sites.dbt_docs import dbt_docs_page
from hogland_pipeline.docs_sites.dictionary import dictionary_page
from hogland_pipeline.docs_sites.page import render
from hogland_pipeline.manifest import Manifest
from hogland_pipeline.release_tables import Draft

DOCS_FOLDER = "site/docs"
LAYERS = {"source": ("Källor", "Sources"), "mart": ("Tabeller", "Tables")}


def write_docs_sites(
    draft: Draft,
    manifest: Manifest,
    build_db: Path,
    sources: Sequence[AuditedTable],
    license_url: str,
    *,
    has_site: bool = False,
) -> list[str]:
    """Write the sites; returns the names of the files, relative to the release.

    `sources` are what the gate found; `has_site` says that the KPI page will stand above them.
    """
    pages = {
        "dbt/index.html": dbt_docs_page(manifest, build_db, draft.published_at),
        "dictionary/index.html": dictionary_page(draft, license_url, has_site=has_site),
        **_checks_site(draft, sources, has_site),
    }
    return [_write(draft, f"{DOCS_FOLDER}/{name}", page) for name, page in pages.items()]


def _checks_site(draft: Draft, sources: Sequence[AuditedTable], has_site: bool) -> dict[str, str]:
    audited = [*sources, *_audited_marts(draft)]
    groups = [(*LAYERS[layer], [table for table in audited if table.layer == layer]) for layer in LAYERS]
    index = render("checks_index.j2", groups=groups, published_at=draft.published_at, has_site=has_site)
    return {"checks/index.html": index} | {f"checks/{table.page}": page for table, page in audit_pages(audited)}


def _audited_marts(draft: Draft) -> Iterator[AuditedTable]:
    for name, checks in sorted(draft.checks.items()):
        yield AuditedTable(name, "mart", load_suite(name), checks, draft.published_at)


def _write(draft: Draft, name: str, page: str) -> str:
    path = draft.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return name
