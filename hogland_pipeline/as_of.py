"""Questions to every mart as it was published on a day, answered from the timelines (see `timeline`)."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

from hogland_pipeline.columns import literal, quoted
from hogland_pipeline.history import release_at, releases_before
from hogland_pipeline.overview import NO_QUERY, SAFE, Answer, NothingPublished, QueryFailed
from hogland_pipeline.publishing import target_of
from hogland_pipeline.releases import Target, published_at
from hogland_pipeline.settings import Settings
from hogland_pipeline.timeline import (
    TIMELINE_FOLDER,
    Index,
    TimelineUnreadable,
    read_index,
    relations_at,
)

NO_TIMELINE = "it has no timeline: two of its days, subtracted, would show single answers (docs/suppression.md)"
# What only reads; CREATE is how DuckDB runs a PIVOT, and stays in memory.
QUESTIONS = (duckdb.StatementType.SELECT, duckdb.StatementType.CREATE)


def ask_as_of(settings: Settings, query: str, day: date) -> Answer:
    """Answer one query from every mart as readers saw it when that day (local) ended, roll-backs told.

    Raises ``NothingPublished`` before the first publication and before the timelines begin, and ``QueryFailed``.
    """
    target = target_of(settings)
    ended = datetime.combine(day + timedelta(days=1), time.min, ZoneInfo(settings.timezone))
    release_id = release_at(target, ended - timedelta.resolution)
    if release_id is None:
        raise NothingPublished(f"Nothing was published yet when {day} ended.")
    newest, index = _newest(target)
    moment = published_at(release_id)
    begun = min((form.published_from for form in index.forms.values()), default=None)
    if begun is None or moment < begun:
        since = f"on {begun.astimezone(ended.tzinfo):%Y-%m-%d}, after {day}" if begun else "with the next publication"
        raise NothingPublished(f"The timelines of the marts begin {since}.")
    if release_id in index.lost_releases:
        raise NothingPublished(f"What readers saw when {day} ended, release {release_id}, is lost: it has no timeline.")
    # Without a temporary folder of its own, an in-memory database would spill into the working directory.
    with tempfile.TemporaryDirectory() as spill, duckdb.connect(config={"temp_directory": spill}) as connection:
        absent = _create_views(connection, newest, index, moment)
        _lock(connection, newest / TIMELINE_FOLDER)
        return _answer(connection, query, absent)


def _newest(target: Target) -> tuple[Path, Index]:
    """The newest release, current or not, and its index: also after a roll-back it knows of every release before it."""
    releases = releases_before(target, datetime.now(UTC))
    if not releases:
        raise NothingPublished(f"There is no release in {target.releases}.")
    try:
        return releases[0], read_index(releases[0]) or Index({})
    except TimelineUnreadable as unreadable:
        raise NothingPublished(f"{unreadable}; the next publication leaves it out.") from None


def _create_views(
    connection: duckdb.DuckDBPyConnection, release: Path, index: Index, moment: datetime
) -> Mapping[str, str]:
    """A view for every mart that was published then; why each of the others cannot be asked."""
    absent = {form.mart: "it was not published then" for form in index.forms.values()}
    absent |= dict.fromkeys(index.left_out, NO_TIMELINE)
    for mart, select in relations_at(release, index, moment):
        try:
            connection.execute(f"CREATE VIEW {quoted(mart)} AS {select}")
        except duckdb.Error as error:
            absent[mart] = f"its timeline cannot be read: {_one_line(error)}"
        else:
            del absent[mart]
    return absent


def _lock(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """The views read their files and nothing else, and nobody opens that again."""
    connection.execute(f"SET allowed_directories = [{literal(folder)}]")
    for name, value in SAFE.items():
        connection.execute(f"SET {name} = {literal(value)}")


def _answer(connection: duckdb.DuckDBPyConnection, query: str, absent: Mapping[str, str]) -> Answer:
    try:
        # The folder that may be read may be written too, which a question has no need of.
        if not (statements := connection.extract_statements(query)):
            raise QueryFailed(NO_QUERY)
        if any(statement.type not in QUESTIONS for statement in statements):
            raise QueryFailed("Only a SELECT can be asked as of a day.")
        cursor = connection.execute(query)
        columns = [column[0] for column in cursor.description or []]
        return Answer(columns, cursor.fetchall() if columns else [])
    except duckdb.Error as error:
        asked = set(re.findall(r"\w+", query.lower()))
        reasons = [f"{mart}: {reason}" for mart, reason in absent.items() if mart in asked]
        raise QueryFailed("; ".join(reasons) or str(error).rstrip()) from None


def _one_line(error: duckdb.Error) -> str:
    return " ".join(str(error).split())
