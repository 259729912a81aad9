"""The commands of ``./hogland``. Mistakes and obstacles end as one sentence, not as a traceback."""

import logging
import os
import shutil
import sys
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from hogland_pipeline.contracts import ContractError
from hogland_pipeline.manifest import ManifestMissing
from hogland_pipeline.overview import NothingPublished, QueryFailed
from hogland_pipeline.publish import PublicationRefused
from hogland_pipeline.releases import PublicationFailed
from hogland_pipeline.settings import PROJECT_ROOT, Settings, SettingsError, load_settings
from hogland_pipeline.warehouse import WarehouseBusy, WarehouseUnreadable
from sensors_ingest.landing import LandingDamaged
from sensors_ingest.listener.failure import ListenerFailed

OBSTACLES = (
    ContractError,
    LandingDamaged,
    ListenerFailed,
    ManifestMissing,
    NothingPublished,
    PublicationFailed,
    PublicationRefused,
    WarehouseBusy,
    WarehouseUnreadable,
)

app = typer.Typer(help="The Högland data platform.", no_args_is_help=True, pretty_exceptions_enable=False)
# Written to a file or a pipe, tables keep their columns.
console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)


@app.command()
def run() -> None:
    """Run the night: fetch every source, load it through the gate, build the marts and publish them."""
    started = time.perf_counter()
    with _plain_errors():
        settings = load_settings()
        _use_dagster_home(settings)
        # Imported here: Dagster and dbt take seconds to import, and help should not.
        from hogland_pipeline.nightly import run_night
        from hogland_pipeline.progress import Progress
        from hogland_pipeline.report import print_night

        warnings.simplefilter("ignore")
        with Progress(console) as progress:
            night = run_night(settings, progress)
    print_night(console, night, time.perf_counter() - started)
    raise typer.Exit(0 if night.is_good else 1)


@app.command()
def prepare() -> None:
    """Parse the dbt project and make Dagster's home, so that what follows starts quickly."""
    with _plain_errors():
        settings = load_settings()
        _use_dagster_home(settings)
        from hogland_pipeline.dbt_build import prepare_manifest

        prepare_manifest(settings)


@app.command()
def replay(
    whole: Annotated[
        bool, typer.Option("--all", help="Every landed file: a decoder read wrong values, which nothing refused.")
    ] = False,
) -> None:
    """After a decoder, device list or rule was mended: run what is in quarantine again from landing, and publish."""
    with _plain_errors():
        settings = load_settings()
        _use_dagster_home(settings)
        from hogland_pipeline.nightly import run_replay
        from hogland_pipeline.progress import Progress
        from hogland_pipeline.report import print_replay

        warnings.simplefilter("ignore")
        with Progress(console) as progress:
            replays, failures = run_replay(settings, progress, whole=whole)
    print_replay(console, replays, failures)
    raise typer.Exit(1 if failures else 0)


@app.command()
def quarantine() -> None:
    """Count what was refused, by source and reason."""
    with _plain_errors():
        from hogland_pipeline.replay import held_back, refusals
        from hogland_pipeline.report import print_refusals
        from hogland_pipeline.resources import bind_sources
        from hogland_pipeline.warehouse import Warehouse

        settings = load_settings(needs_secrets=False)
        warehouse, sources = Warehouse(settings.warehouse_path), bind_sources(settings)
        print_refusals(console, refusals(warehouse, sources), held_back(warehouse, sources))


@app.command()
def listen() -> None:
    """Take what network servers push (MQTT, webhooks) to landing, until a signal ends it."""
    with _plain_errors():
        settings = load_settings(needs_secrets=False)
        from hogland_pipeline.listen import listen as listen_until_stopped

        listen_until_stopped(settings)


@app.command()
def explain(kpi: str, area: str, period: str) -> None:
    """Follow a published value back to the landing file: explain ghg_total 0682 2024."""
    with _plain_errors():
        settings = load_settings(needs_secrets=False)
        from hogland_pipeline.explain import NothingPublished, print_explanation
        from hogland_pipeline.explain import explain as explain_value

        try:
            explanations = explain_value(settings, kpi, area, period)
        except NothingPublished as nothing:
            print(nothing, file=sys.stderr)  # noqa: T201 - a sentence for the terminal
            raise typer.Exit(1) from None
    for explanation in explanations:
        print_explanation(console, explanation)


@app.command()
def status() -> None:
    """Show the last publication: sources, marts, staleness, targets, disk."""
    with _plain_errors():
        from hogland_pipeline.overview import print_status

        print_status(console, load_settings(fetches=False))


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="One SQL query; tables are the published marts.")],
    limit: Annotated[int, typer.Option(min=1, help="Rows to show.")] = 50,
    csv: Annotated[bool, typer.Option("--csv", help="Write all rows as CSV instead.")] = False,
    as_of: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Ask every mart as readers saw it when that day ended."),
    ] = None,
) -> None:
    """Ask the published file; nothing can be changed and no other file be reached."""
    with _plain_errors():
        from hogland_pipeline.as_of import ask_as_of
        from hogland_pipeline.overview import ask, print_answer, write_csv

        settings = load_settings(needs_secrets=False)
        answer = ask_as_of(settings, sql, as_of.date()) if as_of else ask(settings, sql)
    if csv:
        write_csv(answer, sys.stdout)
    else:
        print_answer(console, answer, limit)


@app.command()
def search(
    words: Annotated[str, typer.Argument(help="Words in Swedish or English, in any form; any of them is enough.")],
    stage: Annotated[str | None, typer.Option(help="identified, analysed or validated.")] = None,
    area: Annotated[str | None, typer.Option(help="Area of the transition path, as published.")] = None,
    effect: Annotated[str | None, typer.Option(help="Quantity of the effect, such as emissions.")] = None,
    unit: Annotated[str | None, typer.Option(help="Unit of the effect.")] = None,
) -> None:
    """Find solutions of the UTTC catalogue by their words."""
    with _plain_errors():
        from hogland_pipeline.overview import print_answer
        from hogland_pipeline.search import Column
        from hogland_pipeline.search import search as search_solutions

        limits: dict[Column, str | None] = {
            "stage": stage,
            "transition_area": area,
            "effect_quantity": effect,
            "effect_unit": unit,
        }
        print_answer(console, search_solutions(load_settings(needs_secrets=False), words, limits), limit=50)


@app.command()
def publish(
    break_contracts: Annotated[
        bool, typer.Option("--break-contracts", help="Publish although marts lose or retype columns.")
    ] = False,
) -> None:
    """Publish the last good build again, to every target; mends targets that lag behind."""
    with _plain_errors():
        settings = load_settings(fetches=False)
        from hogland_pipeline.dbt_build import MANIFEST_PATH
        from hogland_pipeline.manifest import Manifest
        from hogland_pipeline.overview import print_targets
        from hogland_pipeline.publishing import publish_build
        from hogland_pipeline.resources import bind_sources
        from hogland_pipeline.warehouse import Warehouse

        # This one sets a level of its own, and tells of every temporary folder it makes.
        logging.getLogger("great_expectations.data_context.types.base").disabled = True
        tables_of = {bound.source.name: bound.table.name for bound in bind_sources(settings)}
        publication = publish_build(
            settings,
            Manifest.read(MANIFEST_PATH),
            Warehouse(settings.warehouse_path),
            tables_of,
            run_id=uuid.uuid4().hex,
            may_break_contracts=break_contracts,
        )
    print_targets(console, publication.targets)
    raise typer.Exit(1 if publication.failures else 0)


@app.command()
def rollback(
    release: Annotated[str | None, typer.Argument(help="A kept release; without it, the one before.")] = None,
) -> None:
    """Point readers of every target back at an earlier release."""
    with _plain_errors():
        settings = load_settings(fetches=False)
        from hogland_pipeline.overview import print_targets
        from hogland_pipeline.publishing import release_before, roll_back_everywhere

        states = roll_back_everywhere(settings, release or release_before(settings))
    print_targets(console, states)
    raise typer.Exit(1 if any(state.status == "failed" for state in states) else 0)


@app.command()
def releases() -> None:
    """List publications and roll-backs, and which releases are kept."""
    with _plain_errors():
        from hogland_pipeline.overview import print_releases

        print_releases(console, load_settings(needs_secrets=False))


@app.command()
def doctor(
    fix: Annotated[bool, typer.Option("--fix", help="Free the pool slots of runs that died.")] = False,
) -> None:
    """Look whether everything needed is there: settings, versions, rights, locks, disk, database, dead runs."""
    with _plain_errors():
        settings = load_settings()
        _use_dagster_home(settings)
        from hogland_pipeline.doctor import examine

        styles = {"ok": "green", "warning": "yellow", "problem": "red"}
        problems = 0
        for finding in examine(settings, fix=fix):
            style = styles[finding.outcome]
            console.print(
                f"[{style}]{finding.outcome:8}[/] {finding.subject}: {escape(finding.message)}", soft_wrap=True
            )
            problems += finding.outcome == "problem"
    raise typer.Exit(1 if problems else 0)


def _use_dagster_home(settings: Settings) -> None:
    """Dagster reads its configuration from its home; ours is kept in the project and copied there."""
    try:
        settings.dagster_home.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PROJECT_ROOT / "dagster.yaml", settings.dagster_home / "dagster.yaml")
    except OSError as error:
        raise SettingsError(f"data_dir: {settings.data_dir} cannot be used ({error.strerror}).") from None
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Mistakes in settings end with status 2, a platform that cannot run now with 1."""
    try:
        yield
    except (QueryFailed, SettingsError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - a sentence for the terminal
        raise typer.Exit(2) from None
    except OBSTACLES as error:
        print(error, file=sys.stderr)  # noqa: T201 - a sentence for the terminal
        raise typer.Exit(1) from None
