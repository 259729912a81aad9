"""The dbt project as assets: one op builds a candidate copy, and only a build without a failed test replaces the last.

Models that draw on a source that failed are left out of the run by the job's selection; they keep their last values.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
import duckdb
from dagster_dbt import DagsterDbtTranslator, DbtProject, dbt_assets
from dagster_dbt.asset_utils import get_asset_check_key_for_test

from hogland_pipeline.assets.snow_plot import snow_plot
from hogland_pipeline.dbt_build import (
    MANIFEST_PATH,
    candidate_build,
    is_of_this_project,
    promote,
    row_counts,
    run_dbt,
    sign_project,
)
from hogland_pipeline.jobs import WAREHOUSE_POOL
from hogland_pipeline.manifest import Manifest, layer_of
from hogland_pipeline.register_rows import failure_told
from hogland_pipeline.resources import BoundSource
from hogland_pipeline.settings import Settings
from hogland_pipeline.warehouse import Warehouse

SNOW_MART = "kpi_operations__daily_snow"


class Translator(DagsterDbtTranslator):
    """Names dbt nodes after their layer, and hangs a raw table on every source that fills it."""

    def __init__(self, sources: Sequence[BoundSource], owner: str) -> None:
        super().__init__()
        self._owner = owner
        self._sources = sources

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """``marts/<model>``, ``staging/<model>``, …; a dbt source is the table it names."""
        if dbt_resource_props["resource_type"] == "source":
            return dg.AssetKey(["warehouse", dbt_resource_props["name"]])
        return dg.AssetKey([layer_of(dbt_resource_props), dbt_resource_props["name"]])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """Marts are grouped by domain, everything else by layer."""
        layer = layer_of(dbt_resource_props)
        return f"marts_{dbt_resource_props['fqn'][-2]}" if layer == "marts" else layer

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None) -> dg.AssetSpec:
        """As dagster-dbt's, with the feeds that fill a raw table in the place of the table."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        deps = {dep for given in spec.deps for dep in self._feeding(given.asset_key)}
        role = self.get_resource_props(manifest, unique_id).get("meta", {}).get("owner")
        owner = f"team:{role}" if role else self._owner
        return spec.replace_attributes(deps=sorted(deps), owners=[owner])

    def _feeding(self, key: dg.AssetKey) -> list[dg.AssetKey]:
        if key.path[0] != "warehouse":
            return [key]
        # The days a load touched and the readings it refused belong to the readings.
        of_readings = ("touched_day", "refused_sensor_reading")
        table = "sensor_reading" if key.path[-1] in of_readings else key.path[-1]
        return [dg.AssetKey(["raw", bound.source.name]) for bound in self._sources if bound.table.name == table]


def dbt_models_asset(settings: Settings, sources: Sequence[BoundSource], manifest: Manifest) -> dg.AssetsDefinition:
    """Every seed and model of the dbt project, with its tests as checks."""
    translator = Translator(sources, settings.owner)

    @dbt_assets(
        manifest=MANIFEST_PATH,
        name="dbt_models",
        dagster_dbt_translator=translator,
        exclude="resource_type:unit_test",
        pool=WAREHOUSE_POOL,
    )
    def dbt_models(context: dg.AssetExecutionContext, warehouse: dg.ResourceParam[Warehouse]) -> Iterator[Any]:
        names = {translator.get_asset_key(node): node for node in manifest.built_nodes()}
        selected = [names[key]["name"] for key in context.selected_asset_keys if key in names]
        arguments = ["build", "--exclude-resource-type=unit_test", "--indirect-selection=buildable"]
        is_whole = len(selected) == len(names)
        if not is_whole:
            arguments += ["--select", *sorted(selected)]
        with warehouse.lock(), candidate_build(settings) as candidate:
            if not is_of_this_project(candidate):
                arguments.append("--full-refresh")
            results = run_dbt(settings, candidate, arguments, settings.today())
            events = list(_events(context, translator, manifest, results, candidate_path=str(candidate)))
            failed = [result for result in results if str(result.status) in ("error", "fail")]
            if failed:
                yield from (event for event in events if isinstance(event, dg.AssetCheckResult))
                raise dg.Failure(
                    description="The build was thrown away, the last good one stays: "
                    + "; ".join(failure_told(result.node, result.message, candidate) for result in failed),
                    allow_retries=False,
                )
            if is_whole:
                sign_project(candidate)
            promote(settings, candidate)
        yield from events

    return dbt_models


def _events(
    context: dg.AssetExecutionContext,
    translator: Translator,
    manifest: Manifest,
    results: Sequence[Any],
    candidate_path: str,
) -> Iterator[Any]:
    rows = _rows_and_plot(candidate_path, results)
    for result in results:
        node = result.node
        if node.resource_type in ("model", "seed") and str(result.status) == "success":
            yield dg.MaterializeResult(
                asset_key=translator.get_asset_key(manifest.node(node.unique_id)),
                metadata={"Execution Duration": result.execution_time, **rows.get(node.name, {})},
            )
        # What was skipped after a failure was not asked, and is no failure of its own.
        elif node.resource_type == "test" and str(result.status) != "skipped":
            key = get_asset_check_key_for_test(manifest.content, translator, node.unique_id, project=None)
            if key is not None and key in context.selected_asset_check_keys:
                yield dg.AssetCheckResult(
                    asset_key=key.asset_key,
                    check_name=key.name,
                    passed=str(result.status) == "pass",
                    severity=dg.AssetCheckSeverity.WARN
                    if str(result.status) == "warn"
                    else dg.AssetCheckSeverity.ERROR,
                    metadata={"failing_rows": result.failures or 0, "message": result.message or ""},
                )


def _rows_and_plot(candidate: str, results: Sequence[Any]) -> dict[str, dict[str, Any]]:
    """Row counts of the tables that were built, and the snow plot, read while the candidate is still ours."""
    metadata: dict[str, dict[str, Any]] = {}
    with duckdb.connect(candidate, read_only=True) as connection:
        built = {result.node.name for result in results if str(result.status) == "success"}
        for name, rows in row_counts(connection, built).items():
            metadata[name] = {"dagster/row_count": rows}
        if SNOW_MART in built:
            metadata[SNOW_MART]["snow_depth"] = dg.MetadataValue.md(snow_plot(connection))
    return metadata
