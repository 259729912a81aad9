"""How a suite and its results look in Dagster."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime

import dagster as dg

from expectations.runner import CheckResult
from expectations.suite import Suite
from hogland_pipeline.gate import QUARANTINE_SHARE_CHECK


def check_specs(suite: Suite, asset: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """One check spec a rule of the suite, and the share of refused rows for a staged table."""
    specs = [
        dg.AssetCheckSpec(
            name=check.name,
            asset=asset,
            description=check.description,
            metadata={
                "severity": str(check.severity),
                "scope": str(check.scope),
                "threshold_reason": check.threshold_reason,
            },
        )
        for check in suite.expectations
    ]
    if suite.max_quarantine_share is not None:
        specs.append(
            dg.AssetCheckSpec(
                name=QUARANTINE_SHARE_CHECK,
                asset=asset,
                description=f"At most {suite.max_quarantine_share:.0%} of the rows are refused.",
                metadata={
                    "severity": "error",
                    "scope": "table",
                    "threshold_reason": suite.max_quarantine_share_reason or "",
                },
            )
        )
    return specs


def check_results(
    checks: Sequence[CheckResult], asset: dg.AssetKey, checked_at: datetime | None = None
) -> Iterator[dg.AssetCheckResult]:
    """Every result with its counts, the reason of its threshold and a sample of the rows that fail it.

    ``checked_at`` says that the results are those of an earlier load, of which nothing has changed since.
    """
    earlier: dict[str, dg.MetadataValue] = {}
    if checked_at:
        earlier["unchanged_since"] = dg.MetadataValue.timestamp(checked_at)
    for check in checks:
        yield dg.AssetCheckResult(
            asset_key=asset,
            check_name=check.name,
            passed=check.passed,
            severity=_severity(check),
            description=check.error or check.description,
            metadata=_metadata(check) | earlier,
        )


def _severity(check: CheckResult) -> dg.AssetCheckSeverity:
    """A row rule that refused rows has done its work: the rows are in quarantine, the asset is good."""
    handled = check.scope == "row" and check.error is None
    if check.severity == "warning" or handled:
        return dg.AssetCheckSeverity.WARN
    return dg.AssetCheckSeverity.ERROR


def _metadata(check: CheckResult) -> dict[str, dg.MetadataValue]:
    metadata: dict[str, dg.MetadataValue] = {
        "evaluated_rows": dg.MetadataValue.int(check.evaluated_rows),
        "failing_rows": dg.MetadataValue.int(check.failing_rows),
        "failing_share": dg.MetadataValue.float(check.failing_share),
        "threshold_reason": dg.MetadataValue.text(check.threshold_reason),
    }
    if check.observed_value is not None:
        metadata["observed_value"] = dg.MetadataValue.text(check.observed_value)
    if check.sample:
        metadata["failing_sample"] = dg.MetadataValue.md(
            "```json\n" + "\n".join(json.dumps(row, default=str, ensure_ascii=False) for row in check.sample) + "\n```"
        )
    return metadata
