"""Where a source is, and how to ask for it over HTTP. Knows no feed; every source of the project fetches
through here.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import requests
from pydantic import SecretStr
from requests.adapters import HTTPAdapter
from urllib3.response import BaseHTTPResponse
from urllib3.util.retry import Retry

USER_AGENT: Final = "hogland-pipeline/0.1"
CHUNK_BYTES: Final = 1 << 20
LONGEST_ERROR_TEXT: Final = 300
LONGEST_WAIT_SECONDS: Final = 120


@dataclass(frozen=True)
class Folder:
    """A sample or drop folder."""

    path: Path


@dataclass(frozen=True)
class HttpOrigin:
    """A real address. ``token`` is sent as a Bearer token and shown nowhere."""

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


class PatientRetry(Retry):
    """As urllib3's, and heeds the wait that The Things Stack gives when it sends no ``Retry-After``."""

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        """Seconds to wait, or None for the usual backoff."""
        seconds = response.headers.get("X-Rate-Limit-Retry", "")
        return super().get_retry_after(response) or (self.parse_retry_after(seconds) if seconds.isdigit() else None)


class HttpSession(requests.Session):
    """A session with a time limit on every request; made by ``open_session``."""

    def __init__(self, timeout: tuple[float, float]) -> None:
        super().__init__()
        self.timeout = timeout

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        """As ``requests.Session.request``, with the session's time limit unless one is given."""
        kwargs["timeout"] = kwargs.get("timeout") or self.timeout
        return super().request(*args, **kwargs)


def open_session(
    token: SecretStr | None = None,
    *,
    retries: int = 4,
    backoff_seconds: float = 0.5,
    timeout: tuple[float, float] = (10.0, 60.0),
) -> HttpSession:
    """A session that retries 429, 5xx and refused connections, with backoff and heeding ``Retry-After``.

    ``timeout`` is (connect, read) in seconds. The token never follows a redirect to another host
    (``requests`` drops it).
    """
    retry = PatientRetry(
        total=retries,
        backoff_factor=backoff_seconds,
        backoff_jitter=backoff_seconds / 2,
        status_forcelist=(429, 500, 502, 503, 504),
        allowed_methods=("GET",),
        retry_after_max=LONGEST_WAIT_SECONDS,
        raise_on_status=False,
    )
    session = HttpSession(timeout)
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(max_retries=retry))
    session.headers["User-Agent"] = USER_AGENT
    if token is not None:
        session.headers["Authorization"] = f"Bearer {token.get_secret_value()}"
    return session


@contextmanager
def get(
    session: requests.Session,
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
    address = without_secrets(url)
    try:
        with session.get(url, params=params, headers=headers, stream=True) as response:
            if response.status_code != 200 and response.status_code not in expected:
                raise SourceUnreachable(source, address, _describe_error(response))
            yield response
    except requests.RequestException as error:
        raise SourceUnreachable(source, address, _describe_failure(error)) from None


def body(response: requests.Response) -> Iterator[bytes]:
    """The body in pieces, decompressed."""
    yield from response.iter_content(CHUNK_BYTES)


def last_modified(response: requests.Response) -> datetime | None:
    """When the source says it made these bytes, or None."""
    text = response.headers.get("Last-Modified")
    try:
        return parsedate_to_datetime(text).astimezone(UTC) if text else None
    except ValueError:
        return None


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


def _describe_error(response: requests.Response) -> str:
    said = _message_in(response)
    return f"HTTP {response.status_code} {response.reason}" + (f", {said}" if said else "")


def _message_in(response: requests.Response) -> str:
    """What the body of an error says: its ``message``, or else its first characters."""
    try:
        record = response.json()
        text = str(record["message"]) if isinstance(record, dict) and "message" in record else response.text
    except ValueError:
        text = response.text
    return " ".join(text.split())[:LONGEST_ERROR_TEXT]


def _describe_failure(error: requests.RequestException) -> str:
    """A sentence for ``error`` that repeats no URL, because a URL may hold a key."""
    match error:
        case requests.exceptions.Timeout():
            return "no answer within the time limit"
        case requests.exceptions.ChunkedEncodingError() | requests.exceptions.ContentDecodingError():
            return "the answer broke off or is damaged"
        case requests.exceptions.ConnectionError():
            return "the connection failed or broke off"
        case _:
            return f"the request failed ({type(error).__name__})"
