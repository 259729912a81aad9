"""A small plot of snow depth for the UI: one line a sensor, drawn by Vega and shown as an image in Markdown."""

import base64

import duckdb
import vl_convert as vlc

WIDTH, HEIGHT = 640, 200


def snow_plot(connection: duckdb.DuckDBPyConnection) -> str:
    """Markdown with a PNG of the mean snow depth (cm) by local day and sensor, from ``kpi_operations__daily_snow``.

    Words where no depth was measured: Vega draws no picture of nothing, and its refusal would end the build.
    """
    rows = connection.execute(
        """
        SELECT local_date::VARCHAR, device_id, round(snow_depth_mean_cm, 1)
        FROM kpi_operations__daily_snow JOIN (SELECT DISTINCT sensor_id, device_id FROM dim_sensor) USING (sensor_id)
        WHERE snow_depth_mean_cm IS NOT NULL
        """
    ).fetchall()
    if not rows:
        return "No snow depth was measured yet."
    chart = {
        "width": WIDTH,
        "height": HEIGHT,
        "data": {"values": [{"day": day, "sensor": sensor, "depth": depth} for day, sensor, depth in rows]},
        "mark": {"type": "line", "interpolate": "monotone"},
        "encoding": {
            "x": {"field": "day", "type": "temporal", "title": None},
            "y": {"field": "depth", "type": "quantitative", "title": "snow depth, cm"},
            "color": {"field": "sensor", "type": "nominal", "title": None},
        },
    }
    image = base64.b64encode(vlc.vegalite_to_png(chart)).decode()
    return f"![Snow depth by day](data:image/png;base64,{image})"
