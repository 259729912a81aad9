"""The audit itself: what a result says, what it leaves behind, and what it refuses."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlalchemy as sa

from expectations.runner import SAMPLE_ROWS, AuditError, CheckResult, run_suite
from expectations.suite import Suite


def suite_of(*checks: dict[str, Any], staged: bool = True) -> Suite:
    quarantine = {
        "index_column": "stage_row",
        "max_quarantine_share": 1,
        "max_quarantine_share_reason": "a test",
    }
    return Suite.model_validate(
        {
            "name": "readings",
            "version": 1,
            "table": "staged" if staged else "mart",
            "description": "A test.",
            **(quarantine if staged else {}),
            "expectations": [
                {
                    "name": f"check_{number}",
                    "scope": "row" if staged else "table",
                    "severity": "error",
                    "description": "A test.",
                    "threshold_reason": "A test.",
                    **check,
                }
                for number, check in enumerate(checks)
            ],
        }
    )


def check(expectation: str, **kwargs: Any) -> dict[str, Any]:
    return {"expectation": expectation, "kwargs": kwargs}


VALUE_IS_GIVEN = check("expect_column_values_to_not_be_null", column="value")


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """1,000 rows in ``stage.readings``: every tenth value and every odd key is null."""
    with duckdb.connect() as connection:
        connection.execute("""
            create schema stage;
            create table stage.readings as
            select i as stage_row, if(i % 10 = 0, null, i)::double as value,
                   chr(97 + (i % 4)::integer) as kind,
                   if(i % 2 = 1, null, i // 4) as key, i // 4 as pair, 'text ' || i as words,
                   date '2026-01-01' + (i // 500)::integer as landing_day
            from range(1000) as numbers(i)
        """)
        yield connection


def failing_rows(connection: duckdb.DuckDBPyConnection, result: CheckResult) -> set[int]:
    assert result.failing_query is not None
    rows = [row for (row,) in connection.execute(result.failing_query).fetchall()]
    assert len(rows) == len(set(rows)) == result.failing_rows
    return set(rows)


def test_a_result_counts_and_shows_failing_rows(connection: duckdb.DuckDBPyConnection) -> None:
    [result] = run_suite(connection, "stage.readings", suite_of(VALUE_IS_GIVEN))

    assert (result.passed, result.evaluated_rows, result.failing_rows, result.failing_share) == (
        False,
        1000,
        100,
        0.1,
    )
    assert (result.column, result.scope, result.severity, result.error) == ("value", "row", "error", None)
    assert len(result.sample) == SAMPLE_ROWS
    assert all(row["value"] is None and row["stage_row"] % 10 == 0 for row in result.sample)
    json.dumps(result.sample)


def test_results_come_in_the_order_of_the_suite(connection: duckdb.DuckDBPyConnection) -> None:
    checks = [check("expect_column_values_to_be_in_set", column="kind", value_set=["a"]), VALUE_IS_GIVEN] * 3

    results = run_suite(connection, "stage.readings", suite_of(*checks))

    assert [result.name for result in results] == [f"check_{number}" for number in range(6)]
    assert [result.failing_rows for result in results] == [750, 100] * 3


@pytest.mark.parametrize(
    ("failing", "which"),
    [
        (check("expect_column_values_to_be_null", column="value"), lambda i: i % 10 != 0),
        (check("expect_column_values_to_be_null", column="key"), lambda i: i % 2 == 0),
        (check("expect_column_values_to_not_be_null", column="key"), lambda i: i % 2 == 1),
        (
            check("expect_column_values_to_be_between", column="value", max_value=499),
            lambda i: i % 10 and i > 499,
        ),
        (check("expect_column_values_to_be_unique", column="key"), lambda i: i % 2 == 0),
        (check("expect_column_values_to_be_unique", column="kind"), lambda i: True),
        (
            check("expect_compound_columns_to_be_unique", column_list=["pair", "key"]),
            lambda i: i % 2 == 0,
        ),
        (
            check("expect_column_pair_values_a_to_be_greater_than_b", column_A="value", column_B="stage_row"),
            lambda i: i % 10 != 0,
        ),
        (
            check("expect_column_values_to_match_regex", column="words", regex="^text [0-9]{2}$"),
            lambda i: not 9 < i < 100,
        ),
        (check("expect_column_values_to_not_match_regex", column="words", regex="9$"), lambda i: i % 10 == 9),
        (
            check("expect_column_values_to_match_like_pattern", column="words", like_pattern="%7"),
            lambda i: i % 10 != 7,
        ),
        (
            check("expect_column_values_to_not_match_like_pattern", column="words", like_pattern="%7"),
            lambda i: i % 10 == 7,
        ),
        (
            check("expect_column_values_to_match_strftime_format", column="words", strftime_format="text %d"),
            lambda i: not 1 <= i <= 31,
        ),
        (check("expect_column_values_to_be_json_parseable", column="words"), lambda i: True),
        (check("expect_column_values_to_be_in_set", column="kind", value_set=["a", "b", "d"]), lambda i: i % 4 == 2),
        (check("expect_column_values_to_be_in_set", column="value", value_set=[1, 2]), lambda i: i % 10 and i > 2),
        (check("expect_column_values_to_not_be_in_set", column="kind", value_set=["c"]), lambda i: i % 4 == 2),
        (
            check(
                "unexpected_rows_expectation",
                unexpected_rows_query="select * from {batch} where value is null",
            ),
            lambda i: i % 10 == 0,
        ),
    ],
)
def test_the_failing_query_returns_every_failing_row(
    connection: duckdb.DuckDBPyConnection, failing: dict[str, Any], which: Any
) -> None:
    [result] = run_suite(connection, "stage.readings", suite_of(failing))

    assert result.error is None
    assert failing_rows(connection, result) == {i for i in range(1000) if which(i)}


@pytest.mark.parametrize(
    ("only_where", "which"),
    [
        ({"kind": "c"}, lambda i: i % 4 == 2),
        ({"kind": ["a", "c"]}, lambda i: i % 2 == 0),
        ({"kind": "c", "key": None}, lambda i: False),
        ({"kind": "z"}, lambda i: False),
        ({"key": None}, lambda i: i % 2 == 1),
    ],
)
def test_a_narrowed_check_finds_rows_only_where_it_looks(
    connection: duckdb.DuckDBPyConnection, only_where: dict[str, Any], which: Any
) -> None:
    narrowed = check("expect_column_values_to_be_between", column="stage_row", max_value=-1) | {
        "only_where": only_where
    }

    [result] = run_suite(connection, "stage.readings", suite_of(narrowed))

    expected = {i for i in range(1000) if which(i)}
    assert result.evaluated_rows == result.failing_rows == len(expected)
    assert result.passed == (not expected)
    assert not expected or failing_rows(connection, result) == expected


def test_a_check_of_the_table_is_asked_though_no_row_is_there(connection: duckdb.DuckDBPyConnection) -> None:
    some = check("expect_table_row_count_to_be_between", min_value=1) | {"only_where": {"kind": "z"}, "scope": "table"}

    [result] = run_suite(connection, "stage.readings", suite_of(some))

    assert not result.passed


def test_a_warning_and_a_table_check_name_no_rows_to_quarantine(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    mostly = check("expect_column_values_to_not_be_null", column="value", mostly=0.95)
    rows = check("expect_table_row_count_to_be_between", max_value=10)
    warns = mostly | {"severity": "warning", "description_sv": "Värdet finns."}
    results = run_suite(connection, "stage.readings", suite_of(warns, rows, staged=False))

    assert [result.description_sv for result in results] == ["Värdet finns.", None]
    assert [(result.passed, result.severity, result.failing_query) for result in results] == [
        (False, "warning", None),
        (False, "error", None),
    ]
    assert (results[0].failing_rows, len(results[0].sample)) == (100, SAMPLE_ROWS)
    assert (results[1].failing_rows, results[1].observed_value) == (0, "1000")


@pytest.mark.parametrize(
    "broken",
    [
        check("expect_column_values_to_not_be_null", column="no_such_column"),
        check("expect_column_values_to_be_between", column="kind", min_value=0, max_value=1),
        check("unexpected_rows_expectation", unexpected_rows_query="select * from {batch} where no_such_column"),
        check("expect_column_values_to_match_regex", column="kind", regex="(unclosed"),
    ],
)
def test_a_check_that_raises_is_a_failed_error_and_takes_no_other_with_it(
    connection: duckdb.DuckDBPyConnection, broken: dict[str, Any]
) -> None:
    in_range = check("expect_column_values_to_be_between", column="stage_row", min_value=0)

    results = run_suite(
        connection, "stage.readings", suite_of(in_range, broken | {"severity": "warning"}, VALUE_IS_GIVEN)
    )

    assert [(result.passed, result.severity) for result in results] == [
        (True, "error"),
        (False, "error"),
        (False, "error"),
    ]
    assert [result.error is None for result in results] == [True, False, True]
    assert results[1].failing_query is None
    assert results[2].failing_rows == 100


def test_an_empty_table_breaks_no_row(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("delete from stage.readings")

    [result] = run_suite(connection, "stage.readings", suite_of(VALUE_IS_GIVEN))

    assert (result.passed, result.evaluated_rows, result.failing_share) == (True, 0, 0.0)


def test_an_open_transaction_is_refused_and_kept(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("begin; delete from stage.readings")

    with pytest.raises(AuditError, match="open transaction"):
        run_suite(connection, "stage.readings", suite_of(VALUE_IS_GIVEN))

    connection.execute("commit")
    assert connection.execute("select count(*) from stage.readings").fetchall() == [(0,)]


def test_a_missing_table_is_named(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(AuditError, match=r"stage\.nothing cannot be audited"):
        run_suite(connection, "stage.nothing", suite_of(VALUE_IS_GIVEN))


def test_an_audit_leaves_the_connection_as_it_was(
    connection: duckdb.DuckDBPyConnection, capfd: pytest.CaptureFixture[str]
) -> None:
    before = inventory(connection)
    broken = check("expect_column_values_to_not_be_null", column="no_such_column")
    level = logging.getLogger("great_expectations").level

    run_suite(connection, "stage.readings", suite_of(VALUE_IS_GIVEN, broken))

    assert inventory(connection) == before
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("great_expectations").level == level


def inventory(connection: duckdb.DuckDBPyConnection) -> list[Any]:
    return connection.execute("""
        select database_name, schema_name, table_name from duckdb_tables()
        union all select database_name, schema_name, view_name from duckdb_views() where not internal
        union all select 'setting', 'timezone', current_setting('timezone')
        order by all
    """).fetchall()


@pytest.mark.parametrize("read_only", [False, True])
def test_an_open_file_is_audited_through_its_one_handle(tmp_path: Path, read_only: bool) -> None:
    path = tmp_path / "candidate.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute("create table readings as select 1 as stage_row, null::double as value")
    with duckdb.connect(path, read_only=read_only) as connection:
        [result] = run_suite(connection, "main.readings", suite_of(VALUE_IS_GIVEN))
        assert failing_rows(connection, result) == {1}
        handles = [link for link in Path("/proc/self/fd").glob("*") if link.is_symlink() and link.resolve() == path]
        assert len(handles) <= 1
    with duckdb.connect(path) as connection:
        connection.execute("drop table readings")


def test_a_table_of_an_attached_catalog_is_audited_with_its_neighbours(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    connection.execute(f"attach '{tmp_path / 'other.duckdb'}' as other")
    connection.execute("create table other.main.readings as select 1 as stage_row, 2 as value")
    connection.execute("create table other.main.known as select 3 as value")
    query = "select * from {batch} where value not in (from {schema}.known select value)"

    [result] = run_suite(
        connection,
        "other.main.readings",
        suite_of(check("unexpected_rows_expectation", unexpected_rows_query=query)),
    )

    assert failing_rows(connection, result) == {1}


@pytest.mark.parametrize(
    "asked",
    [
        check("unexpected_rows_expectation", unexpected_rows_query="select * from {batch} where stage_row = -7"),
        check("expect_column_values_to_be_between", column="stage_row", min_value=-7),
    ],
)
def test_the_condition_of_a_check_that_passes_is_asked_once(
    connection: duckdb.DuckDBPyConnection, asked: dict[str, Any]
) -> None:
    statements: list[tuple[str, object]] = []

    def note(_: Any, __: Any, statement: str, parameters: object, *___: Any) -> None:
        statements.append((statement, parameters))

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        run_suite(connection, "stage.readings", suite_of(asked))
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)

    assert sum("-7" in str(statement) for statement in statements) == 1


def test_great_expectations_is_imported_only_by_an_audit() -> None:
    code = (
        "import sys; from expectations.runner import run_suite; from expectations.suite import load_suite;"
        "load_suite('sensor_reading'); sys.exit('great_expectations' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
