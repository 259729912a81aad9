"""What the doctor says of the sources: a mistake that would stop the night is found before it."""

from pathlib import Path

import pytest

from hogland_pipeline import doctor
from hogland_pipeline.doctor import Finding, examine
from hogland_pipeline.settings import load_settings
from hogland_pipeline.warehouse import Warehouse

FEED = """
data_dir = "data"
first_day = 2026-01-01
as_of = 2026-02-01

[feeds.snow]
kind = "tabular"
folder = "deliveries"
form = "csv"
columns = { sensor_id = "Station", observed_at = "Tid" }
quantities.depth = { quantity = "snow_depth", unit = "cm" }
"""


def of_sources(folder: Path, text: str) -> list[Finding]:
    path = folder / "hogland.toml"
    path.write_text(text, encoding="utf-8")
    return [finding for finding in examine(load_settings(path, {})) if finding.subject == "sources"]


def test_sources_that_can_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "deliveries").mkdir()
    assert of_sources(tmp_path, FEED) == [Finding("sources", "ok", "snow")]


@pytest.mark.parametrize(
    ("survey", "warns"), [("", False), ('[survey]\nfolder = "survey"\nwaves = ["ai_maturity_2024_25"]\n', True)]
)
def test_the_key_of_respondents_is_missed_where_there_are_any(tmp_path: Path, survey: str, warns: bool) -> None:
    path = tmp_path / "hogland.toml"
    path.write_text(FEED + survey, encoding="utf-8")
    told = [finding.message for finding in examine(load_settings(path, {}))]
    assert any("HOGLAND_RESPONDENT_KEY" in message for message in told) == warns


UPLINKS = '[feeds.chirp]\nkind = "the_things_stack"\nfolder = "deliveries"\n'


@pytest.mark.parametrize(
    ("register", "told"),
    [
        ("sensor_id,feed,decoder\nA1,snow,\n", []),
        (
            "sensor_id,feed,decoder\nA1,snow,\nA2,old,\nA3,old,\n",
            [
                "sensors.csv has sensors of 'old', which is no section [feeds.old] of the settings, so that nothing is"
                " read of them: A2, A3"
            ],
        ),
        (
            "\ufeffsensor_id,feed,decoder\naa555a0000000001,chirp,elsys\naa,snow,\n",
            [
                "sensors.csv has aa555a0000000001 of chirp, whose readings stand under AA555A0000000001 and reach no"
                " mart: write it in capitals"
            ],
        ),
        ("sensor_id;feed\nA1;old\n", []),
    ],
)
def test_sensors_that_nothing_is_read_of_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, register: str, told: list[str]
) -> None:
    (tmp_path / "sensors.csv").write_text(register, encoding="utf-8")
    monkeypatch.setattr(doctor, "SENSORS_FILE", tmp_path / "sensors.csv")
    path = tmp_path / "hogland.toml"
    path.write_text(FEED + UPLINKS, encoding="utf-8")
    found = [finding for finding in examine(load_settings(path, {})) if finding.subject == "sensors"]
    assert found == [Finding("sensors", "warning", message) for message in told]


def test_a_folder_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    told = f"snow: the folder {tmp_path / 'deliveries'} does not exist"
    assert of_sources(tmp_path, FEED) == [Finding("sources", "problem", told)]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("snow_depth", "snowdepth", "feeds.snow: quantity 'snowdepth' is none of distance, snow_depth"),
        ('"cm"', '"inches"', "feeds.snow: "),
    ],
)
def test_a_source_that_cannot_be_built_is_a_problem(tmp_path: Path, old: str, new: str, told: str) -> None:
    (finding,) = of_sources(tmp_path, FEED.replace(old, new))
    assert finding.outcome == "problem"
    assert finding.message.startswith(told)


@pytest.mark.parametrize("content", [b"not a database" * 1000, b""])
def test_a_warehouse_that_cannot_be_opened_is_a_problem(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "hogland.toml"
    path.write_text(FEED, encoding="utf-8")
    settings = load_settings(path, {})
    settings.warehouse_path.parent.mkdir()
    settings.warehouse_path.write_bytes(content)
    free, unreadable = [finding for finding in examine(settings) if finding.subject == "warehouse"]
    assert free.outcome == "ok"
    assert unreadable.outcome == "problem"
    assert unreadable.message.startswith("warehouse.duckdb cannot be opened: ")


def test_a_warehouse_whose_lock_is_not_ours_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "hogland.toml"
    path.write_text(FEED, encoding="utf-8")
    settings = load_settings(path, {})
    with Warehouse(settings.warehouse_path).write():
        pass
    lock = settings.warehouse_path.with_name("warehouse.duckdb.lock")
    lock.unlink()
    lock.mkdir()
    told = [finding for finding in examine(settings) if finding.subject == "warehouse"]
    assert told[-1].outcome == "problem"
    assert "warehouse.duckdb.lock" in told[-1].message


def test_of_a_warehouse_that_can_be_opened_nothing_more_is_told(tmp_path: Path) -> None:
    path = tmp_path / "hogland.toml"
    path.write_text(FEED, encoding="utf-8")
    settings = load_settings(path, {})
    with Warehouse(settings.warehouse_path).write():
        (held,) = [finding for finding in examine(settings) if finding.subject == "warehouse"]
    assert held.outcome == "warning"
    (free,) = [finding for finding in examine(settings) if finding.subject == "warehouse"]
    assert free == Finding("warehouse", "ok", "free")
