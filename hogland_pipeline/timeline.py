"""The timeline of every mart: its rows with when readers began and ceased to see them, so that any day can be asked.

    timeline/<mart>/unchanged.parquet      the mart when its timeline began: a link to its Parquet
                    current-0001.parquet … rows of this release that are not in it
                    past-0001.parquet …    rows that only earlier releases held
    timeline/<mart>.until-<time>/          an earlier form of the mart: columns were lost or retyped, or the mart left
    timeline/index.json                    which folder holds what

Of current and past rows those of a moment are ``published_from <= moment AND (published_until IS NULL OR
published_until > moment)``. With its first change a small mart leaves ``unchanged.parquet`` as a whole; of a large one
those periods leave that lost a row (``moved_periods``), and all that was ever shown of them is in the other files.

A timeline belongs to its release: the rename that switches readers switches it too, and a release that was never
completed leaves no trace in it. What a release does not change is a hard link to files of the newest release before it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hogland_pipeline.columns import literal, quoted

TIMELINE_FOLDER = "timeline"
INDEX_NAME = "index.json"
UNCHANGED_NAME = "unchanged.parquet"
PUBLISHED_FROM = "published_from"
PUBLISHED_UNTIL = "published_until"
# Names of columns that are the timeline's own: of its files, and while it is compared with a mart.
OWN_COLUMN = re.compile("published_from|published_until|timeline_.*", re.IGNORECASE)


class TimelineUnreadable(Exception):
    """The index of a timeline is damaged; names the file."""


@dataclass(frozen=True)
class Form:
    """A mart over a time in which its columns only grew; the moments are those of publications.

    ``rows`` is the SQL condition on the rows that are kept. ``fingerprint`` and ``periods`` are those of the mart in
    the last release, ``period`` is the SQL for the period of a row (`columns.period_of`).
    """

    mart: str
    published_from: datetime
    columns: Mapping[str, str]
    rows: str
    fingerprint: str
    published_until: datetime | None = None
    period: str = ""
    periods: Mapping[str, str] = field(default_factory=dict)
    moved_periods: Sequence[str] = ()

    def holds_at(self, moment: datetime) -> bool:
        """Whether the mart was published in this form at the moment."""
        return self.published_from <= moment and (self.published_until is None or moment < self.published_until)

    def ended(self, moment: datetime) -> Form:
        """The same form, no longer published from the moment on."""
        return replace(self, published_until=self.published_until or moment, periods={})

    @property
    def stays_unchanged(self) -> str:
        """The SQL condition on the rows of ``unchanged.parquet`` that still count."""
        return f"NOT {in_periods(self.period, self.moved_periods)}" if self.moved_periods else "true"


@dataclass(frozen=True)
class Index:
    """Forms by folder; marts without a timeline; releases that are in none because their own could not be read."""

    forms: Mapping[str, Form]
    left_out: Sequence[str] = ()
    lost_releases: Sequence[str] = ()


def read_index(release: Path) -> Index | None:
    """The index of a release, None where it has no timeline. Raises ``TimelineUnreadable``."""
    path = release / TIMELINE_FOLDER / INDEX_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        forms = {folder: _form(entry) for folder, entry in content["forms"].items()}
        return Index(forms, tuple(content["left_out"]), tuple(content["lost_releases"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TimelineUnreadable(f"{path} cannot be read ({type(error).__name__}: {error})") from None


def write_index(release: Path, index: Index) -> None:
    """Write the index beside the folders that it lists."""
    content = {
        "left_out": sorted(index.left_out),
        "lost_releases": sorted(index.lost_releases),
        "forms": {folder: _entry(form) for folder, form in sorted(index.forms.items())},
    }
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    (release / TIMELINE_FOLDER / INDEX_NAME).write_text(text, encoding="utf-8")


def relations_at(release: Path, index: Index, moment: datetime) -> Iterator[tuple[str, str]]:
    """Every mart that was published at the moment, with the query of its files that gives it back."""
    for folder, form in index.forms.items():
        if form.holds_at(moment):
            yield form.mart, _select(release / TIMELINE_FOLDER / folder, form, moment)


def _select(folder: Path, form: Form, moment: datetime) -> str:
    parts = []
    if (unchanged := folder / UNCHANGED_NAME).exists():
        parts.append(f"FROM read_parquet({literal(unchanged)}) WHERE {form.stays_unchanged}")
    if files := ", ".join(literal(path) for path in (*current_files(folder), *past_files(folder))):
        parts.append(
            f"FROM read_parquet([{files}], union_by_name = true) WHERE {PUBLISHED_FROM} <= {timestamp(moment)}"
            f" AND ({PUBLISHED_UNTIL} IS NULL OR {PUBLISHED_UNTIL} > {timestamp(moment)})"
        )
    columns = ", ".join(quoted(column) for column in form.columns)
    return f"FROM ({' UNION ALL BY NAME '.join(parts)}) SELECT {columns}"


def current_files(folder: Path) -> list[Path]:
    """A mart's files of rows that came since its timeline began and are shown, in order."""
    return sorted(folder.glob("current*.parquet"), key=file_number)


def past_files(folder: Path) -> list[Path]:
    """A mart's files of rows that are no longer shown, in order."""
    return sorted(folder.glob("past-*.parquet"), key=file_number)


def file_number(path: Path) -> int:
    """The number in a file's name; ``current.parquet`` of releases before files had one comes first."""
    return int(path.stem.partition("-")[2] or 0)


def in_periods(period: str, periods: Iterable[str]) -> str:
    """The SQL condition on the rows of these periods, at least one."""
    return f"{period} IN ({', '.join(map(literal, periods))})"


def timestamp(moment: datetime) -> str:
    """A moment as SQL."""
    return f"TIMESTAMPTZ {literal(_text(moment))}"


def _form(entry: Mapping[str, Any]) -> Form:
    until = entry["published_until"]
    moments = {
        "published_from": datetime.fromisoformat(entry["published_from"]),
        "published_until": datetime.fromisoformat(until) if until else None,
    }
    return Form(**{**entry, **moments})


def _entry(form: Form) -> dict[str, Any]:
    until = form.published_until
    return {
        "mart": form.mart,
        "published_from": _text(form.published_from),
        "published_until": _text(until) if until else None,
        "rows": form.rows,
        "fingerprint": form.fingerprint,
        "columns": dict(form.columns),
        "period": form.period,
        "periods": dict(form.periods),
        "moved_periods": sorted(form.moved_periods),
    }


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
