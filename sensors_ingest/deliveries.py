"""Files that somebody else puts into a folder."""

import gzip
import zlib
from collections.abc import Collection, Iterable, Iterator
from datetime import date
from pathlib import Path

from sensors_ingest import http
from sensors_ingest.landing import Landing

# The day of delivery that a file's name tells, if it does.
Delivery = tuple[date | None, Path]


def content(source: str, path: Path) -> Iterator[bytes]:
    """The bytes of a delivered file, those of a ``.gz`` unpacked. Raises ``SourceUnreachable`` when it is damaged."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            while chunk := file.read(http.CHUNK_BYTES):
                yield chunk
    except (OSError, EOFError, zlib.error) as error:
        raise http.SourceUnreachable(source, str(path), f"the file cannot be read ({error})") from error


def days_not_landed(landing: Landing, source: str, delivered: Iterable[Delivery], days: Collection[date]) -> set[date]:
    """Those of ``days`` of which a file has not landed: it came late, or has another size than when it was read (of a
    ``.gz`` it is not known before it is unpacked).
    """
    landed = {(file.day, file.address, size) for file in landing.files(source, days) for size in (file.size, None)}
    return {
        day
        for day, path in delivered
        if day and day in days and (day, path.name, None if path.suffix == ".gz" else path.stat().st_size) not in landed
    }
