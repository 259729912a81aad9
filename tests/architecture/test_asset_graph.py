"""The graph as a whole: what there is, and what every asset must have.

``asset_graph.txt`` is what the UI shows, one line each. After a change that is meant, write it again with
``python -m tests.architecture.test_asset_graph`` and read the difference.
"""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from expectations.suite import load_suite
from hogland_pipeline.assets.freshness import FRESH_DATA_CHECK
from hogland_pipeline.definitions import build_definitions
from hogland_pipeline.gate import QUARANTINE_SHARE_CHECK
from hogland_pipeline.resources import BoundSource, bind_sources
from hogland_pipeline.settings import PROJECT_ROOT, load_settings
from hogland_pipeline.warehouse import LINEAGE_COLUMNS

SNAPSHOT = Path(__file__).with_name("asset_graph.txt")
SETTINGS = load_settings(PROJECT_ROOT / "hogland.toml", {})
LAYERS = {"landing", "raw", "seeds", "staging", "intermediate", "marts", "published"}
# Marts in the long form of fct_kpi_value: drawn from the marts themselves, so that the two cannot differ.
LONG_FORM = "intermediate/int_kpi_value__"
# Says of every value which load and landing file it came from, so it reads where that is written.
LINEAGE = "marts/kpi_lineage"
# Layers an asset may draw on.
READS = {
    "landing": set(),
    "raw": {"landing"},
    "seeds": set(),
    "staging": {"raw", "seeds"},
    "intermediate": {"staging", "intermediate", "seeds"},
    "marts": {"staging", "intermediate", "marts", "seeds"},
    "published": {"marts"},
}


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return build_definitions(SETTINGS)


def specs(definitions: dg.Definitions) -> dict[str, dg.AssetSpec]:
    graph = definitions.resolve_asset_graph()
    return {spec.key.to_user_string(): spec for asset in graph.assets_defs for spec in asset.specs}


def lines(definitions: dg.Definitions) -> Iterator[str]:
    """Assets with their group, steps with their pool, jobs, schedules and triggers, each sorted."""
    yield from sorted(f"asset {name} ({spec.group_name})" for name, spec in specs(definitions).items())
    steps = (asset.op for asset in definitions.resolve_asset_graph().assets_defs if asset.is_executable)
    yield from sorted(f"step {op.name} (pool {getattr(op, 'pool', None) or 'none'})" for op in steps)
    jobs = (job.name for job in definitions.resolve_all_job_defs() if not job.name.startswith("__"))
    yield from sorted(f"job {name}" for name in jobs)
    yield from sorted(f"schedule {schedule.name}" for schedule in definitions.schedules or ())
    yield from sorted(f"trigger {trigger.name}" for trigger in definitions.sensors or ())


def test_the_graph_is_the_one_written_down(definitions: dg.Definitions) -> None:
    assert "\n".join(lines(definitions)) + "\n" == SNAPSHOT.read_text(encoding="utf-8")


def test_every_asset_has_layer_group_kinds_owner_and_description(definitions: dg.Definitions) -> None:
    poor = [
        name
        for name, spec in specs(definitions).items()
        if not (
            spec.key.path[0] in LAYERS
            and spec.group_name
            and spec.group_name != "default"
            and spec.kinds
            and spec.owners
            and (spec.description or "").strip()
        )
    ]
    assert poor == []


def test_data_moves_from_layer_to_layer_and_never_back(definitions: dg.Definitions) -> None:
    wrong = [
        (dep.asset_key.to_user_string(), name)
        for name, spec in specs(definitions).items()
        for dep in spec.deps
        if dep.asset_key.path[0] not in READS[spec.key.path[0]] and not name.startswith((LONG_FORM, LINEAGE))
    ]
    assert wrong == []


def test_every_step_that_publishes_to_the_warehouse_or_attaches_it_takes_its_pool(
    definitions: dg.Definitions,
) -> None:
    pools = {
        asset.op.name: getattr(asset.op, "pool", None)
        for asset in definitions.resolve_asset_graph().assets_defs
        if asset.is_executable
    }
    writers = {name for name in pools if name.startswith("raw__") or name == "dbt_models"}
    assert len(writers) == len(bind_sources(SETTINGS)) + 1
    assert {name: pools[name] for name in writers} == dict.fromkeys(writers, "warehouse")


@pytest.mark.parametrize("bound", bind_sources(SETTINGS), ids=lambda bound: bound.source.name)
def test_a_raw_asset_shows_its_columns_and_every_check_of_its_suite(
    definitions: dg.Definitions, bound: BoundSource
) -> None:
    key = dg.AssetKey(["raw", bound.source.name])
    schema = specs(definitions)[key.to_user_string()].metadata["dagster/column_schema"]
    columns = {column.name: column.type for column in schema.columns}
    assert columns == bound.table.columns | LINEAGE_COLUMNS
    checks = {check.name for check in definitions.resolve_asset_graph().asset_check_keys if check.asset_key == key}
    suite = {check.name for check in load_suite(bound.table.suite).expectations}
    of_a_feed = {FRESH_DATA_CHECK} if bound.is_daily else set()
    assert checks == suite | {QUARANTINE_SHARE_CHECK} | of_a_feed


def test_feeds_have_daily_partitions_that_backfill_in_one_run(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for bound in bind_sources(SETTINGS):
        for layer in ("landing", "raw"):
            node = graph.get(dg.AssetKey([layer, bound.source.name]))
            assert (node.partitions_def is not None) == bound.is_daily
            if bound.is_daily:
                assert node.backfill_policy == dg.BackfillPolicy.single_run()


def test_fetching_is_tried_again_and_loading_is_not(definitions: dg.Definitions) -> None:
    retries = {
        asset.op.name: asset.op.retry_policy
        for asset in definitions.resolve_asset_graph().assets_defs
        if asset.is_executable
    }
    for name, policy in retries.items():
        assert (policy is not None) == name.startswith("landing__"), name
        if policy is not None:
            assert (policy.backoff, policy.jitter) == (dg.Backoff.EXPONENTIAL, dg.Jitter.PLUS_MINUS)


def test_names_follow_the_house(definitions: dg.Definitions) -> None:
    jobs = [job.name for job in definitions.resolve_all_job_defs() if not job.name.startswith("__")]
    assert [name for name in jobs if not name.endswith("_job")] == []
    assert [each.name for each in definitions.schedules or () if not each.name.endswith("_schedule")] == []
    assert [each.name for each in definitions.sensors or () if not each.name.endswith("_trigger")] == []


if __name__ == "__main__":
    SNAPSHOT.write_text("\n".join(lines(build_definitions(SETTINGS))) + "\n", encoding="utf-8")
