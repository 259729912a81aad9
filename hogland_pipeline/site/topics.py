"""Pages of single topics: snow and its sensors, solutions, the survey, and the quality of the night's data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any

from hogland_pipeline.site.charts import Points
from hogland_pipeline.site.marts import Row
from hogland_pipeline.site.view import Page, View, sensor_file

# What a panel shows of a sensor: the quantity, its chart, its unit, and its columns (low, mean, high).
PANEL = (
    ("snow_depth", "depth", "cm", ("snow_depth_low_cm", "snow_depth_mean_cm", "snow_depth_high_cm")),
    (
        "air_temperature",
        "band",
        "degC",
        ("air_temperature_low_degc", "air_temperature_mean_degc", "air_temperature_high_degc"),
    ),
    (
        "relative_humidity",
        "band",
        "percent",
        ("relative_humidity_low_pct", "relative_humidity_mean_pct", "relative_humidity_high_pct"),
    ),
)


def topic_pages(view: View) -> Iterator[Page]:
    """Snow, a page a sensor, solutions, survey and data quality."""
    texts = view.words.texts
    panels = _panels(view)
    yield Page("sno.html", "snow", texts["snow"]["title"], {"panels": panels})
    for panel in panels:
        yield Page(panel["file"], "sensor", panel["title"], {"panel": panel})
    yield Page("losningar.html", "solutions", texts["solutions"]["title"], _solutions(view))
    yield Page("enkat.html", "survey", texts["survey"]["title"], {"waves": _waves(view)})
    yield Page("datakvalitet.html", "quality", texts["quality"]["title"], _quality(view))


def _panels(view: View) -> list[Mapping[str, Any]]:
    """A panel for every sensor of the register that measures snow depth, with or without days."""
    days = {sensor: list(rows) for sensor, rows in groupby(view.marts["snow"], key=lambda row: row["sensor_id"])}
    status = {row["sensor_id"]: row for row in view.marts["sensor_status"]}
    ploughed = {row["sensor_id"]: row for row in view.marts["plough_events"]}
    names = {row["municipality_code"]: row["municipality_name"] for row in view.municipalities}
    return [
        {
            "sensor": sensor,
            "title": sensor["site"] or sensor["device_id"] or sensor["sensor_id"],
            "file": sensor_file(sensor),
            "municipality": names.get(sensor["municipality_code"]),
            "status": status.get(sensor["sensor_id"]),
            "plough": ploughed.get(sensor["sensor_id"]),
            "days": days.get(sensor["sensor_id"], []),
            "quantities": _quantities(days.get(sensor["sensor_id"], [])),
        }
        for sensor in view.marts["sensors"]
    ]


def _quantities(days: Sequence[Row]) -> list[Mapping[str, Any]]:
    """What the sensor measured in its days: lowest and highest of all, the last mean, and the points of its chart."""
    quantities: list[Mapping[str, Any]] = []
    for name, chart, unit, (low, mean, high) in PANEL:
        measured = [day for day in days if day[mean] is not None]
        if measured:
            quantities.append(
                {
                    "name": name,
                    "chart": chart,
                    "unit": unit,
                    "columns": (low, mean, high),
                    "lowest": min(day[low] for day in measured),
                    "highest": max(day[high] for day in measured),
                    "last": measured[-1],
                    "points": _band_points(days, low, mean, high),
                }
            )
    return quantities


def _band_points(days: Sequence[Row], low: str, mean: str, high: str) -> Callable[[], Points]:
    """A day without a value is a gap in the line, and so is a day that has no row."""

    def points() -> Points:
        by_day = {day["local_date"]: day for day in days}
        first, last = min(by_day), max(by_day)
        every_day = (first + timedelta(days=number) for number in range((last - first).days + 1))
        return [
            {
                "day": day.isoformat(),
                "low": by_day.get(day, {}).get(low),
                "mean": by_day.get(day, {}).get(mean),
                "high": by_day.get(day, {}).get(high),
            }
            for day in every_day
        ]

    return points


def _solutions(view: View) -> Mapping[str, Any]:
    effects: dict[str, list[Row]] = defaultdict(list)
    for row in view.marts["effects"]:
        effects[row["url"]].append(row)
    solutions = [{**row, "effects": effects[row["url"]]} for row in view.marts["solutions"]]
    stages = list(view.words.texts["stages"])
    return {
        "solutions": solutions,
        "areas": sorted({row["transition_area"] for row in solutions if row["transition_area"]}),
        "stages": sorted({row["stage"] for row in solutions}, key=lambda stage: (stage not in stages, stage)),
        "effects": sorted({effect["effect_quantity"] for row in solutions for effect in row["effects"]}),
        "counts": {stage: sum(row["stage"] == stage for row in solutions) for stage in stages},
    }


def _waves(view: View) -> list[Mapping[str, Any]]:
    """The waves, latest first, each with its questions; a question has its answers of all and by subgroup."""
    answers: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in view.marts["survey_answers"]:
        answers[row["wave"]][row["question_id"]].append(row)
    return [
        {
            "wave": wave,
            "readiness": [row for row in view.marts["readiness"] if row["wave"] == wave["wave"]],
            "questions": [_question(view, rows) for rows in answers[wave["wave"]].values()],
        }
        for wave in reversed(view.marts["survey_waves"])
    ]


def _question(view: View, rows: Sequence[Row]) -> Mapping[str, Any]:
    order = list(view.words.texts["answers"])
    ordered = sorted(
        rows,
        key=lambda row: (
            row["answer"] not in order,
            order.index(row["answer"]) if row["answer"] in order else 0,
            row["answer"],
        ),
    )
    of_all = [row for row in ordered if row["subgroup_type"] == "all"]
    subgroups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in ordered:
        if row["subgroup_type"] != "all":
            subgroups[row["subgroup_type"], row["subgroup"]].append(row)
    return {
        "first": rows[0],
        "of_all": of_all,
        "subgroups": subgroups,
        "points": lambda: [
            {
                "answer": view.words.of("answers", row["answer"]),
                "place": place,
                "share": _percent(row["answer_share"]),
                "low": _percent(row["answer_share_lower_bound"]),
                "high": _percent(row["answer_share_upper_bound"]),
                "hidden": view.words.texts["survey"]["hidden"] if row["is_suppressed"] else "",
            }
            for place, row in enumerate(of_all)
        ],
    }


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _quality(view: View) -> Mapping[str, Any]:
    marts = view.marts["publication"]
    return {
        "sources": view.marts["sources"],
        "tables": marts,
        "passed": sum(row["checks_passed"] for row in marts),
        "warned": sum(row["checks_warned"] for row in marts),
        "failed": sum(row["checks_failed"] for row in marts),
        "quarantined": sum(row["rows_quarantined"] or 0 for row in view.marts["sources"]),
        "faulty_sensors": [row for row in view.marts["sensor_status"] if row["status"] not in ("ok", "taken_down")],
        "sites": {row["sensor_id"]: row["site"] for row in view.marts["sensors"]},
    }
