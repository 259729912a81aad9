"""Files that somebody else puts into a folder."""

import gzip
import hashlib
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
    """Those of ``days`` of which a file has not landed: it came late, or was not whole when it was read.

    Name and size tell it of nearly every file. The others are read: one that was renamed or packed has landed all the
    same, and one that cannot be read would only stop its feed, night after night.
    """
    landed = landing.files(source, days)
    known = {(file.day, file.address, file.size) for file in landed}
    contents = {(file.day, file.landing_id) for file in landed}
    return {
        day
        for day, path in delivered
        if day
        and day in days
        and (day, path.name, path.stat().st_size) not in known
        and (landing_id := _landing_id(source, path))
        and (day, landing_id) not in contents
    }


def _landing_id(source: str, path: Path) -> str | None:
    """What the file would be called in landing; None when it cannot be read."""
    digest = hashlib.sha256()
    try:
        for chunk in content(source, path):
            digest.update(chunk)
    except http.SourceUnreachable:
        return None
    return digest.hexdigest()
