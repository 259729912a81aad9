"""The candidate of a load: what a source's decoder yields, spooled to a Parquet file before the warehouse is locked."""

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from hogland_pipeline.loads import days_of
from hogland_pipeline.resources import BoundSource
from hogland_pipeline.revisions import candidate_definitions
from hogland_pipeline.settings import Settings
from hogland_pipeline.warehouse import RawTable
from sensors_ingest.landing import LandedFile, Landing


class FileNotTaken(Exception):
    """A decoder ended before it had taken every file: its mistake, of which the rest would count as loaded."""

    def __init__(self, source: str, file: LandedFile) -> None:
        super().__init__(
            f"The decoder of '{source}' ended before it had taken {file.address} ({file.landing_id}): it must take all."
        )


def spooled_windows(
    bound: BoundSource, landing: Landing, files: Sequence[LandedFile], run_id: str, settings: Settings
) -> Generator[tuple[list[LandedFile], Path], None, None]:
    """The files of each window and its candidate, at least one; the next one is spooled while the caller has this one.

    A candidate lasts until the next is asked for; all are gone when the iterator is closed.
    """
    days = deque(days_of(files))

    def spooled(number: int) -> tuple[list[LandedFile], Path]:
        candidate = settings.candidate_dir / f"{bound.source.name}-{number}-{run_id}.parquet"
        return spool_window(bound, landing, days, settings.window_rows, candidate), candidate

    try:
        with ThreadPoolExecutor(1, "spool") as ahead:
            following = ahead.submit(spooled, 1)
            for number in count(2):
                window, candidate = following.result()
                is_last = not days
                if not is_last:
                    following = ahead.submit(spooled, number)
                yield window, candidate
                candidate.unlink()
                if is_last:
                    return
    finally:
        for candidate in settings.candidate_dir.glob(f"{bound.source.name}-*-{run_id}.parquet"):
            candidate.unlink()


def spool_window(
    bound: BoundSource, landing: Landing, days: deque[list[LandedFile]], window_rows: int, candidate: Path
) -> list[LandedFile]:
    """Take whole days from the front of ``days`` until their rows are ``window_rows``, and spool them; returns their
    files. How many rows a day has, only decoding it tells. Raises ``FileNotTaken``.
    """
    window: list[LandedFile] = []
    rows = 0

    def taken() -> Iterator[LandedFile]:
        while days and rows < window_rows:
            day = days.popleft()
            window.extend(day)
            yield from day

    files = taken()

    def decoded() -> Iterator[pa.RecordBatch]:
        nonlocal rows
        for batch in bound.source.decode(landing, files):
            rows += batch.num_rows
            yield batch

    spool_candidate(decoded(), bound.table, candidate)
    if left := next(files, None):
        raise FileNotTaken(bound.source.name, left)
    return window


def spool_candidate(batches: Iterable[pa.RecordBatch], table: RawTable, path: Path) -> int:
    """Write decoded batches to a Parquet file, outside the warehouse's lock; returns the number of rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows, writer = 0, None
    try:
        for batch in batches:
            writer = writer or _spool(path, batch.schema)
            writer.write_batch(batch)
            rows += batch.num_rows
    finally:
        if writer:
            writer.close()
    if writer is None:
        columns = ", ".join(f"NULL::{kind} AS {name}" for name, kind in candidate_definitions(table).items())
        duckdb.sql(f"SELECT {columns} WHERE FALSE").write_parquet(str(path))
    return rows


def _spool(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """A candidate is read whole, soon after it was written, and then deleted: statistics, compression and looking for
    repeated numbers are not worth their time. Repeated words are: a check then looks at each once.
    """
    words = [field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_dictionary(field.type)]
    return pq.ParquetWriter(path, schema, compression="none", write_statistics=False, use_dictionary=words)
