"""The webhook receiver as a process: what it refuses, and that what it answers is on disk."""

import http.client
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest

from sensors_ingest.landing import Landing
from sensors_ingest.listener.segments import body_of
from tests.brokers import Service, end_services, free_port, wait_for_port

SECRET = "a-secret-of-some-length"
FEED = """
            [feeds.chirp]
            kind = "chirpstack"
            listen = { webhook = { secret_env = "CHIRP_SECRET" } }
            # Fetched by the night: the service has no token of it, and needs none.
            [feeds.energy]
            kind = "metry"
            url = "https://metry.example.org"
            token_env = "A_TOKEN_THAT_IS_NOT_SET"
            meters = ["m"]
"""


class Receiver(Service):
    """The service with one webhook."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        super().__init__(folder, FEED, f"port = {self.port}", {"CHIRP_SECRET": SECRET})

    def start(self) -> None:
        super().start()
        wait_for_port(self.port)

    def post(
        self, body: bytes, *, secret: str | None = SECRET, path: str = "/chirp?event=up", header: str | None = None
    ) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Authorization": f"Bearer {secret}"} if header is None else {header: str(secret)}
        try:
            connection.request("POST", path, body, headers if secret is not None else {})
            return connection.getresponse().status
        finally:
            connection.close()

    def bodies(self) -> list[bytes]:
        """Every message in landing and in the open segment."""
        landing = Landing(self.landing)
        lines = [line for file in landing.files("chirp") for line in landing.read(file).splitlines()]
        for path in (self.landing / "chirp" / "open").glob("*.ndjson"):
            lines += path.read_bytes().splitlines()
        return [body_of(line) for line in lines]


@pytest.fixture(autouse=True)
def none_left_running() -> Iterator[None]:
    yield
    end_services()


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    service = Receiver(tmp_path)
    service.start()
    yield service
    if service.process.poll() is None:
        service.stop()


def test_bytes_are_kept_as_they_came(receiver: Receiver) -> None:
    sent = [
        b'{"fCnt": 1,\n "data":"\\u00e5"}',
        '{"namn":"Högland 😀\u2028"}'.encode(),
        b"\xff\xfe not text",
        b"{broken",
    ]
    assert [receiver.post(body) for body in sent] == [204] * 4
    assert receiver.post(sent[0], header="X-Webhook-Secret") == 204
    assert receiver.bodies() == [*sent, sent[0]]
    assert receiver.stop() == 0
    [file] = Landing(receiver.landing).files("chirp")
    assert receiver.bodies() == [*sent, sent[0]]
    assert file.address == f"http://127.0.0.1:{receiver.port}/chirp"
    topics = {json.loads(line)["topic"] for line in Landing(receiver.landing).read(file).splitlines()}
    assert topics == {"http/event=up"}


@pytest.mark.parametrize(
    ("secret", "path", "header"),
    [
        ("wrong-secret-of-some-length", "/chirp", None),
        ("wrong-secret-of-some-length", "/chirp", "X-Webhook-Secret"),
        ("", "/chirp", None),
        (None, "/chirp", None),
        (SECRET, "/other", None),
        (SECRET, "/chirp", "X-Other"),
        (SECRET[:-1], "/chirp", None),
    ],
)
def test_wrong_secrets_are_refused(receiver: Receiver, secret: str | None, path: str, header: str | None) -> None:
    assert receiver.post(b"{}", secret=secret, path=path, header=header) == 401
    assert receiver.bodies() == []
    receiver.wait_until_said("refused a call from 127.0.0.1: unknown feed or wrong secret")
    assert SECRET not in receiver.said()
    assert not secret or secret not in receiver.said()


def test_bodies_of_50_megabytes_are_refused(receiver: Receiver) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):  # it may hang up before we have sent it all
        assert receiver.post(b'{"data":"' + b"x" * 50_000_000 + b'"}') == 413
    receiver.wait_until_said("body larger than 1048576 bytes")
    assert receiver.bodies() == []
    assert receiver.post(b"{}") == 204


def test_bodies_that_grow_as_they_are_sent_are_refused(receiver: Receiver) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=30)
    headers = {"Authorization": f"Bearer {SECRET}"}
    with closing(connection), suppress(BrokenPipeError, ConnectionResetError):
        connection.request("POST", "/chirp", (b"x" * 65536 for _ in range(800)), headers, encode_chunked=True)
        assert connection.getresponse().status == 413
    receiver.wait_until_said("body larger than 1048576 bytes")
    assert receiver.bodies() == []


@pytest.mark.parametrize("bomb", [b"[" * 500_000, b'{"a":' * 100_000, b'["\\"[",' * 100_000])
def test_deep_json_is_refused(receiver: Receiver, bomb: bytes) -> None:
    assert receiver.post(bomb) == 400
    receiver.wait_until_said("JSON nested deeper than 64")
    assert receiver.bodies() == []


def test_brackets_in_strings_nest_nothing(receiver: Receiver) -> None:
    body = json.dumps({"data": "[" * 1000, "said": '"' + "{" * 1000}).encode()
    assert receiver.post(body) == 204
    assert receiver.bodies() == [body]


def test_a_body_that_breaks_off_is_not_stored(receiver: Receiver) -> None:
    with socket.create_connection(("127.0.0.1", receiver.port)) as connection:
        head = f"POST /chirp HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\r\nContent-Length: 1000\r\n\r\n"
        connection.sendall(head.encode() + b'{"fCnt": 1')
    receiver.wait_until_said("broke off")
    assert receiver.bodies() == []
    assert receiver.post(b"{}") == 204


def test_other_methods_have_no_answer(receiver: Receiver) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=30)
    connection.request("GET", "/chirp")
    assert connection.getresponse().status == 405
    connection.close()


def test_killed_after_its_answers_nothing_is_lost(tmp_path: Path, receiver: Receiver) -> None:
    """Many callers at once; the process is killed as soon as the last was answered."""
    bodies = [json.dumps({"fCnt": number}).encode() for number in range(400)]
    with ThreadPoolExecutor(20) as callers:
        answers = list(callers.map(receiver.post, bodies))
    receiver.kill()
    assert answers == [204] * len(bodies)
    # What the crash cut off in the middle of a line was not answered.
    [segment] = (receiver.landing / "chirp" / "open").glob("*.ndjson")
    with segment.open("ab") as file:
        file.write(b'{"pushed_at":"2026-01-01T00:00:00+00:00","to')
    receiver.start()
    receiver.wait_until_said("sealed a segment that was left open")
    assert sorted(receiver.bodies()) == sorted(bodies)
    assert receiver.stop() == 0
    assert sorted(receiver.bodies()) == sorted(bodies)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"CHIRP_SECRET": ""}, "feeds.chirp reads its secret from CHIRP_SECRET, which is not set."),
        ({"CHIRP_SECRET": "short"}, "feeds.chirp has a secret in CHIRP_SECRET that is shorter than 16 characters."),
    ],
)
def test_without_a_good_secret_it_does_not_start(tmp_path: Path, environment: dict[str, str], said: str) -> None:
    service = Receiver(tmp_path)
    service.environment |= environment
    Service.start(service)
    assert service.process.wait(60) == 2
    assert said in service.said()


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    service = Receiver(tmp_path)
    with socket.create_server(("127.0.0.1", service.port)):
        Service.start(service)
        assert service.process.wait(60) == 1
    assert f"Webhooks cannot be received at 127.0.0.1:{service.port}: Address already in use." in service.said()
