"""Reading the catalogue's pages from a folder or over HTTP: one at a time, on one site only, politely."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urljoin, urlsplit
from urllib.robotparser import RobotFileParser

from hogland_pipeline.sources.uttc_pages import (
    MalformedPage,
    canonical_address,
    listed_solutions,
    next_listing,
    same_origin,
)
from sensors_ingest.http import (
    USER_AGENT,
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
LONGEST_DELAY_SECONDS: Final = 30.0  # a robots.txt that asks for more would stretch a night over a day
NOT_ALLOWED: Final = 0  # in place of the status: the page was not asked for

_GONE: Final = (404, 410)
_NOT_MODIFIED: Final = 304


class Page(NamedTuple):
    """One fetched page. ``role`` is listing, solution or document; ``body`` in ``encoding`` is what was sent.

    ``etag`` and ``last_modified`` are what the site said of it, to ask next time whether it has changed.
    """

    role: str
    url: str
    status: int
    encoding: str
    body: str
    etag: str | None = None
    last_modified: str | None = None

    @property
    def html(self) -> str:
        """The page as text: bytes that are no UTF-8 are Windows-1252, as browsers read them."""
        if self.encoding == "utf-8":
            return self.body
        return self.content.decode("cp1252", errors="replace")

    @property
    def content(self) -> bytes:
        """The bytes that were sent."""
        return self.body.encode(self.encoding)

    @property
    def conditions(self) -> dict[str, str]:
        """Headers that ask for the page only if it has changed since."""
        conditions = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {header: value for header, value in conditions.items() if value}


@dataclass(frozen=True)
class Site:
    """Reads pages from a folder or over HTTP, one after the other, with a pause between two requests.

    ``known`` are the pages of the last snapshot by address: a page that has not changed since is taken from there.
    """

    source: str
    origin: Folder | HttpOrigin
    delay_seconds: float
    known: Mapping[str, Page] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """What landing calls this place; no secrets, no machine's path."""
        return str(self.origin.path.name) if isinstance(self.origin, Folder) else without_secrets(self.origin.url)

    def document(self) -> Page:
        """The JSON catalogue. Raises ``SourceUnreachable``."""
        if isinstance(self.origin, Folder):
            content = self._file(folder_path(self.source, self.origin) / DOCUMENT_FILE)
            return _page("document", self.address, 200, content)
        with open_session(self.origin.token) as session:
            visit = self._visit(session, self.origin.url)
            return self._get(session, visit, "document", self.origin.url)

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
        visit = self._visit(session, start)
        url: str | None = start
        while url and url not in listings:
            if len(listings) == MOST_LISTING_PAGES:
                raise MalformedPage(without_secrets(url), f"the listing has more than {MOST_LISTING_PAGES} pages")
            listing = self._get(session, visit, "listing", url)
            yield listing
            listings.append(url)
            solutions |= dict.fromkeys(listed_solutions(without_secrets(url), listing.url, listing.html))
            url = next_listing(listing.url, listing.html)
        for solution in solutions:
            yield self._get(session, visit, "solution", solution)

    def _visit(self, session: HttpSession, start: str) -> "Visit":
        """Read the site's robots.txt; without one everything is allowed, with a refused one nothing is."""
        address = urljoin(start, "/robots.txt")
        rules = RobotFileParser()
        with get(session, self.source, address, expected=(*_GONE, 401, 403)) as response:
            if response.status_code in (401, 403):
                rules.parse(["User-agent: *", "Disallow: /"])
            else:
                gone = response.status_code in _GONE
                text = "" if gone else b"".join(body(response)).decode("utf-8", errors="replace")
                rules.parse(text.splitlines())
        asked = rules.crawl_delay(USER_AGENT)
        return Visit(rules, max(self.delay_seconds, min(float(asked or 0), LONGEST_DELAY_SECONDS)))

    def _get(self, session: HttpSession, visit: "Visit", role: str, url: str) -> Page:
        if not visit.rules.can_fetch(USER_AGENT, url):
            if role == "solution":
                return _page(role, url, NOT_ALLOWED, b"")
            raise SourceUnreachable(
                self.source, without_secrets(url), "the site's robots.txt does not allow to read it"
            )
        time.sleep(visit.delay_seconds)
        known = self.known.get(url)
        conditions = known.conditions if known else {}
        expected = (*(_GONE if role == "solution" else ()), *((_NOT_MODIFIED,) if conditions else ()))
        with get(session, self.source, url, headers=conditions, expected=expected) as response:
            if not same_origin(response.url, url):
                raise SourceUnreachable(self.source, without_secrets(url), "it redirects to another site")
            if known and response.status_code == _NOT_MODIFIED:
                return known
            page = _page(role, url, response.status_code, b"".join(body(response)))
            return page._replace(etag=response.headers.get("ETag"), last_modified=response.headers.get("Last-Modified"))

    def _file(self, path: Path) -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise SourceUnreachable(self.source, str(path), f"it cannot be read ({error.strerror})") from None


class Visit(NamedTuple):
    """What one visit keeps to: the site's robots.txt, and the pause before each request."""

    rules: RobotFileParser
    delay_seconds: float


def _page(role: str, url: str, status: int, content: bytes) -> Page:
    try:
        return Page(role, url, status, "utf-8", content.decode("utf-8"))
    except UnicodeDecodeError:
        return Page(role, url, status, "latin-1", content.decode("latin-1"))
