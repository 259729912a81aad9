"""The command a person types: a bad setting is one line, not a traceback."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from hogland_pipeline.cli import _plain_errors
from hogland_pipeline.manifest import ManifestMissing
from hogland_pipeline.settings import PROJECT_ROOT, SettingsError
from hogland_pipeline.warehouse import WarehouseBusy, WarehouseUnreadable
from sensors_ingest.landing import LandingDamaged

# Settings of the shell that runs the tests, which a test does not want to meet.
OURS = ("HOGLAND_CONFIG", "HOGLAND_DATA_DIR", "DAGSTER_HOME")


def typed(*command: str, **environment: Path) -> subprocess.CompletedProcess[str]:
    """What a command says and how it ends, in a process of its own."""
    outside = {key: value for key, value in os.environ.items() if key not in OURS}
    return subprocess.run(
        [sys.executable, "-m", "hogland_pipeline", *command],
        cwd=PROJECT_ROOT,
        env=outside | {key: str(value) for key, value in environment.items()},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("command", ["run", "prepare"])
def test_a_bad_setting_ends_with_status_2_and_one_line(tmp_path: Path, command: str) -> None:
    config = tmp_path / "hogland.toml"
    config.write_text((PROJECT_ROOT / "hogland.toml").read_text("utf-8").replace("first_day", "frist_day"), "utf-8")
    ended = typed(command, HOGLAND_CONFIG=config, HOGLAND_DATA_DIR=tmp_path / "data")
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr == "hogland.toml: frist_day is not a known setting: did you mean 'first_day'?\n"
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("command", "status", "told"),
    [
        ("doctor", 2, "data_dir: {data} cannot be used (Not a directory)."),
        ("run", 2, "data_dir: {data} cannot be used (Not a directory)."),
        ("listen", 1, "chirp: its segments cannot be kept ([Errno 17] File exists: '{file}')."),
    ],
)
def test_a_data_folder_that_cannot_be_used_is_told(tmp_path: Path, command: str, status: int, told: str) -> None:
    (tmp_path / "file").touch()
    data = tmp_path / "file" / "data"
    config = tmp_path / "hogland.toml"
    config.write_text(
        f'data_dir = "{data}"\nfirst_day = 2026-01-01\n'
        '[feeds.chirp]\nkind = "chirpstack"\nlisten = { mqtt = { host = "127.0.0.1" } }\n',
        encoding="utf-8",
    )
    ended = typed(command, HOGLAND_CONFIG=config)
    assert ended.returncode == status
    assert ended.stderr.splitlines()[-1] == told.format(data=data, file=data.parent)
    assert "Traceback" not in ended.stderr


@pytest.fixture(
    params=[
        SettingsError("bad setting."),
        ManifestMissing("no manifest"),
        WarehouseBusy("held by 1"),
        WarehouseUnreadable("warehouse.duckdb cannot be opened"),
        LandingDamaged(Path("x.json"), "is no sidecar"),
    ]
)
def known(request: pytest.FixtureRequest) -> Iterator[Exception]:
    yield request.param


def test_known_obstacles_are_a_sentence(known: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended, _plain_errors():
        raise known
    assert ended.value.exit_code == (2 if isinstance(known, SettingsError) else 1)
    assert capsys.readouterr().err == f"{known}\n"


def test_a_mistake_of_ours_keeps_its_traceback() -> None:
    with pytest.raises(KeyError), _plain_errors():
        raise KeyError


def test_the_doctor_looks_at_dead_runs_of_an_instance_it_finds_itself(tmp_path: Path) -> None:
    result = typed("doctor", HOGLAND_DATA_DIR=tmp_path / "data")
    assert "runs: no dead run holds a slot" in result.stdout
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["status"], "Nothing is published in {data}/published: run 'hogland run' first."),
        (["query", "from dim_kpi"], "Nothing is published in {data}/published: run 'hogland run' first."),
        (["releases"], "Nothing is published in {data}/published: run 'hogland run' first."),
        (["search", "snö"], "Nothing is published in {data}/published: run 'hogland run' first."),
        (["explain", "ghg_total", "0682", "2024"], "Nothing is published yet: run the night first (make run)."),
        (["replay"], "Nothing was loaded into {data} yet: run 'hogland run' first."),
        (["replay", "--all"], "Nothing was loaded into {data} yet: run 'hogland run' first."),
        (["publish"], "no mart has been built in {data} yet: run 'hogland run' first"),
        (["rollback"], "there is no earlier release in {data}/releases"),
    ],
    ids=lambda part: part[0] if isinstance(part, list) else "",
)
def test_before_the_first_night_a_command_says_what_to_do(tmp_path: Path, command: list[str], told: str) -> None:
    ended = typed(*command, HOGLAND_DATA_DIR=tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1:] == [told.format(data=tmp_path)]
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("command", ["status", "releases", "rollback", "publish", "quarantine"])
def test_what_fetches_nothing_needs_no_token_of_a_feed(tmp_path: Path, command: str) -> None:
    config = tmp_path / "hogland.toml"
    config.write_text(
        f'data_dir = "{tmp_path}"\nfirst_day = 2026-01-01\n[feeds.roads]\nkind = "trafikverket"\n'
        'url = "https://api.example.org"\ntoken_env = "NOT_SET_ANYWHERE"\nstations = ["1"]\n',
        encoding="utf-8",
    )
    ended = typed(command, HOGLAND_CONFIG=config)
    assert ended.returncode < 2
    assert "NOT_SET_ANYWHERE" not in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("typed", "offered"), [("hogland ro", ["rollback"]), ("hogland doctor --", ["--fix", "--help"]), ("hogland x", [])]
)
def test_a_shell_completes_commands_and_options(typed: str, offered: list[str]) -> None:
    asked = {"_HOGLAND_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
    ended = subprocess.run(
        [PROJECT_ROOT / "hogland"], env=os.environ | asked, capture_output=True, text=True, check=False
    )
    assert ended.stdout.split() == offered, ended.stderr
