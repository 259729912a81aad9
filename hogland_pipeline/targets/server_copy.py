"""A publication's way to PostgreSQL, told as states: a server that fails never costs the files their release."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from hogland_pipeline.contracts import MartContract
from hogland_pipeline.publication_record import TargetState
from hogland_pipeline.release_tables import WrittenTable, parquet_path
from hogland_pipeline.targets.postgres import PostgresTarget, Preparation, TargetFailed
from hogland_pipeline.targets.postgres_structure import Table

TARGET_NAME = "postgres"

log = logging.getLogger(__name__)


class ServerCopy:
    """One release on its way: `load` its tables, then `switch`; a context manager that gives the connection back."""

    def __init__(self, target: PostgresTarget, release_id: str) -> None:
        self.target = target
        self.release_id = release_id
        self.failure: str | None = None
        self.seconds: float | None = None
        self._preparation: Preparation | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._preparation is not None:
            self._preparation.close()

    def load(self, folder: Path, tables: Sequence[WrittenTable], contracts: dict[str, MartContract]) -> None:
        """Load tables from the Parquet files of a release folder, where nobody sees them yet."""
        if self.failure is not None:
            return
        try:
            if self._preparation is None:
                self._preparation = self.target.prepare(self.release_id)
            for table in tables:
                contract = contracts.get(table.name) or MartContract(table.name)
                self._preparation.load(_table(table, contract), parquet_path(folder, table.name))
        except TargetFailed as failed:
            self._fail(failed)

    def switch(self) -> None:
        """Show the loaded release."""
        if self.failure is not None or self._preparation is None:
            return
        try:
            self.seconds = self._preparation.switch()
        except TargetFailed as failed:
            # A connection lost while committing leaves open which of the two it shows.
            if self._shown() != self.release_id:
                self._fail(failed)

    def state(self) -> TargetState:
        """What readers of the server see, as far as that is known."""
        if self.failure is not None:
            return TargetState(TARGET_NAME, "failed", self._shown(), self.failure)
        status = "prepared" if self.seconds is None else "published"
        return TargetState(TARGET_NAME, status, self.release_id)

    def _fail(self, failed: TargetFailed) -> None:
        self.failure = str(failed)
        log.warning("%s", failed)

    def _shown(self) -> str | None:
        try:
            return self.target.state().current
        except TargetFailed:
            return None


def _table(table: WrittenTable, contract: MartContract) -> Table:
    return Table(
        name=table.name,
        row_count=table.row_count,
        columns=[(column.name, column.type, column.comment) for column in table.columns],
        key=contract.key,
        comment=contract.description or table.comment,
    )
