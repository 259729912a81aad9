"""Landing: the bytes exactly as a source sent them, compressed, immutable and named by their content.

Layout, one folder a source and a delivery day (``snapshot`` for sources that always send their whole window)::

    <root>/<source>/<day or snapshot>/<sha256>.<suffix>.zst    the bytes
    <root>/<source>/<day or snapshot>/<sha256>.json            where and when they came from

    <root>/<source>/sent.json                                  which of them the source sent when asked last

The sidecar is written last: a file without one is the leftover of a crash and is written again. Each is on disk before
it gets its name, and its name before ``write`` returns: a power cut leaves no sidecar of a file that is empty.
"""

import hashlib
import json
import os
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from filelock import FileLock

from sensors_ingest.disk import make_folder, sync

SNAPSHOT_FOLDER = "snapshot"
SENT_FILE = "sent.json"


class LandingDamaged(Exception):
    """A file of landing is not what was written, as after a power cut; says which. Without it and its sidecar it can be
    fetched again.
    """

    def __init__(self, path: Path, reason: object) -> None:
        super().__init__(f"Landing is damaged: {path} {reason}.")


@dataclass(frozen=True)
class LandedFile:
    """One immutable landing file.

    ``landing_id`` is the SHA-256 of the uncompressed bytes; ``address`` is a URL without secrets or a file name;
    ``source_time`` is when the source says it made the bytes (``Last-Modified``), and ``etag`` its name for them, if it
    says so; ``day`` is the delivery day (partition) or None for a snapshot; ``size`` counts uncompressed bytes;
    ``is_new`` is False when the same bytes had landed before.
    """

    landing_id: str
    source: str
    path: Path
    address: str
    fetched_at: datetime
    source_time: datetime | None
    day: date | None
    size: int
    is_new: bool = False
    etag: str | None = None

    @property
    def received_at(self) -> datetime:
        """When the source had these bytes: its own word where it gives one, but never later than we fetched them."""
        return min(self.source_time or self.fetched_at, self.fetched_at)


class Landing:
    """The landing folder. Safe for several writers: every file is written aside and renamed into place."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(
        self,
        source: str,
        chunks: Iterable[bytes],
        *,
        address: str,
        suffix: str,
        day: date | None = None,
        source_time: datetime | None = None,
        etag: str | None = None,
    ) -> LandedFile:
        """Stream ``chunks`` into landing and return the file; the same bytes twice are one file.

        ``suffix`` is the format without a dot (``ndjson``, ``json``, ``csv``, ``html``, ``parquet``). An exception
        raised by ``chunks`` leaves nothing behind.
        """
        folder = self.root / source / _day_folder(day)
        make_folder(folder)
        incoming = folder / f".incoming-{uuid.uuid4().hex}"
        try:
            landing_id, size = _write_compressed(incoming, chunks)
            sidecar = folder / f"{landing_id}.json"
            if sidecar.exists():
                sync(folder)  # who wrote it may have been killed before
                return _read_sidecar(sidecar)
            path = folder / f"{landing_id}.{suffix}.zst"
            sync(incoming)
            incoming.replace(path)
        finally:
            incoming.unlink(missing_ok=True)
        landed = LandedFile(landing_id, source, path, address, datetime.now(UTC), source_time, day, size, True, etag)
        _write_sidecar(sidecar, landed)
        return landed

    def files(
        self, source: str, days: Collection[date] | None = None, wanted: Callable[[str], bool] | None = None
    ) -> list[LandedFile]:
        """Every landed file of ``source`` in order of arrival; with ``days`` only theirs and the snapshots, with
        ``wanted`` only those whose ``landing_id`` it wants. No other sidecar is opened: in a year there are many.
        """
        sidecars = [path for path, landing_id in self._sidecars(source, days) if wanted is None or wanted(landing_id)]
        files = (_read_sidecar(Path(path)) for path in sidecars)
        return sorted(files, key=lambda file: (file.fetched_at, file.landing_id))

    def count(self, source: str, days: Collection[date] | None = None) -> int:
        """How many files ``files`` would find."""
        return sum(1 for _ in self._sidecars(source, days))

    def _sidecars(self, source: str, days: Collection[date] | None) -> Iterator[tuple[str, str]]:
        """Path and landing id of each, by their names alone. Hidden ones are still being written."""
        folder = self.root / source
        if days is None:
            names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir()) if folder.is_dir() else []
        else:
            names = [SNAPSHOT_FOLDER, *(day.isoformat() for day in sorted(days))]
        for name in names:
            if (folder / name).is_dir():
                for entry in os.scandir(folder / name):
                    landing_id, dot, suffix = entry.name.rpartition(".json")
                    if dot and not suffix and not landing_id.startswith("."):
                        yield entry.path, landing_id

    def state(self, source: str, newest_days: int) -> str:
        """Changes when a file of the ``newest_days`` newest days lands; cheap, because it opens none."""
        folders = sorted(path for path in (self.root / source).glob("????-??-??"))[-newest_days:]
        names = sorted(path.name for folder in folders for path in folder.glob("*.json"))
        return hashlib.sha256("\n".join(names).encode()).hexdigest() if names else ""

    def note_sent(self, source: str, days: Collection[date], files: Collection[LandedFile]) -> None:
        """Remember ``files`` as all that ``source`` has for ``days`` now, and as its snapshot."""
        make_folder(self.root / source)
        # Two runs may fetch other days of one source at the same time.
        with FileLock(self.root / source / ".sent.lock"):
            sent = self._sent(source)
            for folder in (SNAPSHOT_FOLDER, *(day.isoformat() for day in days)):
                sent[folder] = sorted(file.landing_id for file in files if _day_folder(file.day) == folder)
            _write_json(self.root / source / SENT_FILE, sent)

    def sent_snapshot(self, source: str) -> list[LandedFile]:
        """The snapshots ``source`` sent when asked last, in order of arrival; before the first note all of them."""
        sent = self._sent(source).get(SNAPSHOT_FOLDER)
        return self.files(source, [], None if sent is None else set(sent).__contains__)

    def is_still_sent(self, file: LandedFile) -> bool:
        """False once the source was asked again for the file's day and sent something else in its place."""
        return file.landing_id in self._sent(file.source).get(_day_folder(file.day), [file.landing_id])

    def _sent(self, source: str) -> dict[str, list[str]]:
        path = self.root / source / SENT_FILE
        try:
            return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}
        except (ValueError, TypeError) as error:
            raise LandingDamaged(path, "is no list of what was sent") from error

    def chunks(self, file: LandedFile, chunk_bytes: int = 1 << 20) -> Iterator[bytes]:
        """The bytes of ``file`` as the source sent them, in pieces. Raises ``LandingDamaged``."""
        read, broken = 0, None
        try:
            with pa.OSFile(str(file.path), "rb") as raw, pa.CompressedInputStream(raw, "zstd") as stream:
                while chunk := stream.read(chunk_bytes):
                    read += len(chunk)
                    yield chunk
        except OSError as error:
            broken = error
        if broken or read != file.size:
            raise LandingDamaged(file.path, f"can be read up to {read} of {file.size} bytes") from broken

    def read(self, file: LandedFile) -> bytes:
        """The bytes of ``file`` as the source sent them, whole."""
        return b"".join(self.chunks(file))


def _write_compressed(path: Path, chunks: Iterable[bytes]) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with path.open("wb") as file, pa.CompressedOutputStream(pa.PythonFile(file, mode="w"), "zstd") as stream:
        for chunk in chunks:
            digest.update(chunk)
            size += len(chunk)
            stream.write(chunk)
    return digest.hexdigest(), size


def _write_sidecar(sidecar: Path, landed: LandedFile) -> None:
    record = {
        "landing_id": landed.landing_id,
        "source": landed.source,
        "file": landed.path.name,
        "address": landed.address,
        "fetched_at": landed.fetched_at.isoformat(),
        "source_time": landed.source_time.isoformat() if landed.source_time else None,
        "day": landed.day.isoformat() if landed.day else None,
        "size": landed.size,
        "etag": landed.etag,
    }
    _write_json(sidecar, record)


def _write_json(path: Path, content: Mapping[str, object]) -> None:
    incoming = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    incoming.write_text(json.dumps(content, indent=1), encoding="utf-8")
    sync(incoming)
    incoming.replace(path)
    sync(path.parent)


def _day_folder(day: date | None) -> str:
    return day.isoformat() if day else SNAPSHOT_FOLDER


def _read_sidecar(sidecar: Path) -> LandedFile:
    try:
        return _landed_file(sidecar, json.loads(sidecar.read_text(encoding="utf-8")))
    except (ValueError, TypeError, KeyError) as error:
        raise LandingDamaged(sidecar, "is no sidecar") from error


def _landed_file(sidecar: Path, record: Mapping[str, Any]) -> LandedFile:
    return LandedFile(
        landing_id=record["landing_id"],
        source=record["source"],
        path=sidecar.with_name(record["file"]),
        address=record["address"],
        fetched_at=datetime.fromisoformat(record["fetched_at"]),
        source_time=datetime.fromisoformat(record["source_time"]) if record["source_time"] else None,
        day=date.fromisoformat(record["day"]) if record["day"] else None,
        size=record["size"],
        etag=record.get("etag"),
    )
