"""The night as tables a person can read in the terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hogland_pipeline.gate import NOTHING_NEW
from hogland_pipeline.nightly import MartOutcome, Night, SourceOutcome
from hogland_pipeline.replay import Refusal, Replay

STATUS_STYLE = {"passed": "green", "closed": "red", "failed": "red"}


def print_night(console: Console, night: Night, total_seconds: float) -> None:
    """Sources, marts, where they were published, and what to do about failures."""
    console.print(_sources(night))
    if night.marts:
        console.print(_marts(night))
    stages = ", ".join(
        f"{name} {seconds:.1f} s"
        for name, seconds in (
            ("sources", sum(source.seconds for source in night.sources)),
            ("dbt", night.build_seconds),
            ("publish", night.publish_seconds),
            ("in all", total_seconds),
        )
    )
    tests = f"{night.dbt_tests_passed} passed, {night.dbt_tests_warned} warned, {night.dbt_tests_failed} failed"
    console.print(f"dbt tests: {tests}. Time: {stages}.")
    if night.database:
        size = night.release_bytes / 1e6
        change = "Numbers changed." if night.is_changed else "No number changed since the last publication."
        console.print(f"Published: {night.database} (and parquet/ beside it), {size:.1f} MB. {change}", soft_wrap=True)
        if night.page:
            console.print(f"To read: open {night.page} in a browser", soft_wrap=True)
    else:
        console.print("Nothing was published; what was published before stays.", style="red")
    for failure in night.failures:
        console.print(f"✗ {failure}", style="red", markup=False, soft_wrap=True)


def print_replay(console: Console, replays: Sequence[Replay], failures: Sequence[str]) -> None:
    """What was in quarantine, by source and reason, and how much of it came in."""
    table = Table(title="Quarantine, replayed from landing", title_justify="left")
    for heading in ("source", "reason"):
        table.add_column(heading)
    for heading in ("before", "recovered", "other reason now", "in quarantine now"):
        table.add_column(heading, justify="right")
    for replay in replays:
        for found in replay.recoveries:
            counts = (found.before, found.recovered, found.reason_changed, found.after)
            table.add_row(found.source, escape(found.reason), *map(_grouped, counts))
    console.print(table if table.row_count else "Nothing is in quarantine.")
    console.print(f"{_grouped(sum(replay.rows_loaded for replay in replays))} rows loaded.")
    if taken_back := sum(replay.rows_taken_back for replay in replays):
        console.print(f"{_grouped(taken_back)} rows taken back: what they were read from is refused now.")
    for failure in failures:
        console.print(f"✗ {failure}", style="red", markup=False, soft_wrap=True)


def print_refusals(console: Console, found: Sequence[Refusal], held_back: Sequence[Refusal] = ()) -> None:
    """What is in quarantine, by source, check and reason, and what closed gates held back."""
    if held_back:
        console.print(_refusals("Held back by a closed gate, with all that came with it", held_back))
    console.print(_refusals("Quarantine", found) if found else "Nothing is in quarantine.")


def _refusals(title: str, found: Sequence[Refusal]) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in ("source", "check", "reason"):
        table.add_column(heading)
    table.add_column("rows", justify="right")
    for refused in found:
        words = (refused.source, refused.check_name, escape(refused.reason))
        table.add_row(*words, _grouped(refused.rows))
    return table


def _sources(night: Night) -> Table:
    table = Table(title=f"Sources, {night.first_day} to {night.last_day}", title_justify="left")
    table.add_column("source", no_wrap=True)
    table.add_column("status")
    for heading in ("rows read", "loaded", "revised", "unchanged", "quarantined"):
        table.add_column(heading, justify="right")
    table.add_column("checks")
    table.add_column("time", justify="right")
    for source in night.sources:
        counts = (source.read, source.loaded, source.revised, source.unchanged, source.quarantined)
        table.add_row(
            source.source,
            f"[{STATUS_STYLE[source.status]}]{source.status}[/]",
            *map(_grouped, counts),
            _checks(source) or (NOTHING_NEW if source.message == NOTHING_NEW else ""),
            f"{source.seconds:.1f} s",
        )
    return table


def _grouped(count: int) -> str:
    """12 345: digits in threes, as Swedish readers write them."""
    return f"{count:,}".replace(",", " ")


def _checks(outcome: SourceOutcome | MartOutcome) -> str:
    """``25 passed, 1 refused rows``: a failed check of a source that passed is a row rule; it quarantined its rows."""
    failed, word = 0, "failed"
    if isinstance(outcome, SourceOutcome):
        failed, word = outcome.checks_failed, "refused rows" if outcome.status == "passed" else "failed"
    counts = ((outcome.checks_passed, "passed"), (outcome.checks_warned, "warned"), (failed, word))
    return ", ".join(f"{count} {word}" for count, word in counts if count)


def _marts(night: Night) -> Table:
    table = Table(title="Published marts", title_justify="left")
    table.add_column("mart")
    table.add_column("rows", justify="right")
    table.add_column("checks")
    table.add_column("state")
    for mart in night.marts:
        state = "changed" if mart.is_changed else "unchanged"
        if mart.stale_sources:
            since = f"{mart.stale_since:%Y-%m-%d %H:%M}" if mart.stale_since else "always"
            state = f"[yellow]stale since {since}: {mart.stale_sources}[/]"
        table.add_row(mart.mart, _grouped(mart.rows), _checks(mart), state)
    return table
