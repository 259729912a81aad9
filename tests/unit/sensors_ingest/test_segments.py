"""Segments: on disk before the answer, sealed by size, age and day, and nothing lost when the disk or we fail."""

import time
from collections.abc import Iterator
from concurrent.futures import wait
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from sensors_ingest.landing import Landing
from sensors_ingest.listener import segments
from sensors_ingest.listener.segments import AlreadyListening, Message, NotStored, SegmentLimits, Segments, body_of

NOON = datetime(2026, 1, 5, 11, tzinfo=UTC)


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path)


def made(landing: Landing, limits: SegmentLimits | None = None, failures: list[str] | None = None) -> Segments:
    told = [] if failures is None else failures
    return Segments(landing, "chirp", "mqtt://x:1", "Europe/Stockholm", limits or SegmentLimits(), told.append)


@pytest.fixture
def running(landing: Landing) -> Iterator[Segments]:
    segments_ = made(landing)
    segments_.start()
    yield segments_
    segments_.close()


def message(number: int = 0, at: datetime = NOON) -> Message:
    return Message("t", f'{{"fCnt":{number}}}'.encode(), at)


def numbers(landing: Landing) -> list[int]:
    lines = [line for file in landing.files("chirp") for line in landing.read(file).splitlines()]
    return [int(body_of(line)[8:-1]) for line in lines]


def open_lines(landing: Landing) -> list[bytes]:
    return [line for path in (landing.root / "chirp/open").glob("*.ndjson") for line in path.read_bytes().splitlines()]


def test_an_answer_means_that_it_is_on_disk(
    landing: Landing, running: Segments, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    real = segments.os.fsync
    monkeypatch.setattr(segments.os, "fsync", lambda descriptor: (synced.append(descriptor), real(descriptor)))
    running.store(message(1)).result(5)
    assert synced
    assert [body_of(line) for line in open_lines(landing)] == [b'{"fCnt":1}']


def test_closing_seals(landing: Landing) -> None:
    segments_ = made(landing)
    assert segments_.start() == []
    wait([segments_.store(message(number)) for number in range(5_000)], 20)
    segments_.close()
    assert numbers(landing) == list(range(5_000))
    [file] = landing.files("chirp")
    assert (file.day, file.address) == (date(2026, 1, 5), "mqtt://x:1")
    assert open_lines(landing) == []


def test_sealed_by_size_and_by_age(landing: Landing) -> None:
    segments_ = made(landing, SegmentLimits(size_bytes=100, age_seconds=0.3))
    segments_.start()
    segments_.store(message(1)).result(5)
    segments_.store(message(2)).result(5)
    deadline = time.monotonic() + 10
    while len(numbers(landing)) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert numbers(landing) == [1, 2]
    segments_.close()
    assert open_lines(landing) == []


def test_a_segment_has_one_local_day(landing: Landing) -> None:
    """Midnight in Stockholm is 23 UTC."""
    segments_ = made(landing)
    segments_.start()
    midnight = datetime(2026, 1, 5, 23, tzinfo=UTC)
    for number, at in enumerate([midnight - timedelta(seconds=1), midnight]):
        segments_.store(message(number, at)).result(5)
    segments_.close()
    assert [file.day for file in landing.files("chirp")] == [date(2026, 1, 5), date(2026, 1, 6)]


@pytest.mark.parametrize(
    ("left", "found"),
    [
        (b"", []),
        (b'{"pushed_at":"x","to', []),
        (b'{"pushed_at":"x","topic":"t","body":"{\\"fCnt\\":7}"}\n', [7]),
        (b'{"pushed_at":"x","topic":"t","body":"{\\"fCnt\\":7}"}\n{"pushed_at":"x","to', [7]),
        (b'{"pushed_at":"x","topic":"t","body":"{\\"fCnt\\":7}"}\n' + b"x" * 3_000_000, [7]),
    ],
)
def test_what_a_crash_left_open_is_sealed_at_the_start(landing: Landing, left: bytes, found: list[int]) -> None:
    folder = landing.root / "chirp" / "open"
    folder.mkdir(parents=True)
    (folder / "2026-01-04--abc.ndjson").write_bytes(left)
    segments_ = made(landing)
    sealed = segments_.start()
    segments_.close()
    assert numbers(landing) == found
    assert [file.day for file in sealed] == [date(2026, 1, 4)] * len(found)
    assert open_lines(landing) == []


def test_sealing_again_after_a_crash_in_between_is_the_same_file(landing: Landing) -> None:
    """Killed between landing a segment and removing it: the next start lands the same bytes."""
    segments_ = made(landing)
    segments_.start()
    segments_.store(message(1)).result(5)
    [path] = (landing.root / "chirp" / "open").glob("*.ndjson")
    content = path.read_bytes()
    segments_.close()
    path.write_bytes(content)
    again = made(landing)
    again.start()
    again.close()
    assert numbers(landing) == [1]


def test_one_listener_a_feed(landing: Landing, running: Segments) -> None:
    with pytest.raises(AlreadyListening, match="Another process listens to chirp"):
        made(landing).start()


def test_a_full_disk_is_told_and_nothing_is_acknowledged(landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    failures: list[str] = []
    segments_ = made(landing, failures=failures)
    segments_.start()
    segments_.store(message(1)).result(5)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(segments.os, "fsync", full)
        stored = segments_.store(message(2))
        with pytest.raises(NotStored, match="No space left"):
            stored.result(5)
    with pytest.raises(NotStored):
        segments_.store(message(3)).result(5)
    segments_.close()
    assert failures == ["chirp: messages cannot be stored: [Errno 28] No space left on device."]
    again = made(landing)
    again.start()
    again.close()
    assert numbers(landing)[0] == 1
