"""Webhooks: an HTTP receiver that answers when the bytes are on disk. It belongs behind a proxy that speaks TLS.

``POST /<feed>``, with ``Authorization: Bearer <secret>`` or ``X-Webhook-Secret: <secret>``. What is refused is logged
without the secret and without the body.
"""

import asyncio
import hmac
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import uvicorn
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sensors_ingest.listener.segments import LARGEST_BODY_BYTES, Message, NotStored, Segments

DEEPEST_JSON: Final = 64
SLOWEST_BODY_SECONDS: Final = 30
LONGEST_TOPIC: Final = 200
# Strings are passed over whole: brackets inside them nest nothing. A string that does not end takes the rest.
_TOKENS: Final = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\Z)|[\[{]|[\]}]', re.DOTALL)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Hook:
    """Where the messages of one feed go, and the secret its sender knows."""

    segments: Segments
    secret: SecretStr = field(repr=False)


def webhook_app(hooks: Mapping[str, Hook]) -> Starlette:
    """An ASGI application with one address a feed."""

    async def receive(request: Request) -> Response:
        feed = request.path_params["feed"]
        hook = hooks.get(feed)
        try:
            # The same answer for a wrong name as for a wrong secret: who knows neither learns nothing.
            if hook is None or not _knows(request, hook.secret):
                raise _Refused(401, "unknown feed or wrong secret")
            body = await _body(request)
            if depth(body) > DEEPEST_JSON:
                raise _Refused(400, f"JSON nested deeper than {DEEPEST_JSON}")
            message = Message(_topic(request), body, datetime.now(UTC))
            waiting = await asyncio.to_thread(hook.segments.store, message)
            await asyncio.wrap_future(waiting)
        except _Refused as refused:
            log.warning("%.50r: refused a call from %s: %s", feed, _sender(request), refused)
            # The rest of a body that is too large is not read: the connection ends.
            return PlainTextResponse(f"{refused}\n", refused.status, {"Connection": "close"})
        except NotStored:
            return PlainTextResponse("not stored, send it again\n", 503)
        except ClientDisconnect:
            log.warning("%.50r: a call from %s broke off", feed, _sender(request))
            return Response(status_code=400)
        return Response(status_code=204)

    return Starlette(routes=[Route("/{feed}", receive, methods=["POST"])])


def webhook_server(app: Starlette) -> uvicorn.Server:
    """A server for ``app``; run it with sockets that are already bound. It logs nothing by itself."""
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", server_header=False, timeout_graceful_shutdown=10
    )
    return uvicorn.Server(config)


def depth(content: bytes) -> int:
    """How deep arrays and objects nest in JSON, valid or not, counted without building any of it."""
    deepest = current = 0
    for token in _TOKENS.finditer(content):
        first = content[token.start()]
        if first in b"[{":
            current += 1
            deepest = max(deepest, current)
            if deepest > DEEPEST_JSON:
                break
        elif first in b"]}":
            current -= 1
    return deepest


class _Refused(Exception):
    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def _knows(request: Request, secret: SecretStr) -> bool:
    """Compared in constant time, whichever header it came in; the framework reads their bytes as Latin-1."""
    expected = secret.get_secret_value().encode()
    bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
    shared = request.headers.get("x-webhook-secret", "")
    is_bearer = hmac.compare_digest(bearer.encode("latin-1"), expected)
    is_shared = hmac.compare_digest(shared.encode("latin-1"), expected)
    return is_bearer or is_shared


async def _body(request: Request) -> bytes:
    too_large = _Refused(413, f"body larger than {LARGEST_BODY_BYTES} bytes")
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > LARGEST_BODY_BYTES:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(SLOWEST_BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > LARGEST_BODY_BYTES:
                    raise too_large
    except TimeoutError:
        raise _Refused(408, f"the body took longer than {SLOWEST_BODY_SECONDS} s") from None
    return bytes(body)


def _topic(request: Request) -> str:
    """ChirpStack says in the query which event it is: ``?event=up``. Nothing else of the query is kept."""
    event = request.query_params.get("event", "")
    return f"http/event={event}"[:LONGEST_TOPIC] if event.isalpha() else "http"


def _sender(request: Request) -> str:
    return request.client.host if request.client else "unknown"
