"""What a build holds."""

import duckdb

from hogland_pipeline.dbt_build import row_counts


def test_rows_are_counted_and_not_estimated() -> None:
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA staging; CREATE TABLE staging.seed AS FROM range(7)")
        connection.execute("CREATE TABLE mart AS FROM range(100_000); DELETE FROM mart WHERE range >= 10")
        connection.execute("CREATE TABLE other AS FROM range(3); CREATE VIEW looked_at AS FROM mart")
        assert row_counts(connection, {"seed", "mart", "looked_at", "never_built"}) == {"seed": 7, "mart": 10}
        assert row_counts(connection, {"never_built"}) == {}
