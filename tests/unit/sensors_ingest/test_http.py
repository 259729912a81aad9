"""Fetching: what is retried, what is refused, and that no secret is ever shown."""

import gzip
import random
import time
import zlib
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from pydantic import SecretStr

from sensors_ingest.http import (
    LONGEST_ERROR_BODY,
    Folder,
    HttpOrigin,
    SourceUnreachable,
    body,
    error_body,
    error_message,
    folder_path,
    get,
    last_modified,
    open_session,
    without_secrets,
)
from sensors_ingest.landing import Landing
from sensors_ingest.metry import Metry
from sensors_ingest.ngsi_ld import NgsiLd
from sensors_ingest.sensorthings import Datastream, SensorThings
from sensors_ingest.the_things_stack import TheThingsStack
from sensors_ingest.trafikverket import Trafikverket
from tests.decoding import decode
from tests.servers import Answer, Scripted, serve, things_stack_error

SECRET = "NNSXS.VERYSECRET"


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that would have been slept."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    return slept


def fetch(url: str, token: SecretStr | None = None, retries: int = 4, read_seconds: float = 5) -> bytes:
    with (
        open_session(token, retries=retries, timeout=(5, read_seconds)) as session,
        get(session, "uplinks", url) as answer,
    ):
        return b"".join(body(answer))


def test_body_is_decompressed_and_the_token_sent() -> None:
    script = Scripted(Answer(body=b"hello", is_gzipped=True))
    with serve(script) as url:
        assert fetch(url, SecretStr(SECRET)) == b"hello"
    assert script.requests[0].headers["Authorization"] == f"Bearer {SECRET}"
    assert script.requests[0].headers["User-Agent"].startswith("hogland-pipeline/")


@pytest.mark.parametrize(
    "header",
    [{"Retry-After": "7"}, {"X-Rate-Limit-Retry": "7"}, {"X-Ratelimit-Reset": "7"}, {"X-RateLimit-Reset": "7.0"}],
)
def test_rate_limit_is_waited_out(waits: list[float], header: dict[str, str]) -> None:
    limited = Answer(429, things_stack_error(8, "rate limit"), header)
    with serve(Scripted(limited, Answer(body=b"in"))) as url:
        assert fetch(url) == b"in"
    assert waits == [7]


def test_rate_limit_may_tell_the_moment_it_ends(waits: list[float]) -> None:
    limited = Answer(429, headers={"X-Ratelimit-Reset": str(int(time.time()) + 30)})
    with serve(Scripted(limited, Answer(body=b"in"))) as url:
        fetch(url)
    assert len(waits) == 1
    assert 25 < waits[0] <= 30


@pytest.mark.parametrize(
    ("header", "nonsense"),
    [
        *(("X-Ratelimit-Reset", nonsense) for nonsense in ("soon", "-5", "", "9" * 40)),
        *(("Retry-After", nonsense) for nonsense in ("soon", "-5", "", "1.5 s", "Mon, 40 Jan 2026 00:00:00 GMT")),
    ],
)
def test_nonsense_instead_of_a_wait_falls_back(waits: list[float], nonsense: str, header: str) -> None:
    with serve(Scripted(Answer(429, headers={header: nonsense}), Answer(body=b"in"))) as url:
        assert fetch(url) == b"in"
    assert all(wait < 5 for wait in waits)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (b'{"code":7,"message":"no rights"}', "no rights"),
        (b'{"error":{"message":"deadline"}}', "deadline"),
        (b'{"RESPONSE":{"RESULT":[{"ERROR":{"SOURCE":"x","MESSAGE":"bad key"}}]}}', "bad key"),
        (b'{"title":"Not found","detail":"no such entity"}', "no such entity"),
        (b'{"RESPONSE":{"RESULT":[]}}', '{"RESPONSE":{"RESULT":[]}}'),
        (b'{"message":5}', '{"message":5}'),
        (b"[" * 100_000, "[" * 1200),
        (b"\xff<html>", "\ufffd<html>"),
        (b"", ""),
    ],
)
def test_message_of_an_error(said: bytes, message: str) -> None:
    assert error_message(said) == message


def test_token_that_a_server_repeats_is_not_shown() -> None:
    refused = Answer(403, things_stack_error(7, f"token {SECRET} has no rights"))
    with serve(Scripted(refused)) as url, pytest.raises(SourceUnreachable) as caught:
        fetch(url, SecretStr(SECRET))
    assert "token … has no rights" in str(caught.value)


CLIENTS: dict[str, Callable[[HttpOrigin], Any]] = {
    "the_things_stack": lambda origin: TheThingsStack("feed", origin, (), "app"),
    "trafikverket": lambda origin: Trafikverket("feed", origin, ("1",)),
    "metry": lambda origin: Metry("feed", origin, ("m",)),
    "sensorthings": lambda origin: SensorThings("feed", origin, (Datastream("1", "roof", "air_temperature"),)),
    "ngsi_ld": lambda origin: NgsiLd("feed", origin, entities=("e",)),
}


@pytest.mark.parametrize("kind", ["the_things_stack", "trafikverket", "metry"])
def test_token_that_is_repeated_in_an_answer_of_200_is_not_shown(tmp_path: Path, kind: str) -> None:
    refused = Answer(body=b'{"error":{"message":"no rights: %s"}}' % SECRET.encode())
    with serve(Scripted(refused)) as url, pytest.raises(SourceUnreachable) as caught:
        CLIENTS[kind](HttpOrigin(url, SecretStr(SECRET))).fetch(Landing(tmp_path), [date(2026, 1, 5)])
    assert "no rights: …" in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("kind", ["metry", "sensorthings", "ngsi_ld"])
def test_token_that_is_repeated_in_a_404_does_not_land(tmp_path: Path, kind: str) -> None:
    missing = things_stack_error(5, f"nothing for \xe5 {SECRET}")
    landing = Landing(tmp_path)
    with serve(Scripted(Answer(404, missing))) as url:
        source = CLIENTS[kind](HttpOrigin(url, SecretStr(SECRET)))
        [file] = source.fetch(landing, [date(2026, 1, 5)])
    assert landing.read(file) == b"\x1e" + missing.replace(SECRET.encode(), "…".encode()) + b"\n"
    [reason] = decode(source, landing, [file])["reject_reason"]
    assert reason.endswith("but: nothing for \xe5 …")


def test_an_error_that_comes_in_pieces_is_whole_and_no_longer_than_its_limit() -> None:
    answer = requests.Response()
    pieces = [b'{"mess', b'age": "no str', b'eam 7"}', b" " * LONGEST_ERROR_BODY]
    left = iter(pieces)
    answer.raw = SimpleNamespace(read1=lambda size, decode_content: next(left, b""))
    with open_session(None) as session:
        content = error_body(session, answer)
    assert content.startswith(b'{"message": "no stream 7"}')
    assert len(content) == LONGEST_ERROR_BODY


@pytest.mark.parametrize("header", ["Retry-After", "X-Ratelimit-Reset", "X-Rate-Limit-Retry"])
def test_absurd_wait_is_capped(waits: list[float], header: str) -> None:
    with serve(Scripted(Answer(429, headers={header: "86400"}), Answer(body=b"in"))) as url:
        fetch(url)
    assert waits == [120]


def test_server_errors_are_retried_then_reported(waits: list[float]) -> None:
    script = Scripted(Answer(503, b"down for maintenance"))
    with serve(script) as url, pytest.raises(SourceUnreachable, match=r"HTTP 503 .*down for maintenance"):
        fetch(url)
    assert len(script.requests) == 5


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_refusals_are_not_retried_and_say_why(status: int) -> None:
    script = Scripted(Answer(status, things_stack_error(7, "no rights for user")))
    with serve(script) as url, pytest.raises(SourceUnreachable) as caught:
        fetch(f"{url}/app?key={SECRET}", SecretStr(SECRET))
    assert len(script.requests) == 1
    assert f"HTTP {status}" in str(caught.value)
    assert "no rights for user" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_broken_off_answer_is_an_error_not_a_short_body() -> None:
    with (
        serve(Scripted(Answer(body=b"x" * 1000, is_cut=True))) as url,
        pytest.raises(SourceUnreachable, match="broke off"),
    ):
        fetch(url)


def test_damaged_compression_is_an_error() -> None:
    damaged = Answer(body=b"not gzip at all", headers={"Content-Encoding": "gzip"})
    with serve(Scripted(damaged)) as url, pytest.raises(SourceUnreachable, match="damaged"):
        fetch(url)


GZIPPED = gzip.compress(b"x" * 5_000_000, mtime=0) + gzip.compress(b"y" * 10, mtime=0)


def gzipped(content: bytes, status: int = 200) -> Answer:
    """An answer that is framed properly, whatever it holds."""
    return Answer(status, content, {"Content-Encoding": "gzip"})


@pytest.mark.parametrize("kept", [1, 9, 2000, -1, -8, -9, -29, -30])
def test_gzip_that_was_cut_short_is_an_error_also_when_it_is_framed_properly(kept: int) -> None:
    with serve(Scripted(gzipped(GZIPPED[:kept]))) as url, pytest.raises(SourceUnreachable, match="broke off"):
        fetch(url)


def test_gzip_is_read_whole_in_small_pieces() -> None:
    padded = Answer(body=GZIPPED + bytes(1000), headers={"Content-Encoding": "X-GZIP"})
    with serve(Scripted(padded)) as url, open_session() as session, get(session, "uplinks", url) as answer:
        pieces = list(body(answer))
    assert b"".join(pieces) == b"x" * 5_000_000 + b"y" * 10
    assert max(map(len, pieces)) <= 1 << 20


def test_what_follows_gzip_and_is_none_is_damage() -> None:
    with serve(Scripted(gzipped(GZIPPED + b"what is this"))) as url, pytest.raises(SourceUnreachable, match="damaged"):
        fetch(url)


@pytest.mark.parametrize("status", [200, 204, 304])
def test_no_body_is_none_whatever_its_compression(status: int) -> None:
    with (
        serve(Scripted(gzipped(b"", status))) as url,
        open_session() as session,
        get(session, "uplinks", url, expected=(204, 304)) as answer,
    ):
        assert b"".join(body(answer)) == b""


def test_deflate_is_read_though_not_asked_for() -> None:
    script = Scripted(Answer(body=zlib.compress(b"hello"), headers={"Content-Encoding": "deflate"}))
    with serve(script) as url:
        assert fetch(url) == b"hello"
    assert script.requests[0].headers["Accept-Encoding"] == "gzip"


def test_nobody_listening() -> None:
    with serve(Scripted(Answer())) as url:
        pass
    with pytest.raises(SourceUnreachable, match="connection failed"):
        fetch(f"{url}?key={SECRET}", retries=0)


def test_silence_is_given_up() -> None:
    def hang(_: object) -> Answer:
        time.sleep(0.5)
        return Answer()

    with serve(hang) as url, pytest.raises(SourceUnreachable, match=r"time limit|connection failed"):
        fetch(url, retries=0, read_seconds=0.1)


@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize("is_gzipped", [False, True])
@pytest.mark.parametrize("status", [200, 403])
def test_an_answer_that_drips_is_given_up(
    monkeypatch: pytest.MonkeyPatch, status: int, is_gzipped: bool, is_chunked: bool
) -> None:
    monkeypatch.setattr("sensors_ingest.http.PACE_SECONDS", 0.2)
    body = random.Random(1).randbytes(5_000)
    drip = Answer(status, body, is_gzipped=is_gzipped, is_chunked=is_chunked, drip_seconds=0.01)
    started = time.monotonic()
    with serve(Scripted(drip)) as url, pytest.raises(SourceUnreachable, match="the answer drips: fewer than 5000 "):
        fetch(url, retries=0)
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_slow_but_steady_answer_comes_whole(monkeypatch: pytest.MonkeyPatch, is_chunked: bool) -> None:
    monkeypatch.setattr("sensors_ingest.http.PACE_SECONDS", 0.2)
    monkeypatch.setattr("sensors_ingest.http.FEWEST_BYTES", 2)
    slow = Answer(body=bytes(range(100)), is_chunked=is_chunked, drip_seconds=0.005)
    with serve(Scripted(slow)) as url:
        assert fetch(url) == bytes(range(100))


def test_a_slow_reader_is_no_slow_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sensors_ingest.http.PACE_SECONDS", 1.0)
    sent = GZIPPED[:3000]
    with serve(Scripted(Answer(body=sent))) as url, open_session() as session, get(session, "uplinks", url) as answer:
        read = b""
        for piece in body(answer):
            read += piece
            time.sleep(1.1)
    assert read == sent


def test_a_chunked_answer_that_breaks_off_is_an_error() -> None:
    cut = Answer(body=b"x" * 1000, is_chunked=True, is_cut=True)
    with serve(Scripted(cut)) as url, pytest.raises(SourceUnreachable, match="broke off"):
        fetch(url)


def test_no_secret_in_representations() -> None:
    assert SECRET not in repr(HttpOrigin("https://example.org", SecretStr(SECRET)))
    assert without_secrets(f"https://me:{SECRET}@example.org:8443/a?key={SECRET}#x") == "https://example.org:8443/a"


def test_last_modified() -> None:
    dated = Answer(headers={"Last-Modified": "Sun, 24 Mar 2024 10:21:12 GMT"})
    with (
        serve(Scripted(dated, Answer(headers={"Last-Modified": "yesterday"}), Answer())) as url,
        open_session() as session,
    ):
        found = []
        for _ in range(3):
            with get(session, "smhi", url) as answer:
                found.append(last_modified(answer))
    assert [str(moment) for moment in found] == ["2024-03-24 10:21:12+00:00", "None", "None"]


def test_missing_folder(tmp_path: Path) -> None:
    assert folder_path("survey", Folder(tmp_path)) == tmp_path
    with pytest.raises(SourceUnreachable, match=r"'survey'.*nowhere: the folder does not exist"):
        folder_path("survey", Folder(tmp_path / "nowhere"))
