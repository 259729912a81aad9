"""Files that somebody else puts into a folder."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from sensors_ingest import http


def content(source: str, path: Path) -> Iterator[bytes]:
    """The bytes of a delivered file, those of a ``.gz`` unpacked. Raises ``SourceUnreachable`` when it is damaged."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            while chunk := file.read(http.CHUNK_BYTES):
                yield chunk
    except (OSError, EOFError, zlib.error) as error:
        raise http.SourceUnreachable(source, str(path), f"the file cannot be read ({error})") from error
