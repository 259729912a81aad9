"""Safe questions, the state of what is published, and the way back."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from hogland_pipeline.history import HISTORY_NAME, events, release_at
from hogland_pipeline.overview import (
    Answer,
    NothingPublished,
    QueryFailed,
    ask,
    print_answer,
    print_releases,
    print_status,
)
from hogland_pipeline.publishing import release_before, roll_back_everywhere
from hogland_pipeline.releases import PublicationFailed, Target, current_release
from hogland_pipeline.settings import Settings, load_settings
from tests.unit.hogland_pipeline.small_release import NIGHT, build, release


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(environment={}, data_dir=tmp_path / "data")


@pytest.fixture
def released(settings: Settings, tmp_path: Path) -> list[str]:
    path = build(tmp_path)
    return [release(path, Target(settings.data_dir), at=NIGHT + timedelta(day)).release_id for day in (0, 1)]


def test_a_query_is_answered(settings: Settings, released: list[str]) -> None:
    answer = ask(settings, "select municipality_code from dim_municipality order by 1")
    assert (answer.columns, answer.rows) == (["municipality_code"], [("0682",), ("0686",)])


@pytest.mark.parametrize(
    "query",
    [
        "delete from daily_snow",
        "copy daily_snow to 'x.csv'",
        "select * from read_csv('/etc/hostname')",
        "attach 'other.duckdb'",
        "set enable_external_access = true",
        "install httpfs",
        "select no_such_column from daily_snow",
    ],
)
def test_a_query_cannot_change_or_reach_anything_else(
    settings: Settings, released: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(QueryFailed):
        ask(settings, query)
    assert not (tmp_path / "x.csv").exists()


def test_a_mistake_in_a_query_is_pointed_at(settings: Settings, released: list[str]) -> None:
    with pytest.raises(QueryFailed) as failed:
        ask(settings, "select municipality_code,\n  no_such_column\nfrom dim_municipality")
    *_, line, caret = str(failed.value).splitlines()
    assert line.startswith("LINE 2: ")
    assert caret.index("^") == line.index("no_such_column")


@pytest.mark.parametrize("query", ["", "  ", "-- a comment"])
def test_nothing_asked_is_a_sentence(settings: Settings, released: list[str], query: str) -> None:
    with pytest.raises(QueryFailed, match="That is no query"):
        ask(settings, query)


def test_brackets_of_a_value_are_shown_and_are_no_markup() -> None:
    console = Console(record=True, width=200)
    print_answer(console, Answer(["[/b]"], [("[feeds.smhi] in [/etc]",)]), limit=1)
    assert "[feeds.smhi] in [/etc]" in console.export_text(clear=False)
    assert "[/b]" in console.export_text()


@pytest.mark.parametrize(("columns", "is_tall"), [(10, False), (17, True)])
def test_many_columns_stand_below_each_other(columns: int, is_tall: bool) -> None:
    console = Console(record=True, width=120)
    print_answer(console, Answer([f"column_{n:02}" for n in range(columns)], [tuple(range(columns))] * 2), limit=1)
    lines = console.export_text().splitlines()
    assert any(line.split() == ["│", "column_01", "│", "1", "│"] for line in lines) == is_tall
    assert lines[-1] == "2 rows, the first 1 shown (--limit)"


def test_after_a_roll_back_a_day_is_answered_by_what_readers_saw(settings: Settings, released: list[str]) -> None:
    roll_back_everywhere(settings, released[0])
    assert release_at(Target(settings.data_dir), datetime.now(UTC)) == released[0]


def test_nothing_published_is_a_sentence(settings: Settings) -> None:
    with pytest.raises(NothingPublished, match="run 'hogland run' first"):
        ask(settings, "select 1")


def test_status_and_history_name_the_release(settings: Settings, released: list[str]) -> None:
    console = Console(record=True, width=200)
    print_status(console, settings)
    print_releases(console, settings)
    text = console.export_text()
    assert released[0] in text
    assert f"Release {released[1]}" in text
    assert "daily_snow" in text


def test_a_roll_back_is_remembered(settings: Settings, released: list[str]) -> None:
    target = Target(settings.data_dir)
    assert release_before(settings) == released[0]
    roll_back_everywhere(settings, released[0])
    assert current_release(target) == released[0]
    assert [(event.event, event.release_id) for event in events(target)] == [
        ("published", released[0]),
        ("published", released[1]),
        ("rolled_back", released[0]),
    ]
    with pytest.raises(PublicationFailed, match="no earlier release"):
        release_before(settings)


def test_a_line_that_a_crash_cut_off_costs_only_itself(
    settings: Settings, released: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    target = Target(settings.data_dir)
    history = target.releases / HISTORY_NAME
    history.write_text(history.read_text("utf-8")[:-20], "utf-8")
    roll_back_everywhere(settings, released[0])
    assert [event.event for event in events(target)] == ["published", "rolled_back"]
    assert "cannot be read and is left out" in caplog.text
