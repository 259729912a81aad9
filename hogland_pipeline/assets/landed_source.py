"""The two assets every source becomes: ``landing/<source>`` (its bytes) and ``raw/<source>`` (what passed the gate).

Fetching is retried, loading is not: a closed gate stays closed until the data or the rule changes. What a source sends
and nobody can read (an export of another shape, a page on which a selector finds nothing) is a failed check of the
landing: nothing of it lands, and the last good data stays.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import dagster as dg

from expectations.suite import load_suite
from hogland_pipeline.assets.checks import check_results, check_specs
from hogland_pipeline.assets.freshness import fresh_data_result, fresh_data_spec, freshness_policy
from hogland_pipeline.gate import gate_is_closed, load_files
from hogland_pipeline.jobs import WAREHOUSE_POOL
from hogland_pipeline.loads import DayRows, Load, files_to_load, record_failure
from hogland_pipeline.resources import BoundSource
from hogland_pipeline.settings import Settings
from hogland_pipeline.warehouse import LINEAGE_COLUMNS, RawTable, Warehouse
from sensors_ingest.http import SourceUnreachable
from sensors_ingest.landing import LandedFile, Landing

FETCH_RETRIES = 3
READABLE_CHECK = "content_is_readable"


def landed_source_assets(
    settings: Settings, bound: BoundSource, partitions: dg.PartitionsDefinition[str] | None
) -> list[dg.AssetsDefinition]:
    """``landing/<source>`` and ``raw/<source>`` for one configured source."""
    return [_landing_asset(settings, bound, partitions), _raw_asset(settings, bound, partitions)]


def _landing_asset(
    settings: Settings, bound: BoundSource, partitions: dg.PartitionsDefinition[str] | None
) -> dg.AssetsDefinition:
    source = bound.source
    key = dg.AssetKey(["landing", source.name])

    @dg.asset(
        key=key,
        description=f"{bound.description} The bytes as the source sent them, compressed and named by their content.",
        group_name="landing",
        kinds={"file", bound.kind},
        owners=[bound.owner],
        check_specs=list(_readable_spec(bound, key)),
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run() if partitions else None,
        retry_policy=dg.RetryPolicy(
            max_retries=FETCH_RETRIES, delay=2, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
        ),
    )
    def landing_asset(
        context: dg.AssetExecutionContext,
        landing: dg.ResourceParam[Landing],
        warehouse: dg.ResourceParam[Warehouse],
    ) -> Iterator[Any]:
        try:
            days = _days(context)
            files = source.fetch(landing, days)
            landing.note_sent(source.name, days, files)
        except SourceUnreachable as error:
            if bound.is_remote and context.retry_number < FETCH_RETRIES:
                raise
            record_failure(warehouse, bound.table, source.name, context.run_id, str(error))
            raise dg.Failure(description=str(error), allow_retries=False) from None
        except bound.malformed as error:
            record_failure(warehouse, bound.table, source.name, context.run_id, str(error))
            yield _readable_result(key, problem=str(error))
            raise dg.Failure(description=str(error), allow_retries=False) from None
        except Exception as error:
            record_failure(warehouse, bound.table, source.name, context.run_id, _unexpected(error))
            raise
        yield dg.MaterializeResult(metadata=_landing_metadata(files))
        if bound.malformed:
            yield _readable_result(key)

    return landing_asset


def _readable_spec(bound: BoundSource, key: dg.AssetKey) -> Iterator[dg.AssetCheckSpec]:
    if bound.malformed:
        yield dg.AssetCheckSpec(
            READABLE_CHECK,
            asset=key,
            description="What the source sent has the shape it is read by; otherwise the check says which file or page,"
            " and which column or selector found nothing.",
            metadata={"severity": "error", "scope": "table"},
        )


def _readable_result(key: dg.AssetKey, problem: str | None = None) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=key, check_name=READABLE_CHECK, passed=problem is None, description=problem or "Everything was read."
    )


def _raw_asset(
    settings: Settings, bound: BoundSource, partitions: dg.PartitionsDefinition[str] | None
) -> dg.AssetsDefinition:
    source, table = bound.source, bound.table
    key = dg.AssetKey(["raw", source.name])

    spec = dg.AssetSpec(
        key,
        deps=[dg.AssetKey(["landing", source.name])],
        description=f"{bound.description} Rows of `raw.{table.name}` that passed the gate; the others are in"
        f" `quarantine.{table.name}` with the reason.",
        group_name="raw",
        kinds={"duckdb", "greatexpectations"},
        owners=[bound.owner],
        partitions_def=partitions,
        freshness_policy=freshness_policy(bound),
        metadata={
            "dagster/table_name": f"warehouse.raw.{table.name}",
            "dagster/column_schema": _column_schema(table),
        },
    )

    # can_subset makes the checks optional: a source that never brought anything has nothing to check.
    @dg.multi_asset(
        name=key.to_python_identifier(),
        specs=[spec],
        check_specs=[*check_specs(load_suite(table.suite), key), *fresh_data_spec(bound, key)],
        backfill_policy=dg.BackfillPolicy.single_run() if partitions else None,
        can_subset=True,
        pool=WAREHOUSE_POOL,
    )
    def raw_asset(
        context: dg.AssetExecutionContext,
        landing: dg.ResourceParam[Landing],
        warehouse: dg.ResourceParam[Warehouse],
    ) -> Iterator[Any]:
        days = _days(context)
        asked = days if partitions else None
        files = files_to_load(warehouse, landing, source.name, source.decoder_version, asked)
        try:
            load = load_files(warehouse, bound, landing, files, context.run_id, settings)
        except bound.malformed as error:
            record_failure(warehouse, table, source.name, context.run_id, str(error), files)
            raise dg.Failure(description=str(error), allow_retries=False) from None
        except Exception as error:
            record_failure(warehouse, table, source.name, context.run_id, _unexpected(error))
            raise
        for note in bound.notes(landing, files):
            context.log.warning(note)
        yield from fresh_data_result(settings, warehouse, bound, key)
        yield from _outcome(context, key, days, landing.count(source.name, asked), files, load)

    return raw_asset


def _outcome(
    context: dg.AssetExecutionContext,
    key: dg.AssetKey,
    days: Sequence[date],
    landed: int,
    files: Sequence[LandedFile],
    load: Load,
) -> Iterator[Any]:
    """Results of a load as Dagster events: checks always, a materialisation only of what landed."""
    counts = _load_metadata(load) | {"files": landed, "files_new": len(files)}
    by_day = {day.isoformat(): _day_metadata(rows) for day, rows in load.rows_by_day.items() if day in days}
    if load.status == "passed":
        for partition, metadata in by_day.items():
            context.add_asset_metadata(metadata, partition_key=partition)
        yield from check_results(load.checks, key, load.checked_at)
        if key in context.selected_asset_keys:
            yield dg.MaterializeResult(asset_key=key, metadata=counts)
        return
    for part in load.days:
        if part.status == "closed":
            context.log.error(f"{load.source} {part.landing_day}: {part.message}")
    for partition, metadata in by_day.items():
        context.log_event(dg.AssetMaterialization(key, partition=partition, metadata=metadata))
    yield from check_results(load.checks, key)
    raise dg.Failure(
        description=gate_is_closed(load.source, load.message),
        metadata=counts,
        allow_retries=False,
    )


def _unexpected(error: Exception) -> str:
    """For the log of loads, which is published: the message of an error of ours may quote a row."""
    return f"stopped by an unexpected {type(error).__name__}; the run's log says where"


def _days(context: dg.AssetExecutionContext) -> list[date]:
    """The days of a run over a range or over one partition; none for a source without partitions."""
    is_partitioned = context.has_partition_key or context.has_partition_key_range
    return [date.fromisoformat(key) for key in context.partition_keys] if is_partitioned else []


def _landing_metadata(files: Sequence[LandedFile]) -> dict[str, Any]:
    return {
        "files": len(files),
        "files_new": sum(file.is_new for file in files),
        "bytes": sum(file.size for file in files),
        "addresses": dg.MetadataValue.md("\n".join(sorted({f"- `{file.address}`" for file in files})) or "none"),
    }


def _day_metadata(rows: DayRows) -> dict[str, Any]:
    return {
        "dagster/partition_row_count": rows.read - rows.quarantined,
        "rows_read": rows.read,
        "rows_quarantined": rows.quarantined,
    }


def _load_metadata(load: Load) -> dict[str, Any]:
    return {
        "load_rows_read": load.staged,
        "load_rows_inserted": load.inserted,
        "load_rows_revised": load.revised,
        "load_rows_unchanged": load.unchanged,
        "load_rows_taken_back": load.taken_back,
        "load_rows_quarantined": load.quarantined,
    }


def _column_schema(table: RawTable) -> dg.TableSchema:
    return dg.TableSchema(
        columns=[dg.TableColumn(name, kind) for name, kind in (table.columns | LINEAGE_COLUMNS).items()]
    )
