"""The publication as configured: the last good build to every target, and back to an earlier release."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from zoneinfo import ZoneInfo

import duckdb

from expectations.runner import CheckResult, run_suite
from expectations.suite import load_suite
from hogland_pipeline.contracts import contracts_of
from hogland_pipeline.history import Event, remember
from hogland_pipeline.loads import last_checked_loads
from hogland_pipeline.manifest import Manifest
from hogland_pipeline.publication_record import TargetState
from hogland_pipeline.publish import Publication, Writer, publish
from hogland_pipeline.release_tables import Draft, release_tables
from hogland_pipeline.releases import PublicationFailed, Target, current_release, release_ids, roll_back
from hogland_pipeline.settings import Settings
from hogland_pipeline.staleness import source_states, stale_marts
from hogland_pipeline.targets.postgres import PostgresTarget, TargetFailed
from hogland_pipeline.targets.server_copy import TARGET_NAME, ServerCopy
from hogland_pipeline.warehouse import RAW_TABLES, Warehouse

SUITE_OF = {table.name: table.suite for table in RAW_TABLES}


def target_of(settings: Settings) -> Target:
    """The release folders."""
    return Target(settings.data_dir, settings.kept_releases)


def server_of(settings: Settings) -> PostgresTarget | None:
    """The PostgreSQL server, where one is configured."""
    return PostgresTarget(settings.publish.postgres) if settings.publish.postgres else None


def publish_build(
    settings: Settings,
    manifest: Manifest,
    warehouse: Warehouse,
    tables_of: Mapping[str, str],
    *,
    run_id: str,
    may_break_contracts: bool = False,
) -> Publication:
    """Publish the marts of the last good build to every configured target; raises what `publish` raises.

    `tables_of` names the raw table that each configured source fills.
    """
    # dbt takes a second to import, and most commands do not need it.
    from hogland_pipeline.dbt_build import built_tables, current_build

    states = source_states(warehouse, configured=tables_of)
    # A mart whose source never came has no table yet; the others are published without it.
    built = built_tables(settings)
    marts = [str(node["name"]) for node in manifest.marts() if node["name"] in built]
    if not marts:
        raise PublicationFailed(f"no mart has been built in {settings.data_dir} yet: run 'hogland run' first")
    return publish(
        current_build(settings),
        target_of(settings),
        marts,
        run_id=run_id,
        sources=states,
        stale={name: why for name, why in stale_marts(manifest, states, tables_of).items() if name in marts},
        audit=_audit,
        published_at=datetime.now(UTC),
        contracts=contracts_of(manifest),
        writers=release_writers(settings, warehouse),
        server=server_of(settings),
        may_break_contracts=may_break_contracts,
    )


def release_writers(settings: Settings, warehouse: Warehouse) -> dict[str, Writer]:
    """What is written into a release beside DuckDB and Parquet, by the name of the target, in this order."""
    writers: dict[str, Writer] = {}
    if settings.publish.extracts:
        from hogland_pipeline.targets.extracts import write_extracts

        writers["extracts"] = partial(
            write_extracts, settings=settings.publish.extracts, license_url=settings.publish.license_url
        )
    if settings.publish.catalog:
        from hogland_pipeline.targets.catalog import write_catalog

        writers["catalog"] = partial(write_catalog, settings=settings.publish.catalog)
    if settings.publish.bi:
        writers["bi"] = _write_for_bi
    if settings.publish.docs:
        writers["docs"] = partial(_write_docs, settings=settings, warehouse=warehouse)
    if settings.publish.site:
        from hogland_pipeline.site.write import write_site

        # Last: it links to the sites that stand beside it when it is written.
        writers["site"] = partial(write_site, settings=settings.publish.site, timezone=ZoneInfo(settings.timezone))
    return writers


def _write_for_bi(draft: Draft) -> list[str]:
    from hogland_pipeline.semantics import read_semantic_model
    from hogland_pipeline.superset_bundle import write_bundle
    from hogland_pipeline.targets.semantic_model import write_semantic_model

    model = read_semantic_model()
    return [*write_semantic_model(draft, model), *write_bundle(draft, model)]


def _write_docs(draft: Draft, settings: Settings, warehouse: Warehouse) -> list[str]:
    from hogland_pipeline.dbt_build import MANIFEST_PATH, current_build
    from hogland_pipeline.docs_sites.data_docs import AuditedTable
    from hogland_pipeline.docs_sites.sites import write_docs_sites

    with warehouse.read() as connection:
        loads = last_checked_loads(connection)
    sources = [
        AuditedTable(source, "source", load_suite(SUITE_OF[table]), checks, at) for source, table, at, checks in loads
    ]
    # Read again: the build has added to it the SQL that it ran.
    manifest = Manifest.read(MANIFEST_PATH)
    has_site = settings.publish.site is not None
    return write_docs_sites(
        draft, manifest, current_build(settings), sources, settings.publish.license_url, has_site=has_site
    )


def release_before(settings: Settings) -> str:
    """The kept release before the current one. Raises `PublicationFailed` when there is none."""
    target = target_of(settings)
    older = [name for name in release_ids(target) if name < (current_release(target) or "")]
    if not older:
        raise PublicationFailed(f"there is no earlier release in {target.releases}")
    return older[-1]


def roll_back_everywhere(settings: Settings, release_id: str) -> list[TargetState]:
    """Point readers of every target at a kept release. Raises `PublicationFailed` when it is none.

    PostgreSQL keeps fewer releases than the folder; one that it has no more is loaded from there. When that fails,
    its state says so and the files are rolled back all the same.
    """
    target = target_of(settings)
    roll_back(target, release_id)
    states = [TargetState("files", "published", release_id)]
    if server := server_of(settings):
        states.append(_bring_to(server, target, release_id))
    remember(target, Event(datetime.now(UTC), "rolled_back", release_id, targets=states))
    return states


def _bring_to(server: PostgresTarget, target: Target, release_id: str) -> TargetState:
    try:
        if server.switch_to(release_id):
            return TargetState(TARGET_NAME, "published", release_id)
    except TargetFailed as failed:
        return TargetState(TARGET_NAME, "failed", None, str(failed))
    folder = target.releases / release_id
    tables, contracts = release_tables(folder)
    with ServerCopy(server, release_id) as copy:
        copy.load(folder, tables, contracts)
        copy.switch()
        return copy.state()


def _audit(connection: duckdb.DuckDBPyConnection, mart: str) -> Sequence[CheckResult]:
    return run_suite(connection, f"main.{mart}", load_suite(mart))
