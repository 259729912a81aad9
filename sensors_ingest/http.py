"""Where a source is, and how to ask for it over HTTP. Knows no feed; every source of the project fetches
through here.
"""

import json
import re
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import requests
from pydantic import SecretStr
from requests.adapters import HTTPAdapter
from urllib3.exceptions import DecodeError, HTTPError, InvalidHeader, ReadTimeoutError
from urllib3.response import BaseHTTPResponse
from urllib3.util.retry import Retry

USER_AGENT: Final = "hogland-pipeline/0.1"
CHUNK_BYTES: Final = 1 << 20
LONGEST_ERROR_TEXT: Final = 300
LONGEST_ERROR_BODY: Final = 1 << 16
LONGEST_WAIT_SECONDS: Final = 120
# An answer that brings less than this in so much time of waiting drips: 17 bytes a second, and no line is that slow.
# The time limit of a read begins anew with every byte, and would let it go on for days.
FEWEST_BYTES: Final = 5_000
PACE_SECONDS: Final = 300.0
# What rate limits are called where ``Retry-After`` is not sent: how long to wait first, when the window ends last.
RATE_LIMIT_HEADERS: Final = ("X-Rate-Limit-Retry", "X-Ratelimit-Retry", "X-Ratelimit-Reset", "X-Rate-Limit-Reset")
# Where the body of an error tells it: The Things Stack and Metry, Trafikverket, NGSI-LD.
ERROR_MESSAGES: Final = (
    ("message",),
    ("error", "message"),
    ("RESPONSE", "RESULT", 0, "ERROR", "MESSAGE"),
    ("detail",),
    ("title",),
)
NUMBER: Final = re.compile(r"\d{1,12}(\.\d{1,9})?")
FIRST_MOMENT: Final = 1_000_000_000
GZIP_WINDOW_BITS: Final = 31


@dataclass(frozen=True)
class Folder:
    """A sample or drop folder."""

    path: Path


@dataclass(frozen=True)
class HttpOrigin:
    """A real address. ``token`` is sent as a Bearer token (Trafikverket: in the body) and shown nowhere."""

    url: str
    token: SecretStr | None = field(default=None, repr=False)


Origin = Folder | HttpOrigin


class SourceUnreachable(Exception):
    """A source could not be fetched whole: missing, refused, failing after retries, or broken off in the
    answer.
    """

    def __init__(self, source: str, address: str, reason: str) -> None:
        super().__init__(f"Source {source!r} could not be fetched from {address}: {reason}.")
        self.source = source
        self.address = address
        self.reason = reason


class TooSlow(requests.exceptions.ReadTimeout):
    """An answer drips. As any time limit, but says so."""


class PatientRetry(Retry):
    """As urllib3's, and heeds the waits that servers give when they send no ``Retry-After``."""

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        """Seconds to wait, or None for the usual backoff."""
        try:
            wait = super().get_retry_after(response)
        except InvalidHeader:
            wait = None
        if wait is not None or response.status != 429:
            return wait
        said = (response.headers.get(name, "") for name in RATE_LIMIT_HEADERS)
        return next((_seconds_until(float(number)) for number in said if NUMBER.fullmatch(number)), None)


def _seconds_until(number: float) -> float:
    """Some servers tell the moment (seconds since 1970) and some the seconds left; all cap at our longest wait."""
    left = number - time.time() if number > FIRST_MOMENT else number
    return min(max(left, 0.0), LONGEST_WAIT_SECONDS)


class HttpSession(requests.Session):
    """A session with a time limit on every request; made by ``open_session``.

    ``secret`` is what no message may repeat, even when a server does.
    """

    def __init__(self, timeout: tuple[float, float], secret: SecretStr | None = None) -> None:
        super().__init__()
        self.timeout = timeout
        self.secret = secret

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        """As ``requests.Session.request``, with the session's time limit unless one is given."""
        kwargs["timeout"] = kwargs.get("timeout") or self.timeout
        return super().request(*args, **kwargs)

    def redacted(self, said: str) -> str:
        """What a server said, without the secret."""
        return said.replace(self.secret.get_secret_value(), "…") if self.secret else said

    def redacted_bytes(self, said: bytes) -> bytes:
        """As ``redacted``, whatever the bytes are."""
        return self.redacted(said.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def open_session(
    token: SecretStr | None = None,
    *,
    is_bearer: bool = True,
    retries: int = 4,
    backoff_seconds: float = 0.5,
    timeout: tuple[float, float] = (10.0, 60.0),
) -> HttpSession:
    """A session that retries 429, 5xx and refused connections, with backoff and heeding ``Retry-After``.

    ``timeout`` is (connect, read) in seconds. The token never follows a redirect to another host
    (``requests`` drops it). With ``is_bearer`` False it is sent by the caller, and only kept out of messages here.
    """
    retry = PatientRetry(
        total=retries,
        backoff_factor=backoff_seconds,
        backoff_jitter=backoff_seconds / 2,
        status_forcelist=(429, 500, 502, 503, 504),
        allowed_methods=("GET", "POST"),  # the only POSTs here are questions too long for an address
        retry_after_max=LONGEST_WAIT_SECONDS,
        raise_on_status=False,
    )
    session = HttpSession(timeout, token)
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(max_retries=retry))
    session.headers["User-Agent"] = USER_AGENT
    session.headers["Accept-Encoding"] = "gzip"  # of which ``body`` sees whether it is whole
    if token is not None and is_bearer:
        session.headers["Authorization"] = f"Bearer {token.get_secret_value()}"
    return session


@contextmanager
def get(
    session: HttpSession,
    source: str,
    url: str,
    *,
    params: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    expected: tuple[int, ...] = (),
) -> Iterator[requests.Response]:
    """GET ``url`` as a stream; anything but 200 and the ``expected`` codes raises ``SourceUnreachable``.

    Errors while the caller reads the body (broken off, time limit, damaged compression) become
    ``SourceUnreachable`` too.
    """
    request = requests.Request("GET", url, params=params, headers=headers)
    with _answer(session, source, request, expected) as response:
        yield response


@contextmanager
def post(
    session: HttpSession,
    source: str,
    url: str,
    content: bytes,
    *,
    headers: Mapping[str, str],
    expected: tuple[int, ...] = (),
) -> Iterator[requests.Response]:
    """As ``get``, with a question in the body. A redirect is refused: the body may hold a key."""
    request = requests.Request("POST", url, data=content, headers=headers)
    with _answer(session, source, request, expected, follows_redirects=False) as response:
        yield response


@contextmanager
def _answer(
    session: HttpSession,
    source: str,
    request: requests.Request,
    expected: tuple[int, ...],
    *,
    follows_redirects: bool = True,
) -> Iterator[requests.Response]:
    address = without_secrets(request.url or "")
    try:
        with session.request(
            request.method or "",
            request.url or "",
            params=request.params,
            headers=request.headers,
            data=request.data,
            stream=True,
            allow_redirects=follows_redirects,
        ) as response:
            if response.status_code != 200 and response.status_code not in expected:
                raise SourceUnreachable(source, address, _describe_error(session, response))
            yield response
    except requests.RequestException as error:
        raise SourceUnreachable(source, address, _describe_failure(error)) from None


def body(response: requests.Response) -> Iterator[bytes]:
    """The body in pieces, decompressed."""
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("gzip", "x-gzip"):
        yield from _pieces(response, CHUNK_BYTES)
        return
    # Without the header urllib3 passes on what was sent; unpacking it, it would not notice that the end is missing.
    response.raw.headers.pop("Content-Encoding")
    try:
        yield from _unpacked(_pieces(response, CHUNK_BYTES))
    except zlib.error as error:
        raise requests.exceptions.ContentDecodingError(error) from error


def _pieces(response: requests.Response, most_bytes: int) -> Iterator[bytes]:
    """The body as it comes in. ``iter_content`` waits until a piece is full, so nobody would see that it drips."""
    waited, received = 0.0, 0
    while True:
        asked = time.monotonic()
        piece = _next_piece(response, most_bytes)
        waited += time.monotonic() - asked  # only for the source: a slow disk is not its fault
        received += len(piece)
        if not piece:
            return
        yield piece
        if waited >= PACE_SECONDS:
            if received < FEWEST_BYTES:
                raise TooSlow
            waited, received = 0.0, 0


def _next_piece(response: requests.Response, most_bytes: int) -> bytes:
    """What one read of the connection brings, unpacked; nothing at the end. Fails as ``iter_content`` does."""
    try:
        return response.raw.read1(most_bytes, decode_content=True) or b""
    except DecodeError as error:
        raise requests.exceptions.ContentDecodingError(error) from error
    except ReadTimeoutError as error:
        raise requests.exceptions.ReadTimeout(error) from error
    except HTTPError as error:
        raise requests.exceptions.ChunkedEncodingError(error) from error


def _unpacked(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The content of gzip's members one after another, no piece larger than ``CHUNK_BYTES``. Nothing is empty."""
    member = None
    for chunk in chunks:
        rest = chunk
        while rest:
            if member is None or member.eof:
                rest = rest.lstrip(b"\0")  # gzip allows zeros behind a member
                member = zlib.decompressobj(GZIP_WINDOW_BITS) if rest else None
                continue
            yield member.decompress(rest, CHUNK_BYTES)
            rest = member.unconsumed_tail or member.unused_data
    if member is not None and not member.eof:
        raise zlib.error("gzip ends before its end")


def last_modified(response: requests.Response) -> datetime | None:
    """When the source says it made these bytes, or None."""
    text = response.headers.get("Last-Modified")
    try:
        return parsedate_to_datetime(text).astimezone(UTC) if text else None
    except ValueError:
        return None


def if_changed(etag: str | None, source_time: datetime | None) -> dict[str, str]:
    """Headers that let a source answer 304, with nothing, when what it last sent is still what it has."""
    headers = {}
    if etag:
        headers["If-None-Match"] = etag
    if source_time:
        headers["If-Modified-Since"] = format_datetime(source_time.astimezone(UTC), usegmt=True)
    return headers


def without_secrets(url: str) -> str:
    """``url`` without user, password, query and fragment: any of them may hold a key."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def folder_path(source: str, origin: Folder) -> Path:
    """The folder of ``origin``; raises ``SourceUnreachable`` when it is not there."""
    if not origin.path.is_dir():
        raise SourceUnreachable(source, str(origin.path), "the folder does not exist")
    return origin.path


def error_body(session: HttpSession, response: requests.Response) -> bytes:
    """The body of an error, without the session's secret: its beginning, which tells what is wrong."""
    content = b""
    for piece in _pieces(response, LONGEST_ERROR_BODY):
        content = (content + piece)[:LONGEST_ERROR_BODY]
        if len(content) == LONGEST_ERROR_BODY:
            break
    return session.redacted_bytes(content)


def _describe_error(session: HttpSession, response: requests.Response) -> str:
    said = told(session, error_body(session, response))
    return f"HTTP {response.status_code} {response.reason}" + (f", {said}" if said else "")


def told(session: HttpSession, content: bytes) -> str:
    """What the body of an error says, short, on one line and without the session's secret."""
    return " ".join(session.redacted(error_message(content)).split())[:LONGEST_ERROR_TEXT]


def error_message(content: bytes) -> str:
    """What the body of an error says: its message in any of the shapes that our sources use, or else itself."""
    try:
        record = json.loads(content)
    except (ValueError, RecursionError):
        return content[: 4 * LONGEST_ERROR_TEXT].decode("utf-8", errors="replace")
    for path in ERROR_MESSAGES:
        found = record
        for step in path:
            match found, step:
                case [dict(), str()]:
                    found = found.get(step)
                case [list(), int()] if step < len(found):
                    found = found[step]
                case _:
                    found = None
        if isinstance(found, str):
            return found
    return content[: 4 * LONGEST_ERROR_TEXT].decode("utf-8", errors="replace")


def _describe_failure(error: requests.RequestException) -> str:
    """A sentence for ``error`` that repeats no URL, because a URL may hold a key."""
    match error:
        case TooSlow():
            return f"the answer drips: fewer than {FEWEST_BYTES} bytes in {PACE_SECONDS:.0f} seconds"
        case requests.exceptions.Timeout():
            return "no answer within the time limit"
        case requests.exceptions.ChunkedEncodingError() | requests.exceptions.ContentDecodingError():
            return "the answer broke off or is damaged"
        case requests.exceptions.ConnectionError():
            return "the connection failed or broke off"
        case _:
            return f"the request failed ({type(error).__name__})"
