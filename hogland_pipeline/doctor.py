"""Is this installation able to run? Settings, versions, rights, locks, disk, warehouse, server, and runs that died.

Every finding is a sentence; what can be mended says how.
"""

from __future__ import annotations

import csv
import os
import platform
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import dagster as dg
from filelock import FileLock, Timeout
from packaging.requirements import Requirement

from hogland_pipeline.dbt_build import MANIFEST_PATH
from hogland_pipeline.dead_runs import free, stuck_runs
from hogland_pipeline.publishing import server_of, target_of
from hogland_pipeline.releases import current_release
from hogland_pipeline.resources import SENSORS_FILE, bind_sources
from hogland_pipeline.settings import PROJECT_ROOT, Settings, SettingsError
from hogland_pipeline.targets.postgres import TargetFailed
from hogland_pipeline.warehouse import Warehouse, WarehouseBusy, WarehouseUnreadable

LEAST_FREE_BYTES = 2_000_000_000
SHOWN_SENSORS = 5

Outcome = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """One thing looked at: ``ok``, ``warning`` (runs all the same) or ``problem``."""

    subject: str
    outcome: Outcome
    message: str


def examine(settings: Settings, *, fix: bool = False) -> Iterator[Finding]:
    """Look at everything; ``fix`` frees the pool slots of runs that died."""
    yield from _settings(settings)
    yield from _sources(settings)
    yield from _sensors(settings)
    yield from _versions()
    yield from _folders(settings)
    yield from _locks(settings)
    yield from _warehouse(settings)
    yield from _server(settings)
    yield from _runs(settings, fix=fix)


def _settings(settings: Settings) -> Iterator[Finding]:
    yield Finding("settings", "ok", f"read; data in {settings.data_dir}")
    if settings.survey and settings.uses_development_key:
        yield Finding(
            "settings", "warning", "respondents are hashed with the development key: set HOGLAND_RESPONDENT_KEY"
        )
    if settings.as_of:
        yield Finding("settings", "warning", f"as_of stops the clock at {settings.as_of}: remove it to follow the days")
    if MANIFEST_PATH.exists():
        yield Finding("dbt project", "ok", "parsed")
    else:
        yield Finding("dbt project", "problem", "not parsed yet: run 'hogland prepare'")


def _sources(settings: Settings) -> Iterator[Finding]:
    """Whether every source can be built from what the configuration, the device list and the decoders say."""
    try:
        names = [bound.source.name for bound in bind_sources(settings)]
    except SettingsError as mistake:
        yield Finding("sources", "problem", str(mistake))
        return
    others = {"survey": settings.survey, "uttc_catalogue": settings.uttc_catalogue, **dict(settings.indicators)}
    places = {name: place for name, place in {**settings.feeds, **others}.items() if place is not None}
    missing = [(name, place.folder) for name, place in places.items() if place.folder and not place.folder.is_dir()]
    for name, folder in missing:
        yield Finding("sources", "problem", f"{name}: the folder {folder} does not exist")
    if not missing:
        yield Finding("sources", "ok", ", ".join(names))


def _sensors(settings: Settings) -> Iterator[Finding]:
    """Rows of the register that can be read and find no readings: of a feed that there is not, or written otherwise
    than readings are.
    """
    try:
        with SENSORS_FILE.open(encoding="utf-8-sig", newline="") as register:
            rows = [(row["feed"] or "", row["sensor_id"] or "") for row in csv.DictReader(register)]
    except (OSError, UnicodeError, KeyError, csv.Error):
        return  # told with the sources that need it
    for feed in sorted({feed for feed, _ in rows} - set(settings.feeds)):
        sensors = [sensor for each, sensor in rows if each == feed]
        more = f" and {len(sensors) - SHOWN_SENSORS} more" if len(sensors) > SHOWN_SENSORS else ""
        yield Finding(
            "sensors",
            "warning",
            f"sensors.csv has sensors of '{feed}', which is no section [feeds.{feed}] of the settings, so that nothing"
            f" is read of them: {', '.join(sensors[:SHOWN_SENSORS])}{more}",
        )
    uplinks = {name for name, feed in settings.feeds.items() if feed.kind in ("the_things_stack", "chirpstack")}
    for feed, sensor in rows:
        if feed in uplinks and sensor != sensor.upper():
            yield Finding(
                "sensors",
                "warning",
                f"sensors.csv has {sensor} of {feed}, whose readings stand under {sensor.upper()} and reach no mart:"
                " write it in capitals",
            )


def _versions() -> Iterator[Finding]:
    document = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wrong = []
    for requirement in map(Requirement, document["project"]["dependencies"]):
        try:
            installed = version(requirement.name)
        except PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if installed not in requirement.specifier:
            wrong.append(f"{requirement.name} is {installed}, not {requirement.specifier}")
    if wrong:
        yield Finding("versions", "problem", f"{'; '.join(wrong)}: remove .venv and run make")
    else:
        yield Finding("versions", "ok", f"Python {platform.python_version()}, packages as pinned")


def _folders(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(existing, os.R_OK | os.W_OK | os.X_OK):
        yield Finding("data folder", "problem", f"{existing} cannot be written by this user")
    free = shutil.disk_usage(existing).free
    outcome: Outcome = "ok" if free >= LEAST_FREE_BYTES else "problem"
    advice = "" if outcome == "ok" else ": make room, a publication needs its size twice"
    yield Finding("disk", outcome, f"{free / 1e9:.1f} GB free{advice}")
    current = current_release(target_of(settings))
    yield Finding("published", "ok" if current else "warning", current or "nothing yet: run 'hogland run'")


def _locks(settings: Settings) -> Iterator[Finding]:
    lock = settings.warehouse_path.with_name(settings.warehouse_path.name + ".lock")
    for subject, path in (("warehouse", lock), ("releases", target_of(settings).releases / ".lock")):
        yield Finding(subject, *(("warning", "in use by a process") if _is_held(path) else ("ok", "free")))


def _warehouse(settings: Settings) -> Iterator[Finding]:
    """Whether it can be opened; one that is in use can."""
    if not settings.warehouse_path.exists():
        return
    try:
        with Warehouse(settings.warehouse_path, wait_seconds=0).read():
            pass
    except (WarehouseUnreadable, OSError) as obstacle:
        yield Finding("warehouse", "problem", str(obstacle))
    except WarehouseBusy:
        return


def _is_held(path: Path) -> bool:
    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except (Timeout, OSError):
        return True


def _server(settings: Settings) -> Iterator[Finding]:
    server = server_of(settings)
    if server is None:
        return
    try:
        shown = server.state().current
    except TargetFailed as failed:
        yield Finding("postgres", "problem", str(failed))
        return
    current = current_release(target_of(settings))
    if shown == current:
        yield Finding("postgres", "ok", f"{server.place} shows {shown or 'nothing yet'}")
    else:
        yield Finding("postgres", "problem", f"shows {shown or 'nothing'}, the files {current}: run 'hogland publish'")


def _runs(settings: Settings, *, fix: bool) -> Iterator[Finding]:
    """A killed run keeps its slot in the pool and the next one waits for it."""
    if not settings.dagster_home.exists():
        yield Finding("runs", "ok", "none yet")
        return
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        stuck = list(stuck_runs(instance))
        for run_id in stuck if fix else ():
            free(instance, run_id)
        if not stuck:
            yield Finding("runs", "ok", "no dead run holds a slot")
        elif fix:
            yield Finding("runs", "ok", f"freed the slots of {', '.join(stuck)}")
        else:
            yield Finding("runs", "problem", f"dead runs hold slots: {', '.join(stuck)}; free them with --fix")
