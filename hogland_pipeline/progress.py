"""Progress in the terminal: a line a finished step, and what is being worked on where the terminal can show it."""

import logging
import re
import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self

import dagster as dg
from rich.console import Console

LOGGER_NAME = "progress"
LEFT_OUT = re.compile(r"Dependencies for step (\S+) .*Not executing\.$", re.DOTALL)
# Dagster uses a logger only in runs whose configuration names it; others get its own on the terminal.
RUN_CONFIG: dict[str, Any] = {"loggers": {LOGGER_NAME: {}}}


class Progress(logging.Handler, AbstractContextManager["Progress"]):
    """Turns Dagster's step events into lines, and remembers how long each step took (seconds)."""

    def __init__(self, console: Console) -> None:
        super().__init__(logging.DEBUG)
        self.console = console
        self.seconds: dict[str, float] = {}
        self._started: dict[str, float] = {}
        self._status = console.status("starting")

    def __enter__(self) -> Self:
        self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._status.stop()

    def loggers(self) -> dict[str, dg.LoggerDefinition]:
        """What to hand to the definitions so that runs report here instead of writing their log to the terminal."""

        @dg.logger
        def progress(context: dg.InitLoggerContext) -> logging.Logger:
            logger = logging.Logger("progress", logging.DEBUG)
            logger.addHandler(self)
            return logger

        return {LOGGER_NAME: progress}

    def emit(self, record: logging.LogRecord) -> None:
        """One record of a run; only the beginning and end of steps and warnings of our own are shown."""
        meta: dict[str, Any] = getattr(record, "dagster_meta", {})
        event = meta.get("dagster_event")
        if event is None:
            if record.levelno >= logging.WARNING:
                self._warn(str(meta.get("orig_message", record.getMessage())))
            return
        step = _title(event.step_key)
        match event.event_type:
            case dg.DagsterEventType.STEP_START:
                self._started[step] = time.perf_counter()
                self._status.update(f"{step} …")
            case dg.DagsterEventType.STEP_SUCCESS:
                self._finish("[green]✓[/]", step)
            case dg.DagsterEventType.STEP_FAILURE:
                self._finish("[red]✗[/]", step)
            case dg.DagsterEventType.STEP_SKIPPED:
                self.console.print(f"  [dim]– {step} skipped[/]")
            case dg.DagsterEventType.STEP_UP_FOR_RETRY:
                self.console.print(f"  [yellow]↻[/] {step} will be tried again")

    def _warn(self, message: str) -> None:
        # Dagster names the step it waited for once for every table that step makes.
        if left_out := LEFT_OUT.match(message):
            message = f"{_title(left_out[1])} was not run: it needs what failed."
        self.console.print(f"  ! {message}", style="yellow", markup=False)

    def _finish(self, mark: str, step: str) -> None:
        self.seconds[step] = time.perf_counter() - self._started.get(step, time.perf_counter())
        self.console.print(f"  {mark} {step} [dim]{self.seconds[step]:.1f} s[/]")


def _title(step_key: str | None) -> str:
    """``landing__smhi`` is the step of ``landing/smhi``."""
    return (step_key or "run").replace("__", "/", 1)
