"""Reading the catalogue's pages from a folder or over HTTP: one at a time, on one site only, politely."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from hogland_pipeline.sources.uttc_pages import (
    MalformedPage,
    canonical_address,
    listed_solutions,
    next_listing,
    same_origin,
)
from sensors_ingest.http import (
    Folder,
    HttpOrigin,
    HttpSession,
    SourceUnreachable,
    body,
    folder_path,
    get,
    open_session,
    without_secrets,
)

LISTING_FILE: Final = "listing.html"
DOCUMENT_FILE: Final = "catalogue.json"
MOST_LISTING_PAGES: Final = 50

_GONE: Final = (404, 410)


class Page(NamedTuple):
    """One fetched page. ``role`` is listing or solution; ``body`` in ``encoding`` is what was sent."""

    role: str
    url: str
    status: int
    encoding: str
    body: str

    @property
    def html(self) -> str:
        """The page as text: bytes that are no UTF-8 are Windows-1252, as browsers read them."""
        if self.encoding == "utf-8":
            return self.body
        return self.body.encode(self.encoding).decode("cp1252", errors="replace")


@dataclass(frozen=True)
class Site:
    """Reads pages from a folder or over HTTP, one after the other, with a pause between two requests."""

    source: str
    origin: Folder | HttpOrigin
    delay_seconds: float

    @property
    def address(self) -> str:
        """What landing calls this place; no secrets, no machine's path."""
        return str(self.origin.path.name) if isinstance(self.origin, Folder) else without_secrets(self.origin.url)

    def document(self) -> bytes:
        """The JSON catalogue as sent. Raises ``SourceUnreachable``."""
        if isinstance(self.origin, Folder):
            return self._file(folder_path(self.source, self.origin) / DOCUMENT_FILE)
        with (
            open_session(self.origin.token) as session,
            get(session, self.source, self.origin.url) as response,
        ):
            return b"".join(body(response))

    def pages(self) -> Iterator[Page]:
        """Every listing page, then every solution's page."""
        if isinstance(self.origin, Folder):
            yield from self._saved_pages(folder_path(self.source, self.origin))
        else:
            with open_session(self.origin.token) as session:
                yield from self._live_pages(session, self.origin.url)

    def _saved_pages(self, folder: Path) -> Iterator[Page]:
        content = self._file(folder / LISTING_FILE)
        base = canonical_address(LISTING_FILE, _page("listing", "", 200, content).html)
        listing = _page("listing", base, 200, content)
        yield listing
        for url in listed_solutions(LISTING_FILE, base, listing.html):
            path = folder.joinpath(*urlsplit(url).path.strip("/").split("/"), "index.html")
            yield _page("solution", url, *((200, self._file(path)) if path.is_file() else (404, b"")))

    def _live_pages(self, session: HttpSession, start: str) -> Iterator[Page]:
        solutions: dict[str, None] = {}
        listings: list[str] = []
        url: str | None = start
        while url and url not in listings:
            if len(listings) == MOST_LISTING_PAGES:
                raise MalformedPage(without_secrets(url), f"the listing has more than {MOST_LISTING_PAGES} pages")
            listing = self._get(session, "listing", url, pause=bool(listings))
            yield listing
            listings.append(url)
            solutions |= dict.fromkeys(listed_solutions(without_secrets(url), listing.url, listing.html))
            url = next_listing(listing.url, listing.html)
        for solution in solutions:
            yield self._get(session, "solution", solution, pause=True)

    def _get(self, session: HttpSession, role: str, url: str, *, pause: bool) -> Page:
        if pause:
            time.sleep(self.delay_seconds)
        with get(session, self.source, url, expected=_GONE if role == "solution" else ()) as response:
            if not same_origin(response.url, url):
                raise SourceUnreachable(self.source, without_secrets(url), "it redirects to another site")
            return _page(role, url, response.status_code, b"".join(body(response)))

    def _file(self, path: Path) -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise SourceUnreachable(self.source, str(path), f"it cannot be read ({error.strerror})") from None


def _page(role: str, url: str, status: int, content: bytes) -> Page:
    try:
        return Page(role, url, status, "utf-8", content.decode("utf-8"))
    except UnicodeDecodeError:
        return Page(role, url, status, "latin-1", content.decode("latin-1"))
