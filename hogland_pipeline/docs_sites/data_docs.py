"""Great Expectations' Data Docs of the last run, by its own renderer, in a page template that needs no network.

The audits have run when this is written and Great Expectations is imported: their results are turned back into its
objects. Failing rows stay out of the pages: those of raw tables may be a person's answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from expectations.runner import CheckResult, load_expectations
from expectations.suite import Suite

TEMPLATES = Path(__file__).with_name("templates")
# To a page of the suite, which a whole site of Great Expectations would have.
LINK_OUT_OF_SITE = re.compile(r'<a href="\.\./[^"]*" >([^<]*)</a>')


@dataclass(frozen=True)
class AuditedTable:
    """One suite run: `name` is the mart or the source, `suite` what it was held against."""

    name: str
    layer: str
    suite: Suite
    checks: Sequence[CheckResult]
    checked_at: datetime

    @property
    def failed(self) -> list[CheckResult]:
        """Checks that did not hold, errors first."""
        return sorted((check for check in self.checks if not check.passed), key=lambda check: check.severity)

    @property
    def page(self) -> str:
        """Name of its page."""
        return f"{self.layer}-{self.name}.html"


def audit_pages(audited: Sequence[AuditedTable]) -> Iterator[tuple[AuditedTable, str]]:
    """A page per audited table."""
    from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
    from great_expectations.render.view.view import DefaultJinjaPageView

    renderer: Any = ValidationResultsPageRenderer()
    view: Any = DefaultJinjaPageView(custom_views_directory=str(TEMPLATES))
    for table in audited:
        document = renderer.render(_validation_result(table))
        described = {check.name: check for check in table.checks}
        page = view.render(document, template="data_docs_page.j2", table=table, described=described)
        yield table, LINK_OUT_OF_SITE.sub(r"\1", page)


def _validation_result(table: AuditedTable) -> Any:
    from great_expectations import __version__
    from great_expectations.core import ExpectationSuiteValidationResult

    results = list(_results(table))
    successes = sum(result.success for result in results)
    return ExpectationSuiteValidationResult(
        success=successes == len(results),
        results=results,
        suite_name=table.suite.name,
        statistics={
            "evaluated_expectations": len(results),
            "successful_expectations": successes,
            "unsuccessful_expectations": len(results) - successes,
            "success_percent": 100 * successes / len(results) if results else None,
        },
        meta={
            "run_id": {"run_name": table.name, "run_time": table.checked_at.astimezone(UTC).isoformat()},
            "active_batch_definition": {"data_asset_name": table.name},
            "great_expectations_version": __version__,
        },
    )


def _results(table: AuditedTable) -> Iterator[Any]:
    """A check that the suite no longer has is left out: only its name would be known."""
    from great_expectations.core import ExpectationValidationResult

    found = {check.name: check for check in table.checks}
    for expectation in load_expectations(table.suite):
        check = found.get(expectation.meta["name"])
        if check is None:
            continue
        yield ExpectationValidationResult(
            success=check.passed,
            expectation_config=expectation.configuration,
            result={
                "element_count": check.evaluated_rows,
                "unexpected_count": check.failing_rows,
                "unexpected_percent": 100 * check.failing_share,
                "unexpected_percent_total": 100 * check.failing_share,
                "observed_value": check.observed_value,
                "partial_unexpected_list": [],
            },
            exception_info={
                "raised_exception": check.error is not None,
                "exception_message": check.error or "",
                "exception_traceback": "",
            },
        )
