"""The marts dbt builds from a small warehouse: their figures, and what a second build does."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from tests.unit.dbt_project.small_build import Build, make_build


def test_a_day_has_the_depths_its_mounting_gives(built: Build) -> None:
    depths = built.query(
        "select distinct snow_depth_low_cm, snow_depth_high_cm, snow_depth_at_06_utc_cm,"
        " air_temperature_low_degc, relative_humidity_mean_pct, is_snow_cover_day, is_zero_crossing_day,"
        " expected_readings, availability_pct"
        " from main.kpi_operations__daily_snow where sensor_id in ('A81758FFFE04A001', 'A81758FFFE04A002')"
        " and local_date between '2026-01-10' and '2026-01-13'"
    )
    assert depths == [(20.0, 50.0, 50.0, -5.5, 80.0, True, True, 144, 100.0)]


def test_a_dead_sensor_keeps_its_days_without_values(built: Build) -> None:
    days = built.query(
        "select local_date::varchar, availability_pct, snow_depth_low_cm, is_snow_cover_day"
        " from main.kpi_operations__daily_snow where sensor_id = 'A81758FFFE04A006' order by local_date"
    )
    assert days == [
        ("2026-01-10", 100.0, 18.0, True),
        ("2026-01-11", 0.0, None, None),
        ("2026-01-12", 0.0, None, None),
        ("2026-01-13", 0.0, None, None),
        ("2026-01-14", 0.0, None, None),
    ]


def test_the_survey_gives_the_published_shares(built: Build) -> None:
    answers = built.query(
        "select question_id, answer, n_answers, round(100 * answer_share, 1),"
        " round(100 * answer_share_lower_bound, 1), round(100 * answer_share_upper_bound, 1), n_respondents"
        " from main.kpi_digitalisation__survey_answer where subgroup_type = 'all' order by all"
    )
    assert answers == [
        ("ai_strategy", "dont_know", 0, 0.0, 0.0, 8.6, 41),
        ("ai_strategy", "no", 34, 82.9, 68.7, 91.5, 41),
        ("ai_strategy", "yes", 7, 17.1, 8.5, 31.3, 41),
        ("ai_use", "analysis", 12, 30.0, 18.1, 45.4, 40),
        ("ai_use", "text_support", 30, 75.0, 59.8, 85.8, 40),
        ("tech_direction", "dont_know", None, None, None, None, 41),
        ("tech_direction", "no", None, None, None, None, 41),
        ("tech_direction", "yes", 13, 31.7, 19.6, 47.0, 41),
    ]


def test_the_search_index_has_the_stems_of_its_words(built: Build) -> None:
    stems = (
        "select distinct term, stem_sv, stem_en from main.kpi_twin__solution_term where term in ('solution', 'heating')"
    )
    assert built.query(stems + " order by all") == [("heating", "heating", "heat"), ("solution", "solution", "solut")]


def test_a_mart_takes_no_null_where_its_contract_wants_a_value(built: Build) -> None:
    marts = {name for (name,) in built.query("select table_name from duckdb_tables() where schema_name = 'main'")}
    required = built.query(
        "select table_name, column_name from duckdb_columns() where schema_name = 'main' and not is_nullable"
    )
    assert {mart for mart, _ in required} == marts
    with pytest.raises(duckdb.ConstraintException, match=r"NOT NULL constraint failed: kpi_twin__solution\.url"):
        built.change_marts("insert into main.kpi_twin__solution (title) values ('without address')")


def test_no_subgroup_shows_when_its_people_answered(built: Build) -> None:
    times = "select wave, count(distinct last_submitted_at) from main.kpi_digitalisation__survey_answer group by wave"
    assert built.query(times) == [("ai_maturity_2024_25", 1)]


def test_every_published_indicator_has_values_and_missing_is_not_zero(built: Build) -> None:
    without = built.query(
        "select kpi_id from main.dim_kpi anti join main.fct_kpi_value using (kpi_id) where is_published"
    )
    assert without == []
    assert built.query("select count(*), count(*) filter (where is_published) from main.dim_kpi") == [(40, 9)]
    stages = built.query(
        "select area_id, value from main.fct_kpi_value where kpi_id = 'uttc_solutions_by_stage' order by 1"
    )
    assert stages == [("analysed", 4.0), ("identified", 5.0), ("validated", 0.0)]
    net = built.query(
        "select value_status, value, count(*) from main.fct_kpi_value"
        " where kpi_id = 'uttc_net_effect' group by all order by 1"
    )
    assert net == [("missing", None, 8), ("observed", 1350.0, 1)]


def test_readings_by_a_feed_that_their_sensor_is_not_listed_with_are_told(built: Build) -> None:
    rename = "update intermediate.int_sensor_reading__daily set feed = '{1}' where feed = '{0}' and sensor_id = '{2}'"
    assert not built.dbt("test", "-s", "sensor_is_listed")
    assert [result.status for result in built.results] == ["pass"]
    built.change_marts(rename.format("tts_hogland", "before", "A81758FFFE04A006"))
    try:
        assert not built.dbt("test", "-s", "sensor_is_listed")
        assert [result.status for result in built.results] == ["warn"]
    finally:
        built.change_marts(rename.format("before", "tts_hogland", "A81758FFFE04A006"))


@pytest.mark.parametrize(
    ("before", "after", "test"),
    [
        (",elsys,1,", ",elsys,4,", "road_class_has_its_triggers"),
        (",milesight_em400_tld,,57.6664,", ",milesight_em400_tld,1,57.6664,", "road_class_has_its_triggers"),
        ("14.6967,10", "14.6967,7.5", "expected_interval_is_whole_minutes"),
        ("14.6967,10", "14.6967,0", "expected_interval_is_whole_minutes"),
        ("14.6967,10,,", "14.6967,10,2026-01-12,2026-01-11", "sensor_is_active_before_it_is_taken_down"),
    ],
)
def test_a_row_of_a_sensor_that_cannot_be_is_refused(built: Build, before: str, after: str, test: str) -> None:
    seed = built.seeds / "sensors.csv"
    listed = seed.read_text(encoding="utf-8")
    assert before in listed
    seed.write_text(listed.replace(before, after, 1), encoding="utf-8")
    try:
        assert not built.dbt("seed", "-s", "sensors")
        assert built.dbt("test", "-s", "sensors,test_type:data") == {test}
    finally:
        seed.write_text(listed, encoding="utf-8")
        assert not built.dbt("seed", "-s", "sensors")


@pytest.mark.parametrize("table", ["int_sensor_reading__hourly", "int_sensor_reading__daily"])
def test_a_lost_day_fails_its_sum_test(built: Build, table: str) -> None:
    name = table.removeprefix("int_sensor_reading__") + "_readings_add_up_to_raw"
    built.change_marts(
        f"create table lost as from intermediate.{table} where local_date = '2026-01-12';"
        f"delete from intermediate.{table} where local_date = '2026-01-12'"
    )
    try:
        assert built.dbt("test", "-s", name) == {name}
    finally:
        built.change_marts(f"insert into intermediate.{table} from lost; drop table lost")


def test_a_lost_day_of_a_mart_fails_its_sum_tests(built: Build) -> None:
    tests = [
        "daily_snow_adds_up_to_raw",
        "kpi_values_add_up_to_marts",
        "survey_answers_add_up_to_raw",
        "solutions_add_up_to_raw",
    ]
    marts = ["kpi_operations__daily_snow", "kpi_digitalisation__survey_answer", "kpi_twin__solution"]
    keep = ";".join(f"create table kept_{mart} as from main.{mart}" for mart in marts)
    built.change_marts(
        keep + ";delete from main.kpi_operations__daily_snow where local_date = '2026-01-12';"
        "delete from main.kpi_digitalisation__survey_answer where subgroup = '0686';"
        "delete from main.kpi_twin__solution where slug = 'solution-6'"
    )
    try:
        assert built.dbt("test", "-s", *tests) == set(tests)
    finally:
        built.change_marts(
            ";".join(
                f"delete from main.{mart}; insert into main.{mart} from kept_{mart}; drop table kept_{mart}"
                for mart in marts
            )
        )


def test_an_indicator_of_a_survey_that_is_not_marked_so_fails_the_build(built: Build) -> None:
    """Its rows would have a timeline, and two days of one wave could be subtracted."""
    marked = "update main.dim_kpi set is_from_survey = {0} where kpi_id = 'ai_strategy_share'"
    name = "indicators_made_of_answers_are_marked"
    assert not built.dbt("test", "-s", name)
    built.change_marts(marked.format("false"))
    try:
        assert built.dbt("test", "-s", name) == {name}
    finally:
        built.change_marts(marked.format("true"))


def test_a_second_row_of_a_value_that_was_just_built_is_found(built: Build) -> None:
    name = "unique_combination_kpi_lineage"
    built.change_marts("insert into main.kpi_lineage from main.kpi_lineage where area_type = 'sensor' limit 1")
    try:
        [failed] = built.dbt("test", "-s", "kpi_lineage")
        assert failed.startswith(name)
    finally:
        built.change_marts(
            "create or replace temp table once as select distinct * from main.kpi_lineage;"
            " delete from main.kpi_lineage; insert into main.kpi_lineage from once"
        )


def test_a_build_spills_to_the_disk_beside_it_and_does_not_take_all_memory(built: Build) -> None:
    settings = "select current_setting('memory_limit') as memory, current_setting('temp_directory') as spilled"
    assert not built.dbt("show", "--inline", settings)
    [row] = built.results[0].agate_table.rows
    assert (row["memory"], row["spilled"]) == ("1.8 GiB", f"{built.marts}.tmp")


def test_before_the_first_sensor_and_reading_the_marts_are_empty_and_sound(tmp_path: Path) -> None:
    build = make_build(tmp_path)
    build.change_warehouse("delete from raw.sensor_reading; delete from ops.touched_day")
    for name in ("sensors.csv", "sensor_mountings.csv"):
        seed = build.seeds / name
        seed.write_text(seed.read_text(encoding="utf-8").partition("\n")[0] + "\n", encoding="utf-8")
    assert not build.dbt("build", "--exclude-resource-type", "unit_test")
    assert build.query("from main.kpi_operations__daily_snow") == build.query("from main.dim_sensor") == []


MARK = "update intermediate.int_sensor_reading__{0} set loaded_at = '2000-01-01 00:00:00+00'"
REBUILT = (
    "select local_date::varchar from intermediate.int_sensor_reading__{0} group by local_date"
    " having bool_or(loaded_at > '2000-01-01 00:00:00+00') order by 1"
)


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    build = make_build(tmp_path_factory.mktemp("second"))
    assert not build.dbt("seed") | build.dbt("run")
    return build


def sorted_rows(build: Build) -> dict[str, list[str]]:
    """Every mart in an order of its own: days that were built later stand later in those that follow the days."""
    return {mart: sorted(map(repr, rows)) for mart, rows in build.content().items()}


class TestSecondBuild:
    """Marks every stored row, changes one thing, builds again, and looks at which days lost the mark."""

    @staticmethod
    def rebuilt_days(build: Build) -> dict[str, list[str]]:
        for table in ("hourly", "daily"):
            build.change_marts(MARK.format(table))
        assert not build.dbt("run")
        days = {table: [day for (day,) in build.query(REBUILT.format(table))] for table in ("hourly", "daily")}
        assert not build.dbt("run", "--full-refresh")
        return days

    def test_nothing_new_changes_nothing(self, build: Build) -> None:
        before = sorted_rows(build)
        assert all(before[mart] for mart in ("dim_kpi", "fct_kpi_value", "kpi_operations__daily_snow"))
        assert not build.dbt("run")
        assert sorted_rows(build) == before
        assert self.rebuilt_days(build) == {"hourly": [], "daily": []}
        assert sorted_rows(build) == before

    def test_a_late_reading_rebuilds_its_day_and_no_other(self, build: Build) -> None:
        build.change_warehouse(
            "insert into raw.sensor_reading select * replace ('2026-01-11 10:05:00+00' as observed_at,"
            " 4 as load_id) from raw.sensor_reading where quantity = 'air_temperature' limit 1;"
            "insert into ops.touched_day values (4, 'tts_hogland', '2026-01-11')"
        )
        assert self.rebuilt_days(build) == {"hourly": ["2026-01-11"], "daily": ["2026-01-11"]}

    def test_a_changed_mounting_rebuilds_the_days_it_applies_to(self, build: Build) -> None:
        mountings = build.seeds / "sensor_mountings.csv"
        before = mountings.read_text()
        changed = before.replace("2026-01-12,2700,0,0,", "2026-01-12,2700,0,50,")
        assert changed != before
        mountings.write_text(changed)
        assert not build.dbt("seed", "-s", "sensor_mountings")
        days = ["2026-01-12", "2026-01-13"]
        assert self.rebuilt_days(build) == {"hourly": days, "daily": days}
        assert build.query(
            "select distinct snow_depth_high_cm from main.kpi_operations__daily_snow"
            " where sensor_id = 'A81758FFFE04A002' and local_date in ('2026-01-12', '2026-01-13')"
        ) == [(45.0,)]

    def test_a_sensor_that_comes_by_another_feed_leaves_that_of_before(self, tmp_path: Path) -> None:
        build = make_build(tmp_path)
        assert not build.dbt("seed") | build.dbt("run")
        build.change_warehouse(
            "insert into raw.sensor_reading select * replace ('chirpstack' as feed, 7 as load_id)"
            " from raw.sensor_reading where sensor_id = 'A81758FFFE04A002' and observed_at >= '2026-01-11 23:00:00+00';"
            "insert into ops.touched_day values (7, 'chirpstack', '2026-01-12'), (7, 'chirpstack', '2026-01-13')"
        )
        sensors = build.seeds / "sensors.csv"
        listed = sensors.read_text(encoding="utf-8")
        sensors.write_text(listed.replace("A002,tts_hogland", "A002,chirpstack"), encoding="utf-8")
        assert not build.dbt("build", "--exclude-resource-type", "unit_test")
        days = "select feed, count(*) from main.kpi_operations__daily_snow where sensor_id = 'A81758FFFE04A002'"
        assert build.query(f"{days} group by feed") == [("chirpstack", 3)]

    def test_a_day_that_ends_without_rows_leaves_none_behind(self, build: Build) -> None:
        build.change_warehouse(
            "delete from raw.sensor_reading"
            " where timezone('Europe/Stockholm', observed_at)::date = '2026-01-13';"
            "insert into ops.touched_day values (5, 'tts_hogland', '2026-01-13')"
        )
        assert not build.dbt("run")
        for table in ("hourly", "daily"):
            days = f"select count(*) filter (local_date = '2026-01-13') from intermediate.int_sensor_reading__{table}"
            assert build.query(days) == [(0,)]
        assert self.rebuilt_days(build) == {"hourly": [], "daily": []}

    def test_a_model_left_out_of_one_build_catches_up_in_the_next(self, tmp_path: Path) -> None:
        build = make_build(tmp_path)
        assert not build.dbt("seed") | build.dbt("run")
        build.change_warehouse(
            "update raw.sensor_reading set value = -6.5 where quantity = 'air_temperature' and value < 0"
            " and observed_at < '2026-01-10 23:00:00+00';"
            "insert into ops.touched_day values (6, 'tts_hogland', '2026-01-10')"
        )
        assert not build.dbt("run", "--exclude", "int_sensor_reading__daily")
        lows = "select min(value_low) from intermediate.int_sensor_reading__daily where quantity = 'air_temperature'"
        assert build.query(lows) == [(-5.5,)]
        assert not build.dbt("build")
        assert build.query(lows) == [(-6.5,)]
        by_days = sorted_rows(build)
        assert not build.dbt("run", "--full-refresh")
        assert sorted_rows(build) == by_days
