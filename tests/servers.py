"""Small HTTP servers that answer as the real APIs do: paging, errors, rate limits, compression, broken bodies."""

import gzip
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Request:
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""
    url: str = ""


@dataclass(frozen=True)
class Answer:
    """``is_cut`` promises the whole body and hangs up half-way; ``is_gzipped`` compresses it; ``is_chunked`` promises
    no length. With ``drip_seconds`` it comes byte by byte, each so long after the one before.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    is_cut: bool = False
    is_gzipped: bool = False
    is_chunked: bool = False
    drip_seconds: float = 0


Responder = Callable[[Request], Answer]


@contextmanager
def serve(respond: Responder) -> Iterator[str]:
    """Run ``respond`` on a free local port and give the address."""
    pause = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            url = f"http://{self.headers['Host']}"
            answer = respond(Request(parts.path, query, self.headers, sent, url))
            body = gzip.compress(answer.body, mtime=0) if answer.is_gzipped else answer.body
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.is_gzipped:
                self.send_header("Content-Encoding", "gzip")
            if answer.is_chunked:
                self.protocol_version = "HTTP/1.1"
                self.send_header("Transfer-Encoding", "chunked")
                body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
            else:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(ConnectionError):  # a client that gave up
                self.send(body[: len(body) // 2] if answer.is_cut else body, answer.drip_seconds)
            self.close_connection = True

        def send(self, body: bytes, drip_seconds: float) -> None:
            for start in range(len(body) if drip_seconds else 0):
                self.wfile.write(body[start : start + 1])
                pause.wait(drip_seconds)  # ``time.sleep`` is what tests replace
            if not drip_seconds:
                self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 -- the name that http.server looks for

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Scripted:
    """Answers from a list, the last again and again; keeps the requests."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = answers
        self.requests: list[Request] = []

    def __call__(self, request: Request) -> Answer:
        self.requests.append(request)
        return self.answers[min(len(self.requests), len(self.answers)) - 1]


class Tree:
    """Answers bodies by path and 404 for the rest, as SMHI does."""

    def __init__(self, bodies: Mapping[str, bytes], headers: Mapping[str, str] | None = None) -> None:
        self.bodies = bodies
        self.headers = headers or {}
        self.requests: list[Request] = []

    def __call__(self, request: Request) -> Answer:
        self.requests.append(request)
        if request.path not in self.bodies:
            return Answer(404, b"<html>Not Found</html>")
        return Answer(200, self.bodies[request.path], self.headers, is_gzipped=True)


class StorageIntegration:
    """The Things Stack's stored uplinks of one application, in order of receipt; it sends at most ``largest_page``.

    Like the real one it compares times in microseconds: ``after`` excludes and ``before`` excludes.
    """

    def __init__(self, application: str, token: str, lines: list[str], largest_page: int = 1000) -> None:
        self.path = f"/api/v3/as/applications/{application}/packages/storage/uplink_message"
        self.token = token
        self.uplinks = sorted((datetime.fromisoformat(json.loads(line)["received_at"]), line) for line in lines)
        self.largest_page = largest_page
        self.requests: list[Request] = []

    def __call__(self, request: Request) -> Answer:
        self.requests.append(request)
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return Answer(401, things_stack_error(16, "error:pkg/auth:unauthenticated (unauthenticated)"))
        if request.path != self.path:
            return Answer(404, things_stack_error(5, "error:pkg/as:application_not_found (not found)"))
        if request.headers.get("Accept") != "text/event-stream":
            return Answer(406, things_stack_error(3, "error:pkg/web:accept (not acceptable)"))
        after, before = (datetime.fromisoformat(request.query[name]) for name in ("after", "before"))
        size = min(int(request.query["limit"]), self.largest_page)
        page = [line for received, line in self.uplinks if after < received < before][:size]
        body = "".join(f'{{"result":{line}}}\n\n' for line in page)
        return Answer(200, body.encode(), {"Content-Type": "text/event-stream"}, is_gzipped=True)


def things_stack_error(code: int, message: str) -> bytes:
    """The body of an error answer."""
    return json.dumps({"code": code, "message": message, "details": []}, indent=2).encode()
