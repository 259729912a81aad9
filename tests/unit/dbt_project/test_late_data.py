"""What arrives late or is corrected rebuilds its own local days, and nothing else: fingerprints of every stored day."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.unit.dbt_project.small_build import PROJECT, Build, append_row, make_build

STORED = (
    "intermediate.int_sensor_reading__hourly",
    "intermediate.int_sensor_reading__daily",
    "intermediate.int_sensor_day__trace",
    "intermediate.int_sensor_day__flat",
    "intermediate.int_snow_hour__risen",
    "intermediate.int_road_day__judged",
)
MARTS = (
    "main.kpi_operations__daily_snow",
    "main.kpi_operations__sensor_health",
    "main.kpi_operations__plough_event",
    "main.kpi_operations__daily_frost_risk",
)

LOOKING_BACK = (
    *("int_snow_hour__risen", "kpi_operations__daily_snow", "kpi_operations__plough_event"),
    *("int_kpi_value__operations", "fct_kpi_value", "kpi_lineage"),
)

# A station of SMHI, its last day not yet checked, and an energy meter, hour by hour.
OTHER_FEEDS = """
insert into raw.sensor_reading
select
    feed, sensor_id, quantity, observed_at, 2 + hour(observed_at) / 10.0, unit, null, null,
    if(feed = 'smhi' and observed_at >= '2026-01-12 23:00:00+00', 'suspect', 'good'), null, observed_at, 0, null,
    'file', timestamptz '2026-01-14 01:00:00+00', 1, 1
from generate_series(
    timestamptz '2026-01-09 23:00:00+00', timestamptz '2026-01-13 22:00:00+00', interval 1 hour
) as moments(observed_at)
cross join (values ('smhi', '74180', 'air_temperature', 'degC'), ('metry', 'meter-1', 'energy', 'kWh'))
    as series(feed, sensor_id, quantity, unit);
insert into ops.touched_day
select distinct 1, feed, timezone('Europe/Stockholm', observed_at)::date
from raw.sensor_reading where feed in ('smhi', 'metry');
"""


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    build = make_build(tmp_path_factory.mktemp("late"))
    build.change_warehouse(OTHER_FEEDS)
    append_row(build.seeds / "sensor_kinds.csv", "energy_meter_of_test,Energimätare,Energy meter,energy")
    append_row(build.seeds / "sensors.csv", "meter-1,metry,meter-1,School,0682,energy_meter_of_test,,,57.65,14.69,60,,")
    assert not build.dbt("seed") | build.dbt("run")
    return build


def fingerprints(build: Build) -> dict[tuple[str, str, str], tuple[str, int]]:
    """Hash and number of rows by table, feed and day, with the version that each model says it built."""
    days: dict[tuple[str, str, str], tuple[str, int]] = {}
    for table in STORED + MARTS:
        rows = build.query(
            f"select feed, local_date::varchar, bit_xor(hash(stored))::varchar, count(*) from {table} as stored"
            " group by feed, local_date"
        )
        days |= {(table, feed, day): (digest, count) for feed, day, digest, count in rows}
    # New snow looks back a day: the days after a touched one are looked at too, which need not change them.
    built = build.query(
        "select model, feed, local_date::varchar, version, 1 from intermediate.int_sensor_day__built"
        f" where model not in {LOOKING_BACK}"
    )
    return days | {(f"built {model}", feed, day): (version, one) for model, feed, day, version, one in built}


def changed(build: Build, warehouse_sql: str) -> set[tuple[str, str]]:
    """Feeds and days of which anything differs after the change and a build."""
    before = fingerprints(build)
    build.change_warehouse(warehouse_sql)
    assert not build.dbt("run")
    after = fingerprints(build)
    return {(feed, day) for (_, feed, day) in before.keys() | after.keys() if _differs(before, after, feed, day)}


def _differs(
    before: dict[tuple[str, str, str], tuple[str, int]],
    after: dict[tuple[str, str, str], tuple[str, int]],
    feed: str,
    day: str,
) -> bool:
    tables = {table for table, _, _ in before.keys() | after.keys()}
    return any(before.get((table, feed, day)) != after.get((table, feed, day)) for table in tables)


def test_a_late_reading_rebuilds_its_day(build: Build) -> None:
    late = """
        insert into raw.sensor_reading
        select * replace (timestamptz '2026-01-11 10:05:00+00' as observed_at, -9.5 as value, 11 as load_id)
        from raw.sensor_reading where sensor_id = 'A81758FFFE04A001' and quantity = 'air_temperature' limit 1;
        insert into ops.touched_day values (11, 'tts_hogland', '2026-01-11')
    """
    assert changed(build, late) == {("tts_hogland", "2026-01-11")}
    low = "select air_temperature_low_degc from main.kpi_operations__daily_snow"
    where = " where sensor_id = 'A81758FFFE04A001' and local_date = '2026-01-11'"
    assert build.query(low + where) == [(-9.5,)]


def test_a_checked_value_of_smhi_rebuilds_its_day(build: Build) -> None:
    checked = """
        update raw.sensor_reading set value = 1.25, quality = 'good', revision = 2, load_id = 12
        where feed = 'smhi' and observed_at = '2026-01-13 05:00:00+00';
        insert into ops.touched_day values (12, 'smhi', '2026-01-13')
    """
    # The health of the lasers on that day tells how far they are from SMHI.
    assert changed(build, checked) == {("smhi", "2026-01-13"), ("tts_hogland", "2026-01-13")}
    rebuilt = "select distinct feed from intermediate.int_sensor_day__built where built_at ="
    assert build.query(rebuilt + " (select max(built_at) from intermediate.int_sensor_day__built)") == [("smhi",)]
    suspect = "select suspect_readings, air_temperature_low_degc from main.kpi_operations__daily_snow"
    assert build.query(suspect + " where sensor_id = '74180' and local_date = '2026-01-13'") == [(23, 1.25)]


def test_a_restated_meter_rebuilds_the_days_of_its_hours(build: Build) -> None:
    # Meter time is UTC+1 all year; the two restated hours are the last of one Swedish day and the first of the next.
    restated = """
        update raw.sensor_reading set value = 100, revision = 2, load_id = 13
        where feed = 'metry' and observed_at in ('2026-01-10 22:00:00+00', '2026-01-10 23:00:00+00');
        insert into ops.touched_day values (13, 'metry', '2026-01-10'), (13, 'metry', '2026-01-11')
    """
    assert changed(build, restated) == {("metry", "2026-01-10"), ("metry", "2026-01-11")}


def test_days_that_are_no_longer_expected_leave_the_mart(build: Build) -> None:
    """A sensor's feed is renamed in the seed and the as-of date goes back: nothing stays that should not."""
    seed = build.seeds / "sensors.csv"
    kept, marts = seed.read_text(encoding="utf-8"), build.marts.read_bytes()
    seed.write_text(kept.replace("meter-1,metry,", "meter-1,not_read,"), encoding="utf-8")
    assert not build.dbt("seed", "-s", "sensors")
    assert not build.dbt("run", as_of="2026-01-13")
    tables = ("kpi_operations__daily_snow", "fct_kpi_value", "kpi_lineage")
    by_nights = [build.query(f"from main.{table} order by all") for table in tables]
    assert not build.dbt("run", "--full-refresh", as_of="2026-01-13")
    assert [build.query(f"from main.{table} order by all") for table in tables] == by_nights
    assert build.query("select count(*) from main.kpi_operations__daily_snow where feed = 'metry'") == [(0,)]
    assert build.query("select max(local_date)::varchar from main.kpi_operations__daily_snow") == [("2026-01-12",)]
    seed.write_text(kept, encoding="utf-8")
    build.marts.write_bytes(marts)


def test_a_day_that_is_not_over_is_in_no_mart_until_it_is(build: Build) -> None:
    """Feeds that deliver after midnight: a road with a risk of frost, and snow enough to plough, both today."""
    kept, marts = build.warehouse.read_bytes(), build.marts.read_bytes()
    build.change_warehouse(
        "insert into raw.sensor_reading by name select 'tts_hogland' as feed, 'A81758FFFE04A001' as sensor_id,"
        " quantity, observed_at, value, unit, 'good' as quality, observed_at as ingested_at, 14 as load_id"
        " from generate_series("
        "timestamptz '2026-01-13 22:00:00+00', timestamptz '2026-01-14 02:00:00+00', interval 1 hour"
        ") as hours(observed_at) cross join (values ('road_surface_temperature', -2, 'degC'),"
        " ('dew_point', -1, 'degC'), ('precipitation_hourly', 0, 'mm'), ('distance', 2000, 'mm')"
        ") as series(quantity, value, unit)"
        " where quantity != 'distance' or observed_at > '2026-01-13 22:00:00+00';"
        "insert into ops.touched_day values (14, 'tts_hogland', '2026-01-13'), (14, 'tts_hogland', '2026-01-14')"
    )
    last_days = "select " + ", ".join(
        f"(select max(local_date)::varchar from main.kpi_operations__{mart})"
        for mart in ("daily_snow", "daily_frost_risk", "plough_event")
    )
    frost = "select value, completeness from main.fct_kpi_value where kpi_id = 'frost_risk_hours'"
    assert not build.dbt("run", as_of="2026-01-14")
    assert build.query(last_days) == [("2026-01-13",) * 3]
    assert build.query(frost) == [(1.0, 1 / (13 * 24))]
    assert not build.dbt("run")
    assert build.query(last_days) == [("2026-01-14",) * 3]
    assert build.query(frost) == [(5.0, 5 / (14 * 24))]
    build.warehouse.write_bytes(kept)
    build.marts.write_bytes(marts)


def test_a_register_that_changes_which_values_there_are_changes_them_and_their_lineage(build: Build) -> None:
    """A road that is ploughed no longer has no plough events; the other seeds of its feed stay as they were."""
    seed = build.seeds / "sensors.csv"
    kept, marts = seed.read_text(encoding="utf-8"), build.marts.read_bytes()
    row = next(row for row in kept.splitlines() if row.startswith("A81758FFFE04A001,"))
    classes = "select distinct road_class from staging.sensors where sensor_id = 'A81758FFFE04A001'"
    [(road_class,)] = build.query(classes)
    assert f",{road_class}," in row
    ploughed = "select count(*) from main.kpi_lineage where kpi_id = 'plough_trigger_events' and area_id ="
    assert build.query(ploughed + " 'A81758FFFE04A001'") != [(0,)]
    seed.write_text(kept.replace(row, row.replace(f",{road_class},", ",,", 1)), encoding="utf-8")
    assert not build.dbt("seed", "-s", "sensors")
    assert not build.dbt("run")
    assert build.query(classes) == [(None,)]
    assert build.query(ploughed + " 'A81758FFFE04A001'") == [(0,)]
    tables = ("fct_kpi_value", "kpi_lineage")
    by_nights = [build.query(f"from main.{table} order by all") for table in tables]
    assert not build.dbt("run", "--full-refresh", "-s", "int_kpi_value__operations", *tables)
    assert [build.query(f"from main.{table} order by all") for table in tables] == by_nights
    seed.write_text(kept, encoding="utf-8")
    build.marts.write_bytes(marts)


def test_nothing_new_changes_no_day(build: Build) -> None:
    assert changed(build, "select 1") == set()


def test_a_day_that_vanished_from_a_stored_table_is_found(build: Build) -> None:
    kept = build.marts.read_bytes()
    build.change_marts("delete from intermediate.int_sensor_reading__daily where local_date = '2026-01-11'")
    failed = build.dbt("test", "-s", "stored_days_hold_what_was_built")
    build.marts.write_bytes(kept)
    assert failed == {"stored_days_hold_what_was_built"}
    assert not build.dbt("test", "-s", "stored_days_hold_what_was_built")


def test_a_second_row_of_an_old_value_is_found_by_looking_at_all_of_history(build: Build) -> None:
    """As `make check-history` does; the night looks at what it built."""
    kept = build.marts.read_bytes()
    build.change_marts(
        "update intermediate.int_sensor_day__built set built_at = built_at - interval 1 day"
        " where model = 'kpi_lineage' and local_date < '2026-01-12';"
        "insert into main.kpi_lineage from main.kpi_lineage"
        " where kpi_id = 'sensor_availability' and period_end = '2026-01-10' limit 1"
    )
    by_night = build.dbt("test", "-s", "kpi_lineage,test_name:unique_combination")
    [failed] = build.dbt("test", "-s", "kpi_lineage,test_name:unique_combination", whole_history=True)
    build.marts.write_bytes(kept)
    assert by_night == set()
    assert failed.startswith("unique_combination_kpi_lineage")


def test_every_whole_day_model_is_listed() -> None:
    """The list says how a model's days are found, and which tables the test above looks at."""
    models = {path.stem: path.read_text(encoding="utf-8") for path in PROJECT.glob("models/**/*.sql")}
    macros = (PROJECT / "macros" / "whole_days.sql").read_text(encoding="utf-8")
    listed = macros.partition("macro whole_day_models()")[2].partition("endmacro")[0]
    assert set(re.findall(r"'(\w+)'", listed)) == {name for name, sql in models.items() if "{{ whole_days(" in sql}


class TestActiveDates:
    """When a sensor was in service: its days, gaps and status follow the register, and no others are built again."""

    @pytest.fixture
    def restored(self, build: Build) -> Iterator[Build]:
        seed = build.seeds / "sensors.csv"
        kept, marts = seed.read_text(encoding="utf-8"), build.marts.read_bytes()
        yield build
        seed.write_text(kept, encoding="utf-8")
        build.marts.write_bytes(marts)

    @staticmethod
    def built_by(build: Build, sensor_id: str, active_from: str, active_to: str) -> list[tuple[str, str]]:
        """The days of the mart that were built again."""
        seed = build.seeds / "sensors.csv"
        rows = [row.split(",") for row in seed.read_text(encoding="utf-8").splitlines()]
        rows = [[*row[:11], active_from, active_to] if row[0] == sensor_id else row for row in rows]
        seed.write_text("".join(",".join(row) + "\n" for row in rows), encoding="utf-8")
        days = "select feed, local_date::varchar, version from intermediate.int_sensor_day__built where model ="
        before = set(build.query(days + " 'kpi_operations__daily_snow'"))
        failed = build.dbt("build", "--exclude-resource-type", "unit_test")
        assert not failed, failed
        after = set(build.query(days + " 'kpi_operations__daily_snow'"))
        return sorted({day[:2] for day in before ^ after})

    @staticmethod
    def days_of(build: Build, sensor_id: str) -> list[str]:
        query = f"select local_date::varchar from main.kpi_operations__sensor_health where sensor_id = '{sensor_id}'"
        return [day for (day,) in build.query(query + " order by 1")]

    def test_a_sensor_that_was_taken_down_is_silent_no_longer(self, restored: Build) -> None:
        status = (
            "select status, reasons, (select bool_or(is_open) from main.kpi_operations__sensor_gap as gaps"
            " where gaps.sensor_id = sensors.sensor_id)"
            " from main.kpi_operations__sensor_status as sensors where sensor_id = 'A81758FFFE04A006'"
        )
        assert restored.query(status) == [("fault", "stale, low_availability", True)]
        built = self.built_by(restored, "A81758FFFE04A006", "", "2026-01-11")
        assert built == [("tts_hogland", day) for day in ("2026-01-12", "2026-01-13", "2026-01-14")]
        assert self.days_of(restored, "A81758FFFE04A006") == ["2026-01-10", "2026-01-11"]
        assert restored.query(status) == [("taken_down", None, False)]
        gaps = "select gap_to::varchar from main.kpi_operations__sensor_gap where sensor_id = 'A81758FFFE04A006'"
        assert restored.query(gaps) == [("2026-01-11 23:00:00+00",)]
        values = "select count(*) from main.fct_kpi_value where kpi_id = 'sensor_availability' and area_id ="
        assert restored.query(values + " 'A81758FFFE04A006'") == [(2,)]

    def test_readings_from_before_and_after_a_sensors_service_are_in_no_mart(self, restored: Build) -> None:
        built = self.built_by(restored, "A81758FFFE04A001", "2026-01-12", "2026-01-12")
        assert built == [("tts_hogland", f"2026-01-{day}") for day in (10, 11, 12, 13, 14)]
        assert self.days_of(restored, "A81758FFFE04A001") == ["2026-01-12"]
        by_nights = [restored.query(f"from main.{mart} order by all") for mart in ("fct_kpi_value", "kpi_lineage")]
        assert not restored.dbt("run", "--full-refresh")
        full = [restored.query(f"from main.{mart} order by all") for mart in ("fct_kpi_value", "kpi_lineage")]
        assert full == by_nights

    def test_a_date_that_moves_by_a_day_builds_that_day_and_the_next(self, restored: Build) -> None:
        self.built_by(restored, "A81758FFFE04A001", "2026-01-11", "")
        built = self.built_by(restored, "A81758FFFE04A001", "2026-01-12", "")
        assert built == [("tts_hogland", "2026-01-11"), ("tts_hogland", "2026-01-12")]

    def test_a_sensor_without_a_mounting_is_expected_from_the_day_the_register_says(self, restored: Build) -> None:
        append_row(restored.seeds / "sensors.csv", "74460,smhi,74460,Axamo,0682,weather_station,,,57.75,14.08,60,,")
        self.built_by(restored, "74460", "", "")
        assert self.days_of(restored, "74460")[0] == "2026-01-10"
        self.built_by(restored, "74460", "2026-01-13", "")
        assert self.days_of(restored, "74460") == ["2026-01-13", "2026-01-14"]


class TestMountings:
    """A changed row of the seed works out again the days it applies to."""

    @staticmethod
    def changed_by(build: Build, before: str, after: str) -> set[tuple[str, str]]:
        seed = build.seeds / "sensor_mountings.csv"
        text = seed.read_text(encoding="utf-8")
        assert before in text
        seed.write_text(text.replace(before, after), encoding="utf-8")
        assert not build.dbt("seed", "-s", "sensor_mountings")
        return changed(build, "select 1")

    def test_a_mount_height_corrected_in_the_past_changes_the_days_it_was_in_force(self, build: Build) -> None:
        row = "A81758FFFE04A002,2025-10-01,3000,"
        days = self.changed_by(build, row, "A81758FFFE04A002,2025-10-01,3010,")
        assert days == {("tts_hogland", day) for day in ("2026-01-10", "2026-01-11")}

    def test_a_laser_remounted_at_noon_has_both_mountings_on_that_day(self, build: Build) -> None:
        day = {("tts_hogland", "2026-01-12")}
        assert self.changed_by(build, "A002,2026-01-12,2700", "A002,2026-01-12 11:00,2700") == day
        assert self.changed_by(build, "A002,2026-01-12 11:00,2700", "A002,2026-01-12 12:00,2700") == day
        depths = (
            "select min(observed_at)::varchar, value from intermediate.int_sensor_reading__calibrated"
            " where sensor_id = 'A81758FFFE04A002' and quantity = 'snow_depth'"
            " and observed_at >= '2026-01-12 00:00:00+00' and observed_at < '2026-01-12 12:00:00+00'"
            " group by value order by all"
        )
        assert build.query(depths) == [("2026-01-12 00:00:00+00", 81.0), ("2026-01-12 11:00:00+00", 50.0)]
        mountings = "select valid_from_date::varchar, valid_to_date::varchar from main.dim_sensor"
        assert build.query(f"{mountings} where sensor_id = 'A81758FFFE04A002' order by all") == [
            ("2025-10-01", "2026-01-12"),
            ("2026-01-12", None),
        ]
        assert self.changed_by(build, "A002,2026-01-12 12:00,2700", "A002,2026-01-12,2700") == day

    def test_a_removed_row_gives_its_days_to_the_mounting_before(self, build: Build) -> None:
        days = self.changed_by(build, "A81758FFFE04A002,2026-01-12,2700,0,0,mm,remounted lower on a new pole\n", "")
        assert days == {("tts_hogland", day) for day in ("2026-01-12", "2026-01-13")}

    def test_a_row_that_cannot_be_is_refused(self, build: Build) -> None:
        seed = build.seeds / "sensor_mountings.csv"
        text = seed.read_text(encoding="utf-8")
        for row in (
            "A81758FFFE04A001,2025-10-01,3000,0,0,mm,twice on one day",
            "A81758FFFE04A001,2025-11-01,300,0,0,mm,height in cm",
            "A81758FFFE04A001,2025-12-01,3000,61,0,mm,looking at the horizon",
            "A81758FFFE04A001,2026-01-01,3000,0,900,mm,offset of a roof",
            "A81758FFFE04A001,2026-01-02,3000,0,0,cm,unit",
            "A81758FFFE04A001,2026-01-03,,0,0,mm,no height",
            "A81758FFFE04A001,2026-01-04,3000.5,0,0,mm,finer than a laser reads",
        ):
            append_row(seed, row)
        assert not build.dbt("seed", "-s", "sensor_mountings")
        failed = build.dbt("test", "-s", "sensor_mountings")
        seed.write_text(text, encoding="utf-8")
        assert failed == {
            "unique_combination_sensor_mountings_sensor_id__valid_from",
            "mounting_is_complete",
            "mount_height_is_between_1_and_10_m",
            "mounting_angle_is_between_0_and_60_degrees",
            "zero_offset_is_small",
            "mounting_is_measured_in_mm",
            "mounting_is_in_whole_mm",
        }
