"""What is published, as tables for the terminal; and safe questions to the published file."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TextIO

import duckdb
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hogland_pipeline.history import events
from hogland_pipeline.publication_record import TargetState
from hogland_pipeline.publishing import server_of, target_of
from hogland_pipeline.releases import current_release, release_ids
from hogland_pipeline.settings import Settings
from hogland_pipeline.targets.postgres import TargetFailed

STATUS_STYLE = {"passed": "green", "closed": "red", "failed": "red"}

# No other file, no network, no way back to either.
SAFE: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": False,
    "autoinstall_known_extensions": False,
    "lock_configuration": True,
}


# With its border: less of a column is no value any more.
NARROWEST_COLUMN = 11
NO_QUERY = 'That is no query: try "from dim_kpi".'


class NothingPublished(Exception):
    """There is no release yet; one sentence."""


class QueryFailed(Exception):
    """A question that the published file cannot answer; in DuckDB's words, which point at the place."""


@dataclass(frozen=True)
class Answer:
    """Column names and rows."""

    columns: Sequence[str]
    rows: Sequence[tuple[Any, ...]]


def ask(settings: Settings, query: str) -> Answer:
    """Answer one query from the published file: read-only, and without a way to other files or the network.

    Raises ``NothingPublished`` and ``QueryFailed``.
    """
    database = target_of(settings).database
    if not database.exists():
        raise _nothing_published(settings)
    try:
        with duckdb.connect(database.resolve(), read_only=True, config=SAFE) as connection:
            if not connection.extract_statements(query):
                raise QueryFailed(NO_QUERY)
            cursor = connection.execute(query)
            columns = [column[0] for column in cursor.description or []]
            return Answer(columns, cursor.fetchall() if columns else [])
    except duckdb.Error as error:
        raise QueryFailed(str(error).rstrip()) from None


def print_answer(console: Console, answer: Answer, limit: int) -> None:
    """The first rows as a table, or one below the other where the columns would be cut to a letter; and how many there
    are.
    """
    rows = [["" if value is None else str(value) for value in row] for row in answer.rows[:limit]]
    if len(answer.columns) * NARROWEST_COLUMN <= console.width:
        console.print(_wide(answer.columns, rows))
    else:
        for row in rows:
            console.print(_tall(answer.columns, row))
    more = f", the first {limit} shown (--limit)" if len(answer.rows) > limit else ""
    console.print(f"{len(answer.rows)} rows{more}")


def _wide(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table()
    for column in columns:
        table.add_column(escape(column))
    for row in rows:
        table.add_row(*map(escape, row))
    return table


def _tall(columns: Sequence[str], row: Sequence[str]) -> Table:
    table = Table(show_header=False)
    for column, value in zip(columns, row, strict=True):
        table.add_row(escape(column), escape(value))
    return table


def write_csv(answer: Answer, file: TextIO) -> None:
    """All rows as CSV."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(answer.columns)
    writer.writerows(answer.rows)


def print_status(console: Console, settings: Settings) -> None:
    """The last publication, sources and marts, targets, and the disk. Raises ``NothingPublished``."""
    published = ask(settings, "SELECT any_value(run_id), any_value(published_at) FROM publication").rows
    [(run_id, published_at)] = published
    age = datetime.now(UTC) - published_at
    console.print(
        f"Release {current_release(target_of(settings))}, published {_local(published_at)} "
        f"({age.total_seconds() / 3600:.1f} h ago) by run {run_id}",
        soft_wrap=True,
    )
    console.print(_sources(settings))
    console.print(_marts(settings))
    console.print(_targets(_target_states(settings)))
    disk = shutil.disk_usage(settings.data_dir)
    console.print(
        f"Disk: {disk.free / 1e9:.1f} GB free of {disk.total / 1e9:.1f} GB at {settings.data_dir}", soft_wrap=True
    )


def print_releases(console: Console, settings: Settings) -> None:
    """Every publication and roll-back, and which releases are kept. Raises ``NothingPublished``."""
    target = target_of(settings)
    kept, current = set(release_ids(target)), current_release(target)
    table = Table(title="Publications", title_justify="left")
    for heading in ("when", "what", "release", "kept", "targets"):
        table.add_column(heading, no_wrap=heading == "release")
    told = events(target)
    for release_id in sorted(kept - {event.release_id for event in told}):
        table.add_row("", "published", release_id, "now published" if release_id == current else "yes", "")
    for event in told:
        failed = [state.target for state in event.targets if state.status == "failed"]
        state = "now published" if event.release_id == current else "yes" if event.release_id in kept else "no"
        where = f"[red]failed: {', '.join(failed)}[/]" if failed else "all"
        table.add_row(_local(event.at), event.event.replace("_", " "), event.release_id, state, where)
    if not table.row_count:
        raise _nothing_published(settings)
    console.print(table)
    console.print("Go back with: hogland rollback RELEASE")


def print_targets(console: Console, states: Sequence[TargetState]) -> None:
    """Which target shows which release."""
    console.print(_targets(states))


def _nothing_published(settings: Settings) -> NothingPublished:
    return NothingPublished(f"Nothing is published in {settings.published_dir}: run 'hogland run' first.")


def _target_states(settings: Settings) -> list[TargetState]:
    """Files as they are; PostgreSQL is asked."""
    current = current_release(target_of(settings))
    states = [TargetState("files", "published", current)]
    if server := server_of(settings):
        try:
            shown = server.state().current
            is_current = shown == current
            advice = None if is_current else "another release than the files; 'hogland publish' mends it"
            states.append(TargetState("postgres", "published" if is_current else "failed", shown, advice))
        except TargetFailed as failed:
            states.append(TargetState("postgres", "failed", None, str(failed)))
    return states


def _targets(states: Sequence[TargetState]) -> Table:
    table = Table(title="Targets", title_justify="left")
    for heading in ("target", "state", "release", ""):
        table.add_column(heading)
    for state in states:
        style = "red" if state.status == "failed" else "green"
        told = (state.release_id or "unknown", escape(state.message or ""))
        table.add_row(state.target, f"[{style}]{state.status}[/]", *told)
    return table


def _sources(settings: Settings) -> Table:
    table = Table(title="Sources at the publication", title_justify="left")
    for heading in ("source", "status", "last good", "message"):
        table.add_column(heading)
    query = "SELECT source, status, last_good_at, message FROM publication_source ORDER BY source"
    for source, status, good_at, message in ask(settings, query).rows:
        style = STATUS_STYLE.get(status, "yellow")
        table.add_row(source, f"[{style}]{status}[/]", _local(good_at), escape(message or ""))
    return table


def _marts(settings: Settings) -> Table:
    table = Table(title="Marts", title_justify="left")
    for heading in ("mart", "rows", "checks", "state"):
        table.add_column(heading, justify="right" if heading == "rows" else "left")
    query = (
        "SELECT mart, row_count, checks_passed, checks_warned, is_stale, stale_since, stale_sources "
        "FROM publication ORDER BY mart"
    )
    for mart, rows, passed, warned, is_stale, since, sources in ask(settings, query).rows:
        state = f"[yellow]stale since {_local(since)}: {sources}[/]" if is_stale else "[green]fresh[/]"
        table.add_row(mart, f"{rows:,}".replace(",", " "), f"{passed} passed, {warned} warned", state)
    return table


def _local(moment: datetime | None) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}" if moment else "never"
