"""A call is answered when its bytes are on disk and not before; ``integration/test_webhook.py`` runs the server."""

import asyncio
from concurrent.futures import Future
from typing import Any, cast

import pytest
from pydantic import SecretStr

from sensors_ingest.listener.segments import Message, NotStored, Segments
from sensors_ingest.listener.webhook import Hook, webhook_app

SECRET = "a-secret-that-is-long-enough"
BEARER = ("authorization", f"Bearer {SECRET}")


class SlowDisk:
    """Segments that store when they are told to."""

    def __init__(self) -> None:
        self.stored: Future[None] = Future()
        self.messages: list[Message] = []

    def store(self, message: Message) -> Future[None]:
        self.messages.append(message)
        return self.stored


async def call(disk: SlowDisk, header: tuple[str, str], body: bytes, answered: list[int], secret: str = SECRET) -> None:
    """One POST, as an ASGI server hands it over; the status goes to ``answered`` when it is sent."""
    app = webhook_app({"chirp": Hook(cast("Segments", disk), SecretStr(secret))})
    scope = {"type": "http", "method": "POST", "path": "/chirp", "query_string": b"event=up", "scheme": "http"}
    headers = [(header[0].encode(), header[1].encode())]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(event: Any) -> None:
        if event["type"] == "http.response.start":
            answered.append(event["status"])

    async with asyncio.timeout(5):
        await app(scope | {"headers": headers, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2)}, receive, send)


@pytest.mark.parametrize(("failure", "status"), [(None, 204), (NotStored("disk full"), 503)])
def test_the_answer_waits_for_the_disk(failure: NotStored | None, status: int) -> None:
    async def scenario() -> None:
        disk, answered = SlowDisk(), list[int]()
        calling = asyncio.create_task(call(disk, BEARER, b"{}", answered))
        while not disk.messages:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        assert answered == []
        if failure:
            disk.stored.set_exception(failure)
        else:
            disk.stored.set_result(None)
        await calling
        assert answered == [status]

    asyncio.run(scenario())


@pytest.mark.parametrize("header", ["authorization", "x-webhook-secret"])
@pytest.mark.parametrize("secret", [SECRET[:4], SECRET + "x", SECRET.upper(), "Bearer", ""])
def test_a_secret_that_is_not_the_whole_one_stores_nothing(header: str, secret: str) -> None:
    disk, answered = SlowDisk(), list[int]()
    sent = f"Bearer {secret}" if header == "authorization" else secret
    asyncio.run(call(disk, (header, sent), b"{}", answered))
    assert (answered, disk.messages) == ([401], [])


@pytest.mark.parametrize("header", ["authorization", "x-webhook-secret"])
def test_a_secret_may_have_letters_beyond_ascii(header: str) -> None:
    disk, answered, secret = SlowDisk(), list[int](), "hemligt-på-Höglandet"
    disk.stored.set_result(None)
    sent = f"Bearer {secret}" if header == "authorization" else secret
    asyncio.run(call(disk, (header, sent), b"{}", answered, secret))
    assert answered == [204]


def test_deep_json_is_refused_and_not_stored() -> None:
    disk, answered = SlowDisk(), list[int]()
    asyncio.run(call(disk, BEARER, b"[" * 65, answered))
    assert (answered, disk.messages) == ([400], [])
