"""Any mart on any day since its first publication, from files whose cost follows what changed."""

import json
import shutil
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from hogland_pipeline import timeline_changes
from hogland_pipeline.as_of import ask_as_of
from hogland_pipeline.contracts import MartContract
from hogland_pipeline.overview import NothingPublished, QueryFailed
from hogland_pipeline.publish import Publication
from hogland_pipeline.publishing import roll_back_everywhere
from hogland_pipeline.release_tables import sha256
from hogland_pipeline.releases import PublicationFailed, Target, release_ids
from hogland_pipeline.settings import Settings, load_settings
from hogland_pipeline.timeline import read_index
from tests.unit.hogland_pipeline.small_release import NIGHT, build, release

START = NIGHT.date()
SNOW = "select * from (values {}) as t(day, depth_cm)"


class Nights:
    """A data folder in which one night after another is published."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings: Settings = load_settings(environment={}, data_dir=folder / "data")
        self.target = Target(self.settings.data_dir, keep=2)
        self.count = 0

    def publish(self, snow: str, contracts: dict[str, MartContract] | None = None, **options: Any) -> Publication:
        """The next night, with this query as its mart of snow."""
        at = NIGHT + timedelta(self.count)
        self.count += 1
        build_db = build(self.folder, daily_snow=snow, **options.pop("tables", {}))
        return release(build_db, self.target, at=at, contracts=contracts, **options)

    def ask(self, night: int, query: str = "select * from daily_snow order by all") -> Sequence[tuple[Any, ...]]:
        return ask_as_of(self.settings, query, START + timedelta(night)).rows

    def files(self, mart: str = "daily_snow") -> dict[str, Path]:
        folder = self.target.published.resolve() / "timeline" / mart
        return {path.name: path for path in folder.iterdir()}


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    return Nights(tmp_path)


def values(*rows: str) -> str:
    return SNOW.format(", ".join(rows))


def test_every_night_is_answered_long_after_its_release_left(nights: Nights) -> None:
    shown = [
        ["(1, 2.5)"],
        ["(1, 2.5)", "(2, 3.5)"],
        ["(1, 4.5)", "(2, 3.5)"],
        ["(2, 3.5)"],
        ["(1, 2.5)", "(2, 3.5)"],
    ]
    for rows in shown:
        nights.publish(values(*rows))
    assert len(release_ids(nights.target)) == 2
    expected = [duckdb.sql(values(*rows)).fetchall() for rows in shown]
    assert [nights.ask(night) for night in range(5)] == [sorted(rows) for rows in expected]
    assert nights.ask(1000) == nights.ask(4)


def test_the_files_are_read_by_any_tool_with_one_condition(nights: Nights) -> None:
    nights.publish(values("(1, 2.5)"))
    nights.publish(values("(1, 4.5)"))
    folder = nights.target.published / "timeline" / "daily_snow"
    query = (
        "select depth_cm from '{}/*.parquet' where published_from <= '{}'"
        " and (published_until is null or published_until > '{}')"
    )
    for at, depth in ((NIGHT, 2.5), (NIGHT + timedelta(hours=23), 2.5), (NIGHT + timedelta(1), 4.5)):
        [(found,)] = duckdb.sql(query.format(folder, at.isoformat(), at.isoformat())).fetchall()
        assert float(found) == depth


def test_rows_that_occur_several_times_are_counted(nights: Nights) -> None:
    nights.publish(values("(1, 2.5)", "(1, 2.5)", "(1, 2.5)", "(null, null)"))
    nights.publish(values("(1, 2.5)", "(null, null)", "(null, null)"))
    nights.publish(values("(1, 2.5)", "(1, 2.5)"))
    assert [len(nights.ask(night)) for night in range(3)] == [4, 3, 2]
    assert nights.ask(1, "select count(*) from daily_snow where day is null") == [(2,)]


def test_a_night_without_news_links_every_file_and_writes_none(nights: Nights) -> None:
    nights.publish(values("(1, 2.5)"))
    nights.publish(values("(1, 3.5)"))
    before = {name: path.stat().st_ino for name, path in nights.files().items()}
    nights.publish(values("(1, 3.5)"))
    assert before == {name: path.stat().st_ino for name, path in nights.files().items()}
    assert set(before) == {"current-0001.parquet", "past-0001.parquet"}


def test_a_mart_that_never_changed_costs_no_file_of_its_own(nights: Nights) -> None:
    nights.publish(values("(1, 2.5)"))
    first = nights.files("dim_municipality")
    nights.publish(values("(1, 3.5)"))
    assert list(first) == ["unchanged.parquet"]
    parquet = first["unchanged.parquet"].parents[2] / "parquet" / "dim_municipality.parquet"
    assert first["unchanged.parquet"].samefile(parquet)
    assert nights.files("dim_municipality")["unchanged.parquet"].samefile(parquet)
    assert nights.ask(0, "from dim_municipality") == nights.ask(1, "from dim_municipality")


def test_a_digest_is_listed_for_every_link(nights: Nights) -> None:
    for depth in (2.5, 3.5, 3.5):
        folder = nights.publish(values(f"(1, {depth})")).folder
        files = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]
        assert {name: sha256(folder / name) for name in files} == {name: file["sha256"] for name, file in files.items()}
        assert "timeline/daily_snow/" in " ".join(files)


def test_a_release_does_not_touch_the_files_of_the_one_before(nights: Nights) -> None:
    nights.publish(values("(1, 2.5)"))
    nights.publish(values("(1, 3.5)"))
    before = {path: path.read_bytes() for path in nights.files().values()}
    nights.publish(values("(1, 4.5)"))
    assert before == {path: path.read_bytes() for path in before}


def test_the_sixteenth_digit_is_no_news_and_the_first_value_stays(nights: Nights) -> None:
    nights.publish("select 1 as day, 0.1::double + 0.2::double as depth_cm")
    nights.publish("select 1 as day, 0.3::double as depth_cm union all select 2, 1.0")
    nights.publish("select 1 as day, 0.3000001::double as depth_cm")
    assert nights.ask(1) == [(1, 0.1 + 0.2), (2, 1.0)]
    assert nights.ask(2) == [(1, 0.3000001)]


def test_the_fourth_digit_of_a_float_is_news(nights: Nights) -> None:
    nights.publish("select 1 as day, 1.0001::float as depth_cm")
    nights.publish("select 1 as day, 1.0002::float as depth_cm")
    assert [row[1] for row in nights.ask(0) + nights.ask(1)] == pytest.approx([1.0001, 1.0002])


def test_past_rows_go_to_few_files(nights: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline_changes, "SEGMENT_ROWS", 3)
    for night in range(8):
        nights.publish(values(f"(1, {night}.5)"))
    assert sorted(nights.files()) == [
        "current-0001.parquet",
        "past-0001.parquet",
        "past-0002.parquet",
        "past-0003.parquet",
    ]
    assert [float(nights.ask(night)[0][1]) for night in range(8)] == [night + 0.5 for night in range(8)]


def test_a_column_that_is_added_is_null_before(nights: Nights) -> None:
    nights.publish(values("(1, 2.5)"))
    nights.publish("select 1 as day, 2.5 as depth_cm, 'Nässjö' as site")
    nights.publish("select 1 as day, 2.5 as depth_cm, 'Eksjö' as site, null::varchar as note")
    assert [nights.ask(night, "select site from daily_snow") for night in range(3)] == [
        [(None,)],
        [("Nässjö",)],
        [("Eksjö",)],
    ]
    assert nights.ask(2, "select note from daily_snow") == [(None,)]


def test_a_mart_that_lost_a_column_begins_a_new_form_and_the_old_one_is_still_asked(nights: Nights) -> None:
    nights.publish(values("(1, 2.5)"))
    nights.publish(values("(1, 3.5)"), may_break_contracts=True)
    nights.publish("select 1 as day", may_break_contracts=True)
    nights.publish("select 'one' as day", may_break_contracts=True)
    assert [nights.ask(night) for night in range(4)] == [[(1, 2.5)], [(1, 3.5)], [(1,)], [("one",)]]
    folders = {path.name for path in (nights.target.published / "timeline").iterdir() if path.is_dir()}
    assert folders == {
        "daily_snow",
        "daily_snow.until-20260203T010000000000Z",
        "daily_snow.until-20260204T010000000000Z",
        "dim_municipality",
    }


def test_a_mart_that_left_and_came_back_is_absent_in_between(nights: Nights) -> None:
    nights.publish(values("(1, 2.5)"))
    nights.publish(values("(1, 2.5)"), marts=["dim_municipality"], may_break_contracts=True)
    nights.publish(values("(1, 2.5)"), may_break_contracts=True)
    assert nights.ask(0) == nights.ask(2) == [(1, 2.5)]
    with pytest.raises(QueryFailed, match="daily_snow: it was not published then"):
        nights.ask(1)


def test_an_empty_mart_has_its_columns(nights: Nights) -> None:
    nights.publish("select 1 as day where false")
    nights.publish("select 1 as day")
    assert nights.ask(0) == []
    assert nights.ask(1) == [(1,)]


def test_a_data_folder_without_timelines_begins_with_all_rows(nights: Nights) -> None:
    nights.publish(values("(1, 2.5)"))
    shutil.rmtree(nights.target.published.resolve() / "timeline")
    with pytest.raises(NothingPublished, match="begin with the next publication"):
        nights.ask(0)
    nights.publish(values("(1, 2.5)"))
    assert nights.ask(1) == [(1, 2.5)]
    with pytest.raises(NothingPublished, match=r"begin on 2026-02-02, after 2026-02-01\."):
        nights.ask(0)


def test_before_the_first_publication_there_is_nothing(nights: Nights) -> None:
    nights.publish(values("(1, 2.5)"))
    with pytest.raises(NothingPublished, match="Nothing was published yet when 2026-01-31 ended"):
        nights.ask(-1)


def test_after_a_roll_back_a_day_is_answered_by_what_readers_saw(nights: Nights) -> None:
    first = nights.publish(values("(1, 2.5)")).release_id
    nights.publish(values("(1, 3.5)"))
    roll_back_everywhere(nights.settings, first)
    today = datetime.now(ZoneInfo(nights.settings.timezone)).date()
    assert ask_as_of(nights.settings, "select * from daily_snow", today).rows == [(1, 2.5)]
    assert nights.ask(1) == [(1, 3.5)]
    nights.publish(values("(1, 2.5)"))
    assert [nights.ask(night) for night in range(3)] == [[(1, 2.5)], [(1, 3.5)], [(1, 2.5)]]


def test_a_clock_that_ran_ahead_costs_that_release_and_no_other(nights: Nights) -> None:
    nights.publish(values("(1, 2.5)"))
    ahead = build(nights.folder, daily_snow=values("(9, 9.5)"))
    release(ahead, nights.target, at=datetime.now(UTC) + timedelta(1000))
    nights.publish(values("(1, 3.5)"))
    assert [nights.ask(night) for night in range(2)] == [[(1, 2.5)], [(1, 3.5)]]


def test_a_release_that_was_never_shown_is_in_no_answer(nights: Nights) -> None:
    nights.publish(values("(1, 2.5)"))
    nights.publish(values("(9, 9.5)"))
    shown, unseen = release_ids(nights.target)
    fresh = nights.target.root / "fresh"
    fresh.symlink_to(Path("releases") / shown)
    fresh.replace(nights.target.published)
    history = nights.target.releases / "history.jsonl"
    history.write_text(
        "\n".join(line for line in history.read_text("utf-8").split("\n") if unseen not in line), "utf-8"
    )
    nights.publish(values("(1, 3.5)"))
    assert [nights.ask(night) for night in range(3)] == [[(1, 2.5)], [(1, 2.5)], [(1, 3.5)]]


@pytest.mark.parametrize("name", ["current-0001.parquet", "past-0001.parquet"])
def test_a_file_that_cannot_be_read_costs_its_own_timeline_and_not_the_night(nights: Nights, name: str) -> None:
    nights.publish(values("(1, 2.5)"))
    nights.publish(values("(1, 3.5)"))
    nights.files()[name].write_bytes(b"PAR1 this is none PAR1")
    publication = nights.publish(values("(1, 4.5)"))

    [failure] = publication.failures
    assert f"timeline: timeline/daily_snow/{name} cannot be read" in failure
    assert "its files are kept as daily_snow.until-20260203T010000000000Z" in failure
    assert nights.ask(2) == [(1, 4.5)]
    with pytest.raises(QueryFailed, match=f"daily_snow: its timeline cannot be read.*{name}"):
        nights.ask(0)
    assert nights.ask(0, "select count(*) from dim_municipality") == [(2,)]
    assert nights.publish(values("(1, 5.5)")).failures == []
    assert nights.ask(2) == [(1, 4.5)]


@pytest.mark.parametrize("changes", [True, False], ids=["the mart changes", "the mart is the same"])
def test_files_that_are_gone_cost_their_own_timeline_and_not_the_night(nights: Nights, changes: bool) -> None:
    nights.publish(values("(1, 2.5)"))
    shutil.rmtree(nights.files()["unchanged.parquet"].parent)
    [failure] = nights.publish(values(f"(1, {3.5 if changes else 2.5})")).failures
    assert "files of what was shown last are gone from timeline/daily_snow: its files are kept as" in failure
    with pytest.raises(QueryFailed, match="daily_snow: its timeline cannot be read"):
        nights.ask(0)
    assert len(nights.ask(1)) == 1
    assert nights.publish(values("(1, 4.5)")).failures == []


def test_an_index_that_cannot_be_read_is_named_and_the_night_goes_on(nights: Nights) -> None:
    nights.publish(values("(1, 2.5)"))
    index = nights.publish(values("(1, 3.5)")).folder / "timeline" / "index.json"
    index.write_text("{", encoding="utf-8")
    with pytest.raises(NothingPublished, match=r"index\.json cannot be read"):
        nights.ask(0)
    [failure] = nights.publish(values("(1, 4.5)")).failures
    assert "index.json cannot be read" in failure
    assert "no day can be asked on which readers saw that release" in failure
    assert nights.ask(2) == [(1, 4.5)]
    assert nights.ask(0) == [(1, 2.5)]
    for _ in range(3):
        assert nights.publish(values("(1, 4.5)")).failures == []
    with pytest.raises(NothingPublished, match=r"What readers saw when 2026-02-02 ended, release .* is lost"):
        nights.ask(1)


def test_a_disk_that_is_full_publishes_nothing(nights: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    nights.publish(values("(1, 2.5)"))

    def full(*_: object) -> None:
        raise duckdb.IOException("No space left on device")

    monkeypatch.setattr(timeline_changes, "write_parquet", full)
    with pytest.raises(PublicationFailed, match="No space left on device"):
        nights.publish(values("(1, 3.5)"))
    monkeypatch.undo()
    nights.publish(values("(1, 4.5)"))
    assert [nights.ask(night) for night in range(3)] == [[(1, 2.5)], [(1, 2.5)], [(1, 4.5)]]


@pytest.mark.parametrize("name", ["published_until", "timeline_file"])
def test_a_mart_cannot_take_the_timelines_own_names(nights: Nights, name: str) -> None:
    with pytest.raises(PublicationFailed, match=f"daily_snow: its timeline needs the name {name}"):
        nights.publish(f"select 1 as {name}")


PARTLY = {"daily_snow": MartContract("daily_snow", timeline_rows="day > 1")}
NOT_AT_ALL = {"daily_snow": MartContract("daily_snow", timeline_rows=None)}


def test_rows_that_may_not_be_kept_are_in_no_file(nights: Nights) -> None:
    for depth in (2.5, 3.5):
        nights.publish(values(f"(1, {depth})", f"(2, {depth})"), PARTLY)
    for path in nights.files().values():
        assert duckdb.sql(f"select distinct day from '{path}'").fetchall() == [(2,)]
    assert len(nights.ask(0)) == len(nights.ask(1)) == 1


def test_rows_that_may_no_longer_be_kept_leave_the_past_too(nights: Nights) -> None:
    nights.publish(values("(1, 2.5)", "(2, 2.5)"))
    nights.publish(values("(1, 3.5)", "(2, 3.5)"))
    nights.publish(values("(1, 3.5)", "(2, 3.5)"), PARTLY)
    assert [nights.ask(night) for night in range(3)] == [[(2, 2.5)], [(2, 3.5)], [(2, 3.5)]]
    nights.publish(values("(1, 3.5)", "(2, 3.5)"))
    assert nights.ask(3) == [(1, 3.5), (2, 3.5)]


def test_nothing_asked_of_a_day_is_a_sentence(nights: Nights) -> None:
    nights.publish(values("(1, 2.5)"))
    with pytest.raises(QueryFailed, match="That is no query"):
        nights.ask(0, "")


def test_a_mart_without_a_timeline_says_why_and_leaves_nothing_behind(nights: Nights) -> None:
    nights.publish(values("(1, 2.5)"))
    nights.publish(values("(1, 2.5)"), NOT_AT_ALL)
    folder = nights.target.published / "timeline"
    assert sorted(path.name for path in folder.iterdir()) == ["dim_municipality", "index.json"]
    index = read_index(nights.target.published)
    assert index is not None
    assert index.left_out == ("daily_snow",)
    with pytest.raises(QueryFailed, match=r"daily_snow: it has no timeline: two of its days, subtracted"):
        nights.ask(0)


@pytest.mark.parametrize(
    "query",
    [
        "copy daily_snow to '{folder}/x.parquet'",
        "explain analyze copy daily_snow to '{folder}/x.parquet'",
        "copy daily_snow to 'x.csv'",
        "select * from read_csv('/etc/hostname')",
        "attach '{folder}/other.duckdb'",
        "set enable_external_access = true",
        "select 1; copy daily_snow to '{folder}/x.parquet'",
        "create table y as from read_csv('/etc/hostname')",
        "select no_such_column from daily_snow",
    ],
)
def test_a_question_cannot_change_or_reach_anything_else(
    nights: Nights, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    nights.publish(values("(1, 2.5)"))
    monkeypatch.chdir(nights.folder)
    folder = nights.target.published.resolve() / "timeline"
    before = sorted(folder.rglob("*"))
    with pytest.raises(QueryFailed):
        nights.ask(0, query.format(folder=folder))
    assert sorted(folder.rglob("*")) == before
    assert not (nights.folder / "x.csv").exists()


def test_a_mistake_in_a_question_is_pointed_at(nights: Nights) -> None:
    nights.publish(values("(1, 2.5)"))
    with pytest.raises(QueryFailed) as failed:
        nights.ask(0, "select day,\n  no_such_column\nfrom daily_snow")
    *_, line, caret = str(failed.value).splitlines()
    assert line.startswith("LINE 2: ")
    assert caret.index("^") == line.index("no_such_column")


def test_marts_are_joined_and_turned_as_in_the_published_file(nights: Nights) -> None:
    nights.publish(values("(1, 2.5)", "(2, 3.5)"))
    assert nights.ask(0, "pivot daily_snow on day using max(depth_cm)") == [(2.5, 3.5)]
    assert nights.ask(0, "select count(*) from daily_snow, dim_municipality") == [(4,)]
    assert [row[0] for row in nights.ask(0, "show tables")] == ["daily_snow", "dim_municipality"]


def test_a_date_is_local(nights: Nights) -> None:
    late = datetime(2026, 2, 1, 22, 59, tzinfo=UTC)  # a minute before midnight in Sweden
    release(build(nights.folder, daily_snow=values("(1, 2.5)")), nights.target, at=late)
    release(build(nights.folder, daily_snow=values("(1, 3.5)")), nights.target, at=late + timedelta(minutes=1))
    assert ask_as_of(nights.settings, "select * from daily_snow", date(2026, 2, 1)).rows == [(1, 2.5)]
    assert ask_as_of(nights.settings, "select * from daily_snow", date(2026, 2, 2)).rows == [(1, 3.5)]


def test_a_clock_that_ran_ahead_costs_no_other_release_when_its_time_has_come(nights: Nights) -> None:
    nights.publish(values("(1, 2.5)"))
    ahead = build(nights.folder, daily_snow=values("(9, 9.5)"))
    release(ahead, nights.target, at=NIGHT + timedelta(1.5))
    nights.publish(values("(1, 3.5)"))
    assert nights.ask(1) == [(1, 3.5)]
    nights.publish(values("(1, 4.5)"))
    assert [nights.ask(night) for night in range(3)] == [[(1, 2.5)], [(1, 3.5)], [(1, 4.5)]]


def test_rows_leave_the_past_too_when_another_mart_says_so(nights: Nights) -> None:
    rows = "day not in (select code from dim_municipality)"
    contracts = {"daily_snow": MartContract("daily_snow", timeline_rows=rows)}
    free, taken = ({"tables": {"dim_municipality": f"select {code} as code"}} for code in (0, 1))
    nights.publish(values("(1, 2.5)", "(2, 2.5)"), contracts, **free)
    nights.publish(values("(1, 3.5)", "(2, 3.5)"), contracts, **free)
    assert nights.ask(0) == [(1, 2.5), (2, 2.5)]
    nights.publish(values("(1, 3.5)", "(2, 3.5)"), contracts, **taken)
    assert [nights.ask(night) for night in range(3)] == [[(2, 2.5)], [(2, 3.5)], [(2, 3.5)]]


def test_an_earlier_form_that_the_condition_on_rows_does_not_fit_leaves(nights: Nights) -> None:
    nights.publish("select 0 as day_before, 1.5 as depth_cm")
    nights.publish(values("(1, 2.5)", "(2, 2.5)"), may_break_contracts=True)
    [failure] = nights.publish(values("(1, 2.5)", "(2, 2.5)"), PARTLY).failures
    assert "daily_snow.until-20260202T010000000000Z leaves: which of its rows may be kept cannot be told" in failure
    assert [nights.ask(night) for night in (1, 2)] == [[(2, 2.5)]] * 2
    with pytest.raises(QueryFailed, match="daily_snow: it was not published then"):
        nights.ask(0)
    assert nights.publish(values("(2, 3.5)"), PARTLY).failures == []


def test_a_file_that_cannot_be_read_leaves_when_not_all_of_its_rows_may_be_kept(nights: Nights) -> None:
    nights.publish(values("(1, 2.5)", "(2, 2.5)"))
    nights.publish(values("(1, 3.5)", "(2, 3.5)"))
    nights.files()["past-0001.parquet"].write_bytes(b"PAR1 this is none PAR1")
    [failure] = nights.publish(values("(2, 4.5)"), PARTLY).failures
    assert "daily_snow leaves: which of its rows may be kept cannot be told" in failure
    assert "past-0001.parquet" not in nights.files()
    assert nights.ask(2) == [(2, 4.5)]


def test_what_is_wrong_with_a_question_is_not_hidden_by_a_mart_whose_name_begins_alike(nights: Nights) -> None:
    not_daily = {"daily": MartContract("daily", timeline_rows=None)}
    marts = {"tables": {"daily": "select 1 as day"}, "marts": ["daily", "daily_snow", "dim_municipality"]}
    nights.publish(values("(1, 2.5)"), not_daily, **marts)
    with pytest.raises(QueryFailed, match="no_such_column"):
        nights.ask(0, "select no_such_column from daily_snow")
