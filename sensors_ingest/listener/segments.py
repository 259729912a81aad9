"""Segments: messages appended to a file, on disk before anybody hears that they arrived, and landed when it is full.

An open segment is ``<landing>/<feed>/open/<local day>--<random>.ndjson``, one line a message (``line_of``). It is
sealed into a landing file of its day when it is large or old enough, when the day changes and when the service stops.
What a crash leaves open, the next start seals: at least once, for what was not acknowledged is sent again.
"""

import base64
import json
import logging
import os
import queue
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import IO, Final
from zoneinfo import ZoneInfo

from filelock import FileLock, Timeout

from sensors_ingest.disk import make_folder, sync
from sensors_ingest.envelopes import PUSHED_LINE
from sensors_ingest.landing import LandedFile, Landing

OPEN_FOLDER: Final = "open"
# As many messages may wait for the disk; whoever brings more waits too.
MOST_WAITING: Final = 10_000
MOST_AT_ONCE: Final = 1_000
CHUNK_BYTES: Final = 1 << 20
# Of one message, however it comes: an uplink has a few kilobytes.
LARGEST_BODY_BYTES: Final = 1 << 20

log = logging.getLogger(__name__)


class AlreadyListening(Exception):
    """Another process listens to the same feed."""


class NotStored(Exception):
    """A message could not be written; whoever sent it must send it again."""


@dataclass(frozen=True)
class Message:
    """One message as it was received; ``topic`` is an MQTT topic or what the address of a webhook call says."""

    topic: str
    body: bytes
    received_at: datetime


@dataclass(frozen=True)
class SegmentLimits:
    """When a segment is sealed."""

    size_bytes: int = 64 << 20
    age_seconds: float = 300


def line_of(message: Message) -> bytes:
    """A JSON line that keeps the bytes of the body: as text, or in base64 where they are not UTF-8."""
    record = {"pushed_at": message.received_at.isoformat(), "topic": message.topic}
    try:
        record["body"] = message.body.decode("utf-8")
    except UnicodeDecodeError:
        record["body_base64"] = base64.b64encode(message.body).decode("ascii")
    line = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"
    assert line.startswith(PUSHED_LINE.encode())  # noqa: S101 -- how uplinks.py knows it
    return line


def body_of(line: bytes) -> bytes:
    """The body that ``line_of`` keeps."""
    record = json.loads(line)
    return base64.b64decode(record["body_base64"]) if "body_base64" in record else record["body"].encode("utf-8")


class Segments:
    """The segments of one feed. One thread writes; each of its writes stores all messages that wait, with one sync."""

    def __init__(
        self,
        landing: Landing,
        feed: str,
        address: str,
        timezone: str,
        limits: SegmentLimits,
        on_failure: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``address`` says in landing where messages came from (no secrets); ``on_failure`` is told when the disk
        refuses, after which nothing more is stored.
        """
        self._landing, self._feed, self._address = landing, feed, address
        self._zone, self._limits, self._on_failure = ZoneInfo(timezone), limits, on_failure
        self._folder = landing.root / feed / OPEN_FOLDER
        self._lock = FileLock(self._folder / ".lock", timeout=0)
        self._waiting: queue.Queue[tuple[Message, Future[None]] | None] = queue.Queue(MOST_WAITING)
        self._thread = threading.Thread(target=self._run, name=f"segments of {feed}", daemon=True)
        self._segment: _Segment | None = None
        self._failure: Exception | None = None

    def start(self) -> list[LandedFile]:
        """Seal what a crash left open and begin; returns what was sealed. Raises ``AlreadyListening``."""
        make_folder(self._folder)
        try:
            self._lock.acquire()
        except Timeout:
            raise AlreadyListening(f"Another process listens to {self._feed} already.") from None
        left = [landed for path in sorted(self._folder.glob("*.ndjson")) if (landed := self._recover(path))]
        self._thread.start()
        return left

    def store(self, message: Message) -> Future[None]:
        """Have ``message`` written; the result comes when it is on disk, or ``NotStored``."""
        stored: Future[None] = Future()
        if self._failure:
            stored.set_exception(NotStored(f"{self._feed}: {self._failure}"))
        else:
            self._waiting.put((message, stored))
        return stored

    def close(self) -> None:
        """Write what waits, seal the open segment and end."""
        self._waiting.put(None)
        self._thread.join()
        self._lock.release()

    def _run(self) -> None:
        is_open = True
        while is_open:
            batch, is_open = self._next_batch()
            try:
                if not self._failure:
                    self._append([message for message, _ in batch])
                self._tell(batch)
                if not self._failure:
                    self._seal_if_due(is_last=not is_open)
            except Exception as error:  # whatever it is, nobody may believe that these messages are stored
                self._failure, self._segment = error, None
                log.error("%s: messages cannot be stored: %s", self._feed, error)
                self._tell(batch)
                self._on_failure(f"{self._feed}: messages cannot be stored: {error}.")

    def _tell(self, batch: Sequence[tuple[Message, "Future[None]"]]) -> None:
        for _, stored in batch:
            if stored.done():
                continue
            if self._failure:
                stored.set_exception(NotStored(f"{self._feed}: {self._failure}"))
            else:
                stored.set_result(None)

    def _next_batch(self) -> tuple[list[tuple[Message, "Future[None]"]], bool]:
        """Messages that wait, at least one unless the open segment is due first; and whether more may come."""
        batch = []
        try:
            item = self._waiting.get(timeout=self._segment.due_in() if self._segment else None)
            while item is not None:
                batch.append(item)
                if len(batch) == MOST_AT_ONCE:
                    return batch, True
                item = self._waiting.get_nowait()
        except queue.Empty:
            return batch, True
        return batch, False

    def _append(self, messages: Sequence[Message]) -> None:
        for message in messages:
            day = message.received_at.astimezone(self._zone).date()
            if self._segment and self._segment.day != day:
                self._seal(self._segment)
            self._segment = self._segment or _Segment(self._folder, day, self._limits)
            self._segment.write(line_of(message))
        if messages and self._segment:
            self._segment.sync()

    def _seal_if_due(self, *, is_last: bool) -> None:
        if self._segment and (is_last or self._segment.is_due()):
            self._seal(self._segment)

    def _seal(self, segment: "_Segment") -> None:
        segment.sync()
        segment.close()
        self._segment = None
        landed = self._land(segment.path, segment.day)
        log.info("%s: sealed %d messages, %d bytes", self._feed, segment.count, landed.size)

    def _recover(self, path: Path) -> LandedFile | None:
        """Seal a segment that was left open, without the line it broke off in: that was never acknowledged."""
        with path.open("rb+") as file:
            file.truncate(_end_of_lines(file))
            os.fsync(file.fileno())
        if path.stat().st_size == 0:
            path.unlink()
            return None
        landed = self._land(path, date.fromisoformat(path.name.partition("--")[0]))
        log.warning("%s: sealed a segment that was left open, %d bytes", self._feed, landed.size)
        return landed

    def _land(self, path: Path, day: date) -> LandedFile:
        landed = self._landing.write(self._feed, _chunks(path), address=self._address, suffix="ndjson", day=day)
        path.unlink()  # only now: the messages were acknowledged and nobody has them any more
        return landed


class _Segment:
    """An open segment file."""

    def __init__(self, folder: Path, day: date, limits: SegmentLimits) -> None:
        self.day = day
        self.path = folder / f"{day}--{uuid.uuid4().hex}.ndjson"
        self.count = 0
        self._limits = limits
        self._deadline = time.monotonic() + limits.age_seconds
        self._file: IO[bytes] = self.path.open("wb")
        sync(folder)

    def write(self, line: bytes) -> None:
        self._file.write(line)
        self.count += 1

    def sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()

    def due_in(self) -> float:
        return max(0.0, self._deadline - time.monotonic())

    def is_due(self) -> bool:
        return self.due_in() == 0 or self._file.tell() >= self._limits.size_bytes


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _end_of_lines(file: IO[bytes]) -> int:
    """Where the last whole line ends."""
    end = file.seek(0, os.SEEK_END)
    while end > 0:
        start = max(0, end - CHUNK_BYTES)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0
