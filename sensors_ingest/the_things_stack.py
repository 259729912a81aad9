"""The Things Stack: uplinks of a LoRaWAN application, from its Storage Integration or from delivered files.

Address: ``GET /api/v3/as/applications/{app}/packages/storage/uplink_message`` (Bearer token), which answers
one JSON object a line. Files: ``YYYY-MM-DD*.ndjson`` or ``.ndjson.gz``, the date being the day of delivery.
How uplinks become readings is in ``uplinks.py``.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

import pyarrow as pa

from sensors_ingest import deliveries, http
from sensors_ingest.days import local_day
from sensors_ingest.decoders.profile import Profile
from sensors_ingest.decoders.profiles import PROFILES
from sensors_ingest.devices import Device
from sensors_ingest.envelopes import THE_THINGS_STACK
from sensors_ingest.landing import LandedFile, Landing
from sensors_ingest.network_server import NetworkServer

# The server keeps times more coarsely than the nanoseconds it sends, and ``after`` excludes: asking again
# from a little earlier loses nothing, and what comes twice is the gate's daily bread.
OVERLAP: Final = timedelta(milliseconds=1)
# The server sends the year 1 for "not set".
FIRST_BELIEVABLE_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)
LAST_BELIEVABLE_TIME: Final = datetime(2100, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class TheThingsStack:
    """The uplinks of ``application`` (only needed with an address); days are local days of ``timezone`` by
    time of receipt.
    """

    name: str
    origin: http.Origin
    devices: tuple[Device, ...]
    application: str = ""
    timezone: str = "Europe/Stockholm"
    page_size: int = 1000
    profiles: Mapping[str, Profile] = field(default_factory=lambda: PROFILES)

    def __post_init__(self) -> None:
        self._delivered()  # raises ``ValueError`` for a device whose profile there is not

    @property
    def decoder_version(self) -> str:
        """Changes when decoding or the device list does: uplinks of a device that is added later load again."""
        return self._delivered().decoder_version

    def fetch(self, landing: Landing, days: Sequence[date]) -> list[LandedFile]:
        """Land what was delivered on ``days``, one file a day (several when the folder holds several).

        A day without a file lands nothing. Raises ``SourceUnreachable``; the day that failed leaves nothing
        behind.
        """
        match self.origin:
            case http.Folder():
                return self._delivered(self.origin).fetch(landing, days)
            case http.HttpOrigin():
                return self._land_answers(landing, self.origin, days)

    def decode(self, landing: Landing, files: Iterable[LandedFile]) -> Iterator[pa.RecordBatch]:
        """Candidate readings of ``files``, rejects among them (``READING_SCHEMA``). Never raises on their
        content.
        """
        return self._delivered().decode(landing, files)

    def delivered(self) -> list[deliveries.Delivery]:
        """Every file of the folder, if it has one. Raises ``SourceUnreachable``."""
        return self._delivered(self.origin if isinstance(self.origin, http.Folder) else None).delivered()

    def _delivered(self, folder: http.Folder | None = None) -> NetworkServer:
        return NetworkServer(self.name, THE_THINGS_STACK, self.devices, folder, self.profiles)

    def _land_answers(self, landing: Landing, origin: http.HttpOrigin, days: Sequence[date]) -> list[LandedFile]:
        application = quote(self.application, safe="")
        url = f"{origin.url.rstrip('/')}/api/v3/as/applications/{application}/packages/storage/uplink_message"
        with http.open_session(origin.token) as session:
            return [
                landing.write(
                    self.name,
                    self._pages(session, url, *local_day(day, self.timezone)),
                    address=http.without_secrets(url),
                    suffix="ndjson",
                    day=day,
                )
                for day in days
            ]

    def _pages(self, session: http.HttpSession, url: str, start: datetime, end: datetime) -> Iterator[bytes]:
        """Every page of [start, end). The last page is the one that brings nothing newer, however small the
        server's pages.
        """
        after = start - OVERLAP
        while True:
            page = _Page(session, self.name, http.without_secrets(url))
            with http.get(session, self.name, url, params=self._query(after, end), headers=_ACCEPT) as answer:
                yield from page.watch(http.body(answer))
            newest = page.newest_received_at()
            if newest is None or newest - OVERLAP <= after:
                if page.line_count >= self.page_size:
                    reason = f"a page of {page.line_count} uplinks received within one millisecond cannot be paged"
                    raise http.SourceUnreachable(self.name, http.without_secrets(url), reason)
                return
            after = newest - OVERLAP

    def _query(self, after: datetime, before: datetime) -> dict[str, str]:
        return {
            "limit": str(self.page_size),
            "after": _utc_text(after),
            "before": _utc_text(before),
            "order": "received_at",
        }


_ACCEPT: Final = {"Accept": "text/event-stream"}


class _Page:
    """Watches one answer pass by: counts its lines, keeps the last, and stops at an error the server sent
    inside it.
    """

    def __init__(self, session: http.HttpSession, source: str, address: str) -> None:
        self.line_count = 0
        self._session = session
        self._source = source
        self._address = address
        self._last = b""

    def watch(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The same bytes, ended by a line feed."""
        rest = b""
        for chunk in chunks:
            whole, found, rest = (rest + chunk).rpartition(b"\n")
            self._note(whole)
            yield whole + found
        if rest:
            self._note(rest)
            yield rest + b"\n"

    def newest_received_at(self) -> datetime | None:
        """When the last uplink of the page was received; None for an empty page."""
        if not self._last:
            return None
        try:
            record = json.loads(self._last)
        except (ValueError, RecursionError):
            raise self._broken("the answer broke off inside a line") from None
        received = _received_at(record.get("result", record) if isinstance(record, dict) else {})
        if received is None:
            raise self._broken("the last uplink of a page says not when it was received")
        return received

    def _note(self, whole_lines: bytes) -> None:
        lines = list(filter(None, map(bytes.strip, whole_lines.split(b"\n"))))
        if lines:
            self.line_count += len(lines)
            self._last = lines[-1]
        for line in lines:
            if line.startswith(b'{"error"'):
                raise self._broken(f"the server ended the answer with an error: {http.told(self._session, line)}")

    def _broken(self, reason: str) -> http.SourceUnreachable:
        return http.SourceUnreachable(self._source, self._address, reason)


def _utc_text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _received_at(uplink: Any) -> datetime | None:
    """When the server received an uplink, if it says so."""
    records: tuple[Any, ...] = (uplink, uplink.get("uplink_message")) if isinstance(uplink, dict) else ()
    for record in records:
        try:
            received = datetime.fromisoformat(record["received_at"])
        except (KeyError, TypeError, ValueError):
            continue
        if received.tzinfo and FIRST_BELIEVABLE_TIME < received < LAST_BELIEVABLE_TIME:
            return received
    return None
