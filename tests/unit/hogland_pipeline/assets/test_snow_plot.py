"""The plot of snow depths in the UI."""

import duckdb
import pytest

from hogland_pipeline.assets.snow_plot import snow_plot


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(
        "CREATE TABLE kpi_operations__daily_snow (local_date DATE, sensor_id TEXT, snow_depth_mean_cm DOUBLE);"
        "CREATE TABLE dim_sensor AS SELECT 'laser' AS sensor_id, 'nassjo-snow-01' AS device_id"
    )
    return connection


def test_depths_are_an_image(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("INSERT INTO kpi_operations__daily_snow VALUES ('2026-01-12', 'laser', 12.5)")
    assert snow_plot(connection).startswith("![Snow depth by day](data:image/png;base64,")


def test_before_the_first_depth_there_are_words(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("INSERT INTO kpi_operations__daily_snow VALUES ('2026-01-12', 'laser', NULL)")
    assert snow_plot(connection) == "No snow depth was measured yet."
