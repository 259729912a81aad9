"""The timeline of every mart: its rows with when readers began and ceased to see them, so that any day can be asked.

    timeline/<mart>/unchanged.parquet      a mart that is what it was since its timeline began: a link to its Parquet
    timeline/<mart>/current.parquet        of any other mart: the rows of this release
                    past-0001.parquet …    and those that only earlier releases held
    timeline/<mart>.until-<time>/          an earlier form of the mart: columns were lost or retyped, or the mart left
    timeline/index.json                    which folder holds what

Of a mart that changed, the rows at a moment are those with ``published_from <= moment AND (published_until IS NULL OR
published_until > moment)``. A timeline belongs to its release: the rename that switches readers switches it too, and a
release that was never completed leaves no trace in it. What a release does not change is a hard link to the files of
the newest release before it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

TIMELINE_FOLDER = "timeline"
INDEX_NAME = "index.json"
UNCHANGED_NAME = "unchanged.parquet"
CURRENT_NAME = "current.parquet"
PUBLISHED_FROM = "published_from"
PUBLISHED_UNTIL = "published_until"


class TimelineUnreadable(Exception):
    """The index of a timeline is damaged; names the file."""


@dataclass(frozen=True)
class Form:
    """A mart over a time in which its columns only grew; the moments are those of publications.

    ``rows`` is the SQL condition on the rows that are kept, ``fingerprint`` that of the mart in the last release.
    """

    mart: str
    published_from: datetime
    columns: Mapping[str, str]
    rows: str
    fingerprint: str
    published_until: datetime | None = None

    def holds_at(self, moment: datetime) -> bool:
        """Whether the mart was published in this form at the moment."""
        return self.published_from <= moment and (self.published_until is None or moment < self.published_until)

    def ended(self, moment: datetime) -> Form:
        """The same form, no longer published from the moment on."""
        return replace(self, published_until=self.published_until or moment)


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
    columns = ", ".join(quoted(column) for column in form.columns)
    if (unchanged := folder / UNCHANGED_NAME).exists():
        return f"FROM read_parquet({literal(unchanged)}) SELECT {columns}"
    files = ", ".join(literal(path) for path in sorted(folder.glob("*.parquet")))
    return (
        f"FROM read_parquet([{files}], union_by_name = true) SELECT {columns}"
        f" WHERE {PUBLISHED_FROM} <= {timestamp(moment)}"
        f" AND ({PUBLISHED_UNTIL} IS NULL OR {PUBLISHED_UNTIL} > {timestamp(moment)})"
    )


def timestamp(moment: datetime) -> str:
    """A moment as SQL."""
    return f"TIMESTAMPTZ {literal(_text(moment))}"


def literal(value: object) -> str:
    """A text as SQL."""
    return "'" + str(value).replace("'", "''") + "'"


def quoted(name: str) -> str:
    """A column's name as SQL."""
    return '"' + name.replace('"', '""') + '"'


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
    }


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
