"""A real mosquitto with its own configuration on a free local port, and the push service as a process."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
MOSQUITTO = shutil.which("mosquitto", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
PATIENCE_SECONDS = 90.0
_started: list[subprocess.Popen[bytes]] = []


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


def wait_for_port(port: int, seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(f"nothing listens at port {port}")


@dataclass
class Broker:
    """``start`` and ``stop`` it as often as wanted: what is queued survives in its folder."""

    folder: Path
    port: int
    options: Sequence[str] = ("allow_anonymous true",)

    def start(self) -> None:
        configuration = self.folder / "mosquitto.conf"
        lines = [
            f"listener {self.port} 127.0.0.1",
            "max_queued_messages 0",
            "max_inflight_messages 500",
            "persistence true",
            f"persistence_location {self.folder}/",
            "user root" if os.geteuid() == 0 else "",
            *self.options,
        ]
        configuration.write_text("\n".join(lines) + "\n", encoding="utf-8")
        assert MOSQUITTO
        log = (self.folder / "mosquitto.log").open("ab")
        self.process = subprocess.Popen([MOSQUITTO, "-c", str(configuration)], stdout=log, stderr=log)
        log.close()
        wait_for_port(self.port)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE_SECONDS)


@contextmanager
def broker(folder: Path, options: Sequence[str] = ("allow_anonymous true",)) -> Iterator[Broker]:
    made = Broker(folder, free_port(), options)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def end_services() -> None:
    """Whatever a test that failed left running."""
    while _started:
        process = _started.pop()
        process.kill()
        process.wait()


class Service:
    """``python -m hogland_pipeline listen`` with a configuration of its own."""

    def __init__(
        self, folder: Path, feeds: str, listener: str = "", environment: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        self.log = folder / "listen.log"
        self.configuration = folder / "hogland.toml"
        self.configuration.write_text(
            f"""
            data_dir = "data"
            first_day = 2026-01-01
            {feeds}
            [listener]
            segment_seconds = 3600
            {listener}
            [survey]
            folder = "."
            waves = ["ai_maturity_2024_25"]
            [uttc_catalogue]
            folder = "."
            """,
            encoding="utf-8",
        )
        self.environment = {**os.environ, "HOGLAND_CONFIG": str(self.configuration), **(environment or {})}
        self.environment.pop("HOGLAND_DATA_DIR", None)

    @property
    def landing(self) -> Path:
        return self.folder / "data" / "landing"

    def start(self) -> None:
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "hogland_pipeline", "listen"]
            self.process = subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=log, stderr=log)
        _started.append(self.process)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE_SECONDS)

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(PATIENCE_SECONDS)

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8") if self.log.exists() else ""

    def wait_until_said(self, text: str, seconds: float = PATIENCE_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while text not in self.said():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{text!r} is not in: {self.said()}")
            time.sleep(0.05)
