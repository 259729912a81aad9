"""What analysts read: every mart, audited once more and swapped in together with the others.

One asset a mart shows in the UI which marts are fresh; a publication always writes all of them, since readers must
never see two nights in one file. Marts left out of the run because a source failed are published with their last good
values and marked stale.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from expectations.suite import load_suite
from hogland_pipeline.assets.checks import check_results, check_specs
from hogland_pipeline.manifest import Manifest
from hogland_pipeline.publish import Publication, PublicationRefused
from hogland_pipeline.publishing import publish_build
from hogland_pipeline.releases import PublicationFailed
from hogland_pipeline.settings import Settings
from hogland_pipeline.warehouse import Warehouse


def published_key(mart: str) -> dg.AssetKey:
    """The asset of a published mart."""
    return dg.AssetKey(["published", mart])


def published_asset(settings: Settings, manifest: Manifest, tables_of: Mapping[str, str]) -> dg.AssetsDefinition:
    """``published/<mart>`` for every mart of the dbt project."""
    marts = [str(node["name"]) for node in manifest.marts()]
    specs = [
        dg.AssetSpec(
            published_key(mart),
            deps=[dg.AssetKey(["marts", mart])],
            description=f"`{mart}` as analysts read it: a table of published/hogland.duckdb and a Parquet file.",
            group_name="published",
            kinds={"duckdb", "parquet"},
            owners=[settings.owner],
        )
        for mart in marts
    ]

    @dg.multi_asset(
        name="published_marts",
        specs=specs,
        check_specs=[spec for mart in marts for spec in check_specs(load_suite(mart), published_key(mart))],
        can_subset=True,
    )
    def published_marts(context: dg.AssetExecutionContext, warehouse: dg.ResourceParam[Warehouse]) -> Iterator[Any]:
        try:
            publication = publish_build(settings, manifest, warehouse, tables_of, run_id=context.run_id)
        except PublicationRefused as refused:
            yield from _selected_checks(context, marts, refused.checks)
            raise dg.Failure(description=str(refused), allow_retries=False) from None
        except PublicationFailed as failed:
            raise dg.Failure(description=f"{failed}. What was published before stays.") from None
        yield from _selected_checks(context, marts, publication.checks)
        yield from _materialisations(context, publication)
        if publication.failures:
            # The files are out; the night is not good before every target shows them.
            raise dg.Failure(description="; ".join(publication.failures), allow_retries=False)

    return published_marts


def _selected_checks(
    context: dg.AssetExecutionContext, marts: Sequence[str], checks: Any
) -> Iterator[dg.AssetCheckResult]:
    for mart in marts:
        for result in check_results(checks.get(mart, ()), published_key(mart)):
            if dg.AssetCheckKey(published_key(mart), result.check_name or "") in context.selected_asset_check_keys:
                yield result


def _materialisations(
    context: dg.AssetExecutionContext, publication: Publication
) -> Iterator[dg.MaterializeResult[None]]:
    for mart in publication.marts:
        if published_key(mart.mart) in context.selected_asset_keys:
            yield dg.MaterializeResult(
                asset_key=published_key(mart.mart),
                metadata={
                    "dagster/row_count": mart.row_count,
                    "release": publication.release_id,
                    "parquet_bytes": mart.parquet_bytes,
                    "is_changed": mart.is_changed,
                    "content_fingerprint": mart.content_fingerprint,
                },
            )
