"""The commands of ``./hogland``. Mistakes and obstacles end as one sentence, not as a traceback."""

import os
import shutil
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

from hogland_pipeline.manifest import ManifestMissing
from hogland_pipeline.settings import PROJECT_ROOT, Settings, SettingsError, load_settings
from hogland_pipeline.warehouse import WarehouseBusy
from sensors_ingest.listener.failure import ListenerFailed

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
def listen() -> None:
    """Take what network servers push (MQTT, webhooks) to landing, until a signal ends it."""
    with _plain_errors():
        settings = load_settings()
        from hogland_pipeline.listen import listen as listen_until_stopped

        listen_until_stopped(settings)


def _use_dagster_home(settings: Settings) -> None:
    """Dagster reads its configuration from its home; ours is kept in the project and copied there."""
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(PROJECT_ROOT / "dagster.yaml", settings.dagster_home / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Mistakes in settings end with status 2, a platform that cannot run now with 1."""
    try:
        yield
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a sentence for the terminal
        raise typer.Exit(2) from None
    except (ListenerFailed, ManifestMissing, WarehouseBusy) as error:
        print(error, file=sys.stderr)  # noqa: T201 - a sentence for the terminal
        raise typer.Exit(1) from None
