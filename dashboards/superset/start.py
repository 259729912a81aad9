"""Run Superset on the published marts: `make superset`, and `make superset SUPERSET=--check`.

Superset lives in an environment of its own (data/superset/venv, from requirements.lock beside this file), because it
pins SQLAlchemy 1.4, pandas 2 and Flask. It listens on the loopback address only. --check opens every dashboard in
Chromium, waits for its charts, takes a screenshot, and ends with status 1 when a chart shows an error.
"""

from __future__ import annotations

import argparse
import io
import os
import secrets
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
import yaml

HERE = Path(__file__).resolve().parent
LOCK = HERE / "requirements.lock"
USER = "admin"
PASSWORD_VARIABLE = "HOGLAND_SUPERSET_PASSWORD"  # noqa: S105 - the name of a variable
START_SECONDS = 180
CHART_SECONDS = 90
CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]


def main() -> int:
    """Set up what is missing, start, import, and check or wait."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=Path(os.environ.get("HOGLAND_DATA_DIR", "data")))
    parser.add_argument("--port", type=int, default=8088)
    parser.add_argument("--python", default=sys.executable, help="Python 3.11 or 3.12 for Superset's environment")
    parser.add_argument("--check", action="store_true", help="open every dashboard, take screenshots, and stop")
    arguments = parser.parse_args()
    published = arguments.data_dir.absolute() / "published"
    bundle = published / "dashboards" / "hogland_superset.zip"
    if not bundle.exists():
        return complain(f"{bundle} is not there: publish first (make run), with [publish.bi] in hogland.toml")
    home = arguments.data_dir.absolute() / "superset"
    home.mkdir(parents=True, exist_ok=True)
    superset = Superset(home, arguments.port)
    superset.install(arguments.python)
    superset.initialise()
    with superset.running() as site:
        site.import_bundle(bundle_for(bundle, published / "hogland.duckdb"))
        if arguments.check:
            return check(site, home / "screenshots")
        say(f"Superset is at {site.address} (user {USER}, password in {superset.password_file}); Ctrl-C ends it")
        superset.wait()
    return 0


class Superset:
    """The installation in `home`."""

    def __init__(self, home: Path, port: int) -> None:
        self.home, self.port = home, port
        self.bin = home / "venv" / "bin"
        self.password_file = home / "admin_password"
        self.server: subprocess.Popen[bytes] | None = None

    def install(self, python: str) -> None:
        """Make the environment; current while its copy of the lock is equal."""
        installed = self.home / "venv" / "requirements.lock"
        if installed.exists() and installed.read_bytes() == LOCK.read_bytes():
            return
        say("Installing Superset (1.3 GB): two to five minutes, once")
        shutil.rmtree(self.home / "venv", ignore_errors=True)
        run([python, "-m", "venv", str(self.home / "venv")])
        run(
            [
                self.bin / "pip",
                "install",
                "-q",
                "--disable-pip-version-check",
                "--require-hashes",
                "--no-deps",
                "-r",
                LOCK,
            ]
        )
        shutil.copyfile(LOCK, installed)

    def initialise(self) -> None:
        """Secrets, the database of Superset itself, its roles, and the one user."""
        secret(self.home / "secret_key")
        password = os.environ.get(PASSWORD_VARIABLE)
        if password:
            self.password_file.unlink(missing_ok=True)
            private(self.password_file, password)
        else:
            password = secret(self.password_file)
        self._superset("db", "upgrade")
        # Superset takes the password as an argument only; the process list shows it to this machine for a second.
        names = ["--username", USER, "--firstname", "Hogland", "--lastname", "Admin", "--email", "admin@example.org"]
        self._superset("fab", "create-admin", *names, "--password", password)
        self._superset("fab", "reset-password", "--username", USER, "--password", password)
        self._superset("init")

    @contextmanager
    def running(self) -> Iterator[Site]:
        """The server, for as long as the block lasts."""
        address = f"http://127.0.0.1:{self.port}"
        command = [
            self.bin / "gunicorn",
            "-w",
            "1",
            "--threads",
            "8",
            "--timeout",
            "120",
            "-b",
            f"127.0.0.1:{self.port}",
        ]
        with (self.home / "server.log").open("wb") as log:
            self.server = subprocess.Popen(  # noqa: S603 - our own installation
                [*map(str, command), "superset.app:create_app()"], env=self.environment(), stdout=log, stderr=log
            )
            try:
                self._wait_until_ready(address)
                yield Site(address, self.password_file.read_text(encoding="utf-8"))
            except KeyboardInterrupt:
                say("Stopped")
            finally:
                self.server.terminate()
                self.server.wait(30)

    def wait(self) -> None:
        """Until the server ends."""
        if self.server:
            self.server.wait()

    def environment(self) -> dict[str, str]:
        """Superset's own; nothing of Python's leaks in."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        own = {"SUPERSET_HOME": self.home, "SUPERSET_CONFIG_PATH": HERE / "superset_config.py"}
        return kept | {name: str(path) for name, path in own.items()} | {"FLASK_APP": "superset.app:create_app()"}

    def _superset(self, *arguments: str) -> None:
        run([self.bin / "superset", *arguments], env=self.environment(), log=self.home / "setup.log")

    def _wait_until_ready(self, address: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.server and self.server.poll() is not None:
                break
            try:
                if requests.get(f"{address}/health", timeout=5).ok:
                    return
            except requests.RequestException:
                time.sleep(1)
        raise SystemExit(f"Superset did not start on port {self.port}: see {self.home / 'server.log'}")


class Site:
    """A Superset that answers."""

    def __init__(self, address: str, password: str) -> None:
        self.address, self.password = address, password

    def import_bundle(self, bundle: bytes) -> None:
        """Databases, datasets, charts and dashboards; those that are there are replaced."""
        with requests.Session() as session:
            login = {"username": USER, "password": self.password, "provider": "db", "refresh": False}
            token = answer(session.post(f"{self.address}/api/v1/security/login", json=login, timeout=60))[
                "access_token"
            ]
            session.headers["Authorization"] = f"Bearer {token}"
            csrf = answer(session.get(f"{self.address}/api/v1/security/csrf_token/", timeout=60))["result"]
            session.headers.update({"X-CSRFToken": csrf, "Referer": self.address})
            files = {"bundle": ("bundle.zip", bundle, "application/zip")}
            answer(session.post(f"{self.address}/api/v1/assets/import/", files=files, timeout=120))

    def dashboards(self) -> list[str]:
        """Slugs of the bundle's dashboards."""
        return sorted(path.stem for path in (HERE / "dashboards").glob("*.yaml"))


def bundle_for(bundle: Path, database: Path) -> bytes:
    """The published bundle, reading `database`: the link that a publication moves on, never the folder behind it."""
    target = io.BytesIO()
    with zipfile.ZipFile(bundle) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in source.namelist():
            content = yaml.safe_load(source.read(name))
            if "/databases/" in name:
                content["sqlalchemy_uri"] = f"duckdb:///{database}"
            elif name.endswith("metadata.yaml"):
                content["type"] = "assets"
            archive.writestr(name, yaml.safe_dump(content, allow_unicode=True))
    return target.getvalue()


def check(site: Site, folder: Path) -> int:
    """Open every dashboard, wait for its charts, and look for errors."""
    from playwright.sync_api import sync_playwright

    folder.mkdir(exist_ok=True)
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        return complain("--check needs Chromium (apt-get install chromium)")
    failures = 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_OPTIONS)
        page = browser.new_page(viewport={"width": 1600, "height": 2200}, locale="sv-SE")
        page.goto(f"{site.address}/login/")
        page.fill("input[name=username], #username", USER)
        page.fill("input[name=password], #password", site.password)
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: "login" not in url, timeout=60_000)
        for slug in site.dashboards():
            charts, errors = look_at(
                page, f"{site.address}/superset/dashboard/{slug}/?standalone=1", folder / f"{slug}.png"
            )
            say(f"{slug}: {charts} charts" + "".join(f"\n  {error}" for error in errors))
            failures += len(errors)
        browser.close()
    say(f"Screenshots are in {folder}")
    return 1 if failures else 0


def look_at(page: Any, address: str, picture: Path) -> tuple[int, list[str]]:
    """How many charts there are, and what went wrong with them."""
    page.goto(address)
    page.wait_for_selector("[data-test=chart-container], .dashboard-component-chart-holder", timeout=60_000)
    placed = yaml.safe_load((HERE / "dashboards" / f"{picture.stem}.yaml").read_text(encoding="utf-8"))["position"]
    wanted = sum(isinstance(part, dict) and part["type"] == "CHART" for part in placed.values())
    finished = """wanted => {
        const holders = [...document.querySelectorAll('.dashboard-component-chart-holder')];
        const busy = '[data-test=loading-indicator], .loading';
        const done = 'canvas, table, .header-line, .superset-legacy-chart-big-number, [role=alert], .ant-empty';
        return holders.length >= wanted
            && holders.every(each => !each.querySelector(busy) && each.querySelector(done));
    }"""
    errors = []
    try:
        page.wait_for_function(finished, arg=wanted, timeout=CHART_SECONDS * 1000)
    except Exception:  # what is shown then tells more than the wait that ended
        errors.append(f"not every one of {wanted} charts was drawn in {CHART_SECONDS} s")
    page.wait_for_timeout(2000)
    page.screenshot(path=picture, full_page=True)
    alerts = page.locator("[role=alert], .ant-alert-error, [data-test=error-message]").all_inner_texts()
    empty = page.locator(".ant-empty").all_inner_texts()
    return wanted, errors + [" ".join(text.split())[:300] for text in [*alerts, *empty] if text.strip()]


def run(command: list[Any], env: dict[str, str] | None = None, log: Path | None = None) -> None:
    """Run a step; on failure its last lines are the message."""
    done = subprocess.run([str(part) for part in command], env=env, capture_output=True, text=True, check=False)  # noqa: S603
    if log:
        with log.open("a", encoding="utf-8") as file:
            file.write(done.stdout + done.stderr)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()[-5:]
        raise SystemExit(f"{Path(str(command[0])).name} {command[1]} failed:\n" + "\n".join(lines))


def answer(response: requests.Response) -> dict[str, Any]:
    """The answer of Superset's API, or its complaint."""
    if not response.ok:
        raise SystemExit(f"Superset refused {response.request.path_url}: {response.status_code} {response.text[:2000]}")
    content: dict[str, Any] = response.json()
    return content


def secret(path: Path) -> str:
    """A random text that stays the same from start to start."""
    if not path.exists():
        private(path, secrets.token_urlsafe(32))
    return path.read_text(encoding="utf-8")


def private(path: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def say(text: str) -> None:
    """A line for the terminal."""
    print(text, flush=True)  # noqa: T201


def complain(text: str) -> int:
    """A sentence on standard error, and the status to end with."""
    print(text, file=sys.stderr)  # noqa: T201
    return 1


if __name__ == "__main__":
    sys.exit(main())
