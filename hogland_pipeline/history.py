"""What was published and rolled back, one JSON line each, beside the releases. Tidied releases stay on record."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hogland_pipeline.publication_record import TargetState
from hogland_pipeline.releases import Target, id_prefix, release_ids

HISTORY_NAME = "history.jsonl"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Event:
    """One change of what readers see: `published` or `rolled_back`; `targets` says where it succeeded."""

    at: datetime
    event: str
    release_id: str
    run_id: str | None = None
    targets: Sequence[TargetState] = field(default=())


def remember(target: Target, event: Event) -> None:
    """Append an event. Failing to (a full disk) is logged: what was published is published."""
    record = asdict(event) | {"at": event.at.astimezone(UTC).isoformat()}
    try:
        with (target.releases / HISTORY_NAME).open("a", encoding="utf-8") as file:
            # The line break comes first: a line that a crash cut off must not swallow this one.
            file.write("\n" + json.dumps(record, ensure_ascii=False))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        log.warning("the history of publications could not be written: %s", error)


def events(target: Target) -> list[Event]:
    """Every event, oldest first; a line that was cut off by a crash is left out."""
    try:
        lines = (target.releases / HISTORY_NAME).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [event for line in lines if line and (event := _event(line)) is not None]


def release_at(target: Target, moment: datetime) -> str | None:
    """The release that readers saw at ``moment``, whether it is kept or not; None before the first publication."""
    seen = [event.release_id for event in events(target) if event.at <= moment]
    return seen[-1] if seen else None


def releases_before(target: Target, moment: datetime) -> list[Path]:
    """The complete releases from before the moment, current or not, the one that was made last first.

    Made is what the record says, as a clock may have run ahead: such a release does not count until its time has come,
    and then it still is older than those made since. One that a kill kept off the record comes after the id before its.
    """
    recorded = {event.release_id: place for place, event in enumerate(events(target)) if event.event == "published"}
    made: list[tuple[int, str]] = []
    for name in release_ids(target):
        if name < id_prefix(moment):
            made.append((recorded.get(name, made[-1][0] if made else -1), name))
    return [target.releases / name for _, name in sorted(made, reverse=True)]


def _event(line: str) -> Event | None:
    try:
        record: dict[str, Any] = json.loads(line)
        states = tuple(TargetState(**state) for state in record.pop("targets"))
        return Event(**record | {"at": datetime.fromisoformat(record["at"]), "targets": states})
    except (ValueError, KeyError, TypeError):
        log.warning("a line of %s cannot be read and is left out", HISTORY_NAME)
        return None
