"""Great Expectations on an open DuckDB connection, which it does not support by itself.

Its SQL engine hands each connection back before DuckDB's lazy result is read, and most expectations then
fail with ``IndexError: list index out of range`` (great_expectations issue 10738). One connection kept open
mends that; a few conditions that Great Expectations words per dialect are worded here for DuckDB.

Importing this module imports Great Expectations, which takes seconds: import it only where an audit runs.
"""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, Self

import duckdb
import sqlalchemy as sa
from duckdb_sqlalchemy import ConnectionWrapper
from great_expectations.compatibility import pydantic
from great_expectations.datasource.fluent.sql_datasource import SQLDatasource
from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.metrics.map_metric_provider.column_condition_partial import (
    column_condition_partial,
)
from great_expectations.expectations.metrics.map_metric_provider.column_map_metric_provider import (
    ColumnMapMetricProvider,
)
from great_expectations.validator.metric_configuration import MetricConfiguration, MetricConfigurationID
from sqlalchemy.pool import StaticPool

FAILING_ROWS = (".unexpected_values", "unexpected_rows_query.table")


class DuckDBExecutionEngine(SqlAlchemyExecutionEngine):
    """Great Expectations' SQL engine, holding one connection open for all its queries."""

    @contextmanager
    def get_connection(self) -> Iterator[sa.Connection]:
        """The one connection; it stays open when a query is done."""
        if self._connection is None:
            self._connection = self.engine.connect()
        yield self._connection

    def resolve_metrics(
        self, metrics_to_resolve: Iterable[MetricConfiguration], *args: Any, **options: Any
    ) -> dict[MetricConfigurationID, Any]:
        """Every metric but the failing values or rows: counts are enough to judge by, and each list is one more query
        per check.
        """
        asked: list[MetricConfiguration] = []
        lists: dict[MetricConfigurationID, Any] = {}
        for metric in metrics_to_resolve:
            if metric.metric_name.endswith(FAILING_ROWS):
                lists[metric.id] = []
            else:
                asked.append(metric)
        return lists | super().resolve_metrics(asked, *args, **options)


EngineClass = type[DuckDBExecutionEngine]


class DuckDBDatasource(SQLDatasource):
    """A Great Expectations datasource on a DuckDB connection that is already open.

    Nothing is opened: the database file keeps its one handle. No temporary tables are made either: the
    audited table is read where it stands.
    """

    type: Literal["duckdb"] = "duckdb"  # type: ignore[assignment]
    connection_string: str = "duckdb://"
    create_temp_table: bool = False

    _duckdb_engine: sa.Engine = pydantic.PrivateAttr()

    @classmethod
    def over(cls, connection: duckdb.DuckDBPyConnection) -> Self:
        """A datasource that runs its queries on ``connection``, which must have no open transaction.

        Great Expectations rolls back whatever transaction it finds. ``close`` closes the connection with it.
        """
        datasource = cls(name="duckdb")
        datasource._duckdb_engine = sa.create_engine(
            "duckdb://", poolclass=StaticPool, creator=lambda: ConnectionWrapper(connection)
        )
        return datasource

    @property
    def execution_engine_type(self) -> EngineClass:
        """The engine class that computes metrics."""
        return DuckDBExecutionEngine

    def get_engine(self) -> sa.Engine:
        """The SQLAlchemy engine over the open connection."""
        return self._duckdb_engine

    def get_execution_engine(self) -> DuckDBExecutionEngine:
        """The one execution engine over the open connection."""
        if self._execution_engine is None:
            self._execution_engine = DuckDBExecutionEngine(engine=self._duckdb_engine, create_temp_table=False)
        return self._execution_engine

    def close(self) -> None:
        """Close the connection the datasource was made over; the database stays open by its other ones."""
        if self._execution_engine is not None and self._execution_engine._connection is not None:
            self._execution_engine._connection.close()
        self._duckdb_engine.dispose()

    def test_connection(self, test_assets: bool = True) -> None:
        """The connection is open already: there is nothing to test."""


class _MatchesRegex(ColumnMapMetricProvider):
    condition_metric_name = "column_values.match_regex"
    condition_value_keys = ("regex",)

    @column_condition_partial(engine=DuckDBExecutionEngine)
    def _duckdb(self, column: Any, regex: str, **_: object) -> Any:
        return sa.func.regexp_matches(column, regex)


class _DoesNotMatchRegex(ColumnMapMetricProvider):
    condition_metric_name = "column_values.not_match_regex"
    condition_value_keys = ("regex",)

    @column_condition_partial(engine=DuckDBExecutionEngine)
    def _duckdb(self, column: Any, regex: str, **_: object) -> Any:
        return sa.not_(sa.func.regexp_matches(column, regex))


class _MatchesLikePattern(ColumnMapMetricProvider):
    condition_metric_name = "column_values.match_like_pattern"
    condition_value_keys = ("like_pattern",)

    @column_condition_partial(engine=DuckDBExecutionEngine)
    def _duckdb(self, column: Any, like_pattern: str, **_: object) -> Any:
        return column.like(like_pattern)


class _DoesNotMatchLikePattern(ColumnMapMetricProvider):
    condition_metric_name = "column_values.not_match_like_pattern"
    condition_value_keys = ("like_pattern",)

    @column_condition_partial(engine=DuckDBExecutionEngine)
    def _duckdb(self, column: Any, like_pattern: str, **_: object) -> Any:
        return sa.not_(column.like(like_pattern))


class _MatchesStrftimeFormat(ColumnMapMetricProvider):
    condition_metric_name = "column_values.match_strftime_format"
    condition_value_keys = ("strftime_format",)

    @column_condition_partial(engine=DuckDBExecutionEngine)
    def _duckdb(self, column: Any, strftime_format: str, **_: object) -> Any:
        return sa.func.try_strptime(column, strftime_format).is_not(None)


class _IsJson(ColumnMapMetricProvider):
    condition_metric_name = "column_values.json_parseable"

    @column_condition_partial(engine=DuckDBExecutionEngine)
    def _duckdb(self, column: Any, **_: object) -> Any:
        return sa.func.json_valid(column)


class _InSet(ColumnMapMetricProvider):
    """``IN`` compares every row with every word; a function is asked of each word of a dictionary once."""

    condition_metric_name = "column_values.in_set"
    condition_value_keys = ("value_set",)

    @column_condition_partial(engine=DuckDBExecutionEngine)
    def _duckdb(self, column: Any, value_set: Collection[object], **_: object) -> Any:
        return _is_one_of(column, value_set)


class _NotInSet(ColumnMapMetricProvider):
    condition_metric_name = "column_values.not_in_set"
    condition_value_keys = ("value_set",)

    @column_condition_partial(engine=DuckDBExecutionEngine)
    def _duckdb(self, column: Any, value_set: Collection[object], **_: object) -> Any:
        return sa.not_(_is_one_of(column, value_set))


def _is_one_of(column: Any, value_set: Collection[object]) -> Any:
    # Written out: Great Expectations does not fill in parameters where it hands the condition over as text.
    values = (sa.literal(value, literal_execute=True) for value in value_set)
    return sa.func.list_contains(sa.func.list_value(*values), column)
