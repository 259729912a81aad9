# ruff: noqa: S608 - the SQL put together here comes from the repository's own suites and from table names in code
"""Run a suite against a table of an open DuckDB connection, and say what each check found."""

import json
import logging
import os
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import duckdb

from expectations.suite import COMPOUND_UNIQUE, UNEXPECTED_ROWS, Check, Scope, Severity, Suite, SuiteError

SAMPLE_ROWS: Final = 20

# The audited rows under one name, whatever catalog and schema they come from. A temporary view belongs
# to the audit's own cursor and ends with it.
BATCH: Final = "audited_rows"

# Great Expectations keeps global state and is not safe to run in two threads.
_one_audit_at_a_time = threading.Lock()


class AuditError(Exception):
    """The audit cannot start; the sentence says why."""


@dataclass(frozen=True)
class CheckResult:
    """What one check found.

    ``failing_share`` is between 0 and 1. ``sample`` holds at most 20 failing rows, ready for JSON.
    ``failing_query`` is SQL for the audited connection that returns the index column of *all* failing rows;
    only a failed check of scope row has one. A check that raised has ``error`` and is always a failed check
    of severity error. ``observed_value`` is what a check of a whole table measured.
    """

    name: str
    column: str | None
    severity: Severity
    scope: Scope
    passed: bool
    evaluated_rows: int
    failing_rows: int
    failing_share: float
    description: str
    threshold_reason: str
    sample: list[dict[str, Any]] = field(default_factory=list)
    failing_query: str | None = None
    error: str | None = None
    observed_value: str | None = None
    description_sv: str | None = None


def load_expectations(suite: Suite) -> list[Any]:
    """The suite as Great Expectations' own objects, each with its check's name in ``meta``.

    Raises:
        SuiteError: an expectation does not accept what its check says; names the file and the check.
    """
    return [_expectation(suite, check) for check in suite.expectations]


def run_suite(connection: duckdb.DuckDBPyConnection, table: str, suite: Suite) -> list[CheckResult]:
    """Run every check of a suite; results come in the suite's order.

    Args:
        connection: open on the database that holds the table, with no open transaction. It is only read,
            through a cursor of the same DuckDB instance: no second file handle.
        table: the table as SQL names it, such as ``stage.smhi`` or ``candidate.main.dim_sensor``.
        suite: the checks.

    Raises:
        AuditError: the connection has an open transaction, or the table cannot be read.
        SuiteError: an expectation does not accept what its check says.
    """
    _refuse_open_transaction(connection)
    with _one_audit_at_a_time, _quiet(), connection.cursor() as cursor:
        batch_query = f"select * from {table}"
        _open_batch(cursor, table, batch_query)
        with closing(_Audit(cursor, batch_query, _in_schema_of(table, suite))) as audit:
            return audit.results()


class _Audit:
    """One suite run on the batch view of one cursor."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, batch_query: str, suite: Suite) -> None:
        import great_expectations as gx
        from great_expectations.data_context.types.base import ProgressBarsConfig

        from expectations.duckdb_datasource import DuckDBDatasource

        self.cursor = cursor
        self.suite = suite
        self.batch_query = batch_query
        self.columns = [row[0] for row in cursor.execute(f"describe {BATCH}").fetchall()]
        self.total_rows = _count(cursor, BATCH)
        self._values_of: dict[str, set[object]] = {}
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
        self.datasource = DuckDBDatasource.over(cursor)
        context.add_datasource(datasource=self.datasource)
        asset = self.datasource.add_table_asset(name=suite.name, table_name=BATCH)
        self.batch = asset.add_batch_definition_whole_table(name=suite.name).get_batch()

    def close(self) -> None:
        """Give the cursor back; Great Expectations would only do so when its objects are collected."""
        self.datasource.close()

    def results(self) -> list[CheckResult]:
        """One result per check, in the suite's order."""
        from great_expectations import ExpectationSuite

        asked = [check for check in self.suite.expectations if self._has_rows(check)]
        expectations = load_expectations(self.suite.model_copy(update={"expectations": asked}))
        validated = self._validate(ExpectationSuite(name=self.suite.name, expectations=expectations)).results
        outcomes = {outcome.expectation_config.meta["name"]: outcome for outcome in validated}
        for expectation in expectations:
            name = expectation.meta["name"]
            # Checks that share a query fail together when one of them raises; alone, only the broken one.
            if name in outcomes and _error(outcomes[name]) is not None:
                outcomes[name] = self._validate(expectation)
        return [
            self._result(check, outcomes.get(check.name))
            if check in asked
            else self._check_result(check, passed=True, evaluated_rows=0)
            for check in self.suite.expectations
        ]

    def _has_rows(self, check: Check) -> bool:
        """Whether a check of single rows is narrowed to rows that may be there. A range for each quantity that any feed
        may send makes two dozen checks of which a feed needs three; asking all costs more than all the others do.
        """
        if check.scope == "table":
            return True
        named = [(column, value) for column, value in check.only_where.items() if isinstance(value, str)]
        # A column that is not there is a mistake of the suite, of which Great Expectations tells.
        return all(column not in self.columns or value in self._values(column) for column, value in named)

    def _values(self, column: str) -> set[object]:
        if column not in self._values_of:
            rows = self.cursor.execute(f"select distinct {_quoted(column)} from {BATCH}").fetchall()
            self._values_of[column] = {value for (value,) in rows}
        return self._values_of[column]

    def _validate(self, expectation: Any) -> Any:
        """Counts and the query for failing rows, no lists of values: they cost one more scan per check."""
        result_format = {
            "result_format": "BASIC",
            "partial_unexpected_count": 0,
            "return_unexpected_index_query": True,
            "unexpected_index_column_names": self.columns,
        }
        return self.batch.validate(expectation, result_format=result_format)

    def _result(self, check: Check, outcome: Any | None) -> CheckResult:
        error = "Great Expectations returned no result." if outcome is None else _error(outcome)
        if outcome is None or error is not None:
            return self._check_result(check, passed=False, error=error)
        measured = outcome.result
        failing_rows = measured.get("unexpected_count")
        if check.expectation == UNEXPECTED_ROWS:
            failing_rows = measured["observed_value"]
        observed = measured.get("observed_value")
        failing = None if outcome.success else self._failing_rows_query(check, measured)
        return self._check_result(
            check,
            passed=bool(outcome.success),
            evaluated_rows=measured.get("element_count", self.total_rows),
            failing_rows=failing_rows or 0,
            failing_query=failing,
            observed_value=None if observed is None else str(observed),
        )

    def _check_result(
        self,
        check: Check,
        *,
        passed: bool,
        evaluated_rows: int | None = None,
        failing_rows: int = 0,
        failing_query: str | None = None,
        observed_value: str | None = None,
        error: str | None = None,
    ) -> CheckResult:
        evaluated = self.total_rows if evaluated_rows is None else evaluated_rows
        index = self.suite.index_column
        names_rows = check.scope == "row" and failing_query is not None and index is not None
        return CheckResult(
            name=check.name,
            column=check.column,
            severity="error" if error is not None else check.severity,
            scope=check.scope,
            passed=passed,
            evaluated_rows=evaluated,
            failing_rows=failing_rows,
            failing_share=min(failing_rows / evaluated, 1.0) if evaluated else 0.0,
            description=check.description,
            threshold_reason=check.threshold_reason,
            sample=[] if failing_query is None else self._sample(failing_query),
            failing_query=f"select {_quoted(index)} from ({failing_query})" if names_rows and index else None,
            error=error,
            observed_value=observed_value,
            description_sv=check.description_sv,
        )

    def _failing_rows_query(self, check: Check, measured: Mapping[str, Any]) -> str | None:
        """SQL that returns all failing rows with all their columns."""
        query = self._raw_failing_rows_query(check, measured)
        if query is None:
            return None
        return f"with {BATCH} as ({self.batch_query}) {query}"

    def _raw_failing_rows_query(self, check: Check, measured: Mapping[str, Any]) -> str | None:
        if check.expectation == UNEXPECTED_ROWS:
            return str(check.kwargs["unexpected_rows_query"]).format(batch=BATCH)
        where = self._where(check)
        if check.expectation == COMPOUND_UNIQUE:
            # Great Expectations' own query for this one joins every row with every duplicate.
            return _repeated_keys_query(_column_list(check), where)
        query = measured.get("unexpected_index_query")
        if query is None:
            return None
        # The index query leaves out the row condition, so it is applied once more to its rows.
        columns = ", ".join(_quoted(column) for column in self.columns)
        return f"select {columns} from ({query.rstrip().rstrip(';')}) where {where}"

    def _where(self, check: Check) -> str:
        """The check's ``only_where`` as SQL."""
        condition = _row_condition(check)
        if condition is None:
            return "true"
        engine = self.datasource.get_execution_engine()
        clause = engine.condition_to_filter_clause(condition)
        return str(clause.compile(dialect=engine.dialect, compile_kwargs={"literal_binds": True}))

    def _sample(self, failing_query: str) -> list[dict[str, Any]]:
        as_json = f"select to_json(failing) from ({failing_query}) failing limit {SAMPLE_ROWS}"
        rows = self.cursor.execute(as_json)
        return [json.loads(row) for (row,) in rows.fetchall()]


def _expectation(suite: Suite, check: Check) -> Any:
    """One check as Great Expectations' own object."""
    _switch_analytics_off()
    from great_expectations.expectations.registry import get_expectation_impl

    narrowed = {} if check.only_where == {} else {"row_condition": _row_condition(check)}
    try:
        expectation: Any = get_expectation_impl(check.expectation)
        unknown = set(check.kwargs) - set(expectation.__fields__)
        if unknown:
            raise ValueError(f"unknown argument {sorted(unknown)[0]!r}")
        return expectation(
            **check.kwargs,
            **narrowed,
            severity="critical" if check.severity == "error" else "warning",
            description=check.description,
            meta={"name": check.name},
        )
    except (ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise SuiteError(f"{suite.name}.yml, check {check.name!r}, {check.expectation}: {reason}.") from None


def _row_condition(check: Check) -> Any | None:
    """The check's ``only_where`` as a condition of Great Expectations."""
    from great_expectations.expectations.row_conditions import AndCondition, Column

    conditions: list[Any] = []
    for name, value in check.only_where.items():
        match value:
            case None:
                conditions.append(Column(name).is_null())
            case list():
                conditions.append(Column(name).is_in(value))
            case _:
                conditions.append(Column(name) == value)
    if len(conditions) > 1:
        return AndCondition(conditions=conditions)
    return conditions[0] if conditions else None


def _error(outcome: Any) -> str | None:
    """The exception behind a result, if there is one.

    Great Expectations reports it as one record, or as one record per metric that raised.
    """
    info = outcome.exception_info or {}
    records = [info] if "raised_exception" in info else list(info.values())
    raised = [record for record in records if record["raised_exception"]]
    return str(raised[0].get("exception_message") or "unknown") if raised else None


def _repeated_keys_query(columns: Sequence[str], where: str) -> str:
    """Rows whose key occurs more than once. As in SQL, a key with a null is equal to no other."""
    keys = [_quoted(column) for column in columns]
    complete = " and ".join(f"{key} is not null" for key in keys)
    return (
        f"select * from {BATCH} where {where} and {complete} qualify count(*) over (partition by {', '.join(keys)}) > 1"
    )


def _column_list(check: Check) -> list[str]:
    columns = check.kwargs["column_list"]
    return [str(column) for column in columns] if isinstance(columns, list) else []


def _in_schema_of(table: str, suite: Suite) -> Suite:
    """The suite with ``{schema}`` of its SQL filled in: tables beside the audited one are found there."""
    schema = table.rpartition(".")[0] or "main"
    checks = [_with_schema(check, schema) for check in suite.expectations]
    return suite.model_copy(update={"expectations": checks})


def _with_schema(check: Check, schema: str) -> Check:
    if check.expectation != UNEXPECTED_ROWS:
        return check
    query = str(check.kwargs["unexpected_rows_query"]).replace("{schema}", schema)
    return check.model_copy(update={"kwargs": {**check.kwargs, "unexpected_rows_query": query}})


def _open_batch(cursor: duckdb.DuckDBPyConnection, table: str, batch_query: str) -> None:
    cursor.execute("set timezone = 'UTC'")
    try:
        cursor.execute(f"create temporary view {BATCH} as {batch_query}")
    except duckdb.Error as error:
        raise AuditError(f"The table {table} cannot be audited: {error}") from error


def _count(cursor: duckdb.DuckDBPyConnection, table: str) -> int:
    counted = cursor.execute(f"select count(*) from {table}").fetchall()
    return int(counted[0][0])


def _quoted(identifier: str | None) -> str:
    return '"' + str(identifier).replace('"', '""') + '"'


def _refuse_open_transaction(connection: duckdb.DuckDBPyConnection) -> None:
    """What a transaction has not committed is invisible to the audit, which would then judge other rows.

    Outside a transaction every statement has an id of its own; a trial BEGIN would abort the open one.
    """
    first, second = (connection.execute("select txid_current()").fetchall() for _ in range(2))
    if first == second:
        raise AuditError("The audit needs committed rows: the connection has an open transaction.")


def _switch_analytics_off() -> None:
    """Great Expectations reads this when it is first imported."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Great Expectations from logging and from calling home: results carry all it has to say."""
    _switch_analytics_off()
    logger = logging.getLogger("great_expectations")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
