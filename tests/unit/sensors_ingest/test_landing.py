"""Landing: the same bytes once, nothing half, nothing lost."""

import hashlib
import os
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from sensors_ingest.landing import LandedFile, Landing, LandingDamaged


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path / "landing")


def land(landing: Landing, content: bytes, day: date | None = None, address: str = "a.ndjson") -> LandedFile:
    return landing.write("uplinks", [content[:3], content[3:]], address=address, suffix="ndjson", day=day)


def everything(landing: Landing) -> list[str]:
    return sorted(path.name for path in landing.root.rglob("*") if path.is_file())


def test_bytes_come_back_as_sent(landing: Landing) -> None:
    content = bytes(range(256)) * 10_000
    file = land(landing, content)
    assert landing.read(file) == content
    assert b"".join(landing.chunks(file, chunk_bytes=1000)) == content
    assert file.landing_id == hashlib.sha256(content).hexdigest()
    assert file.size == len(content)
    assert file.path.stat().st_size < len(content) / 10
    assert file.is_new


def test_empty_answer_lands(landing: Landing) -> None:
    assert landing.read(land(landing, b"")) == b""


def test_same_bytes_are_one_file_and_keep_their_first_time(landing: Landing) -> None:
    first = land(landing, b"the same")
    second = land(landing, b"the same", address="elsewhere")
    assert (second.is_new, second.address, second.fetched_at) == (False, "a.ndjson", first.fetched_at)
    assert len(everything(landing)) == 2


def test_what_the_sidecar_holds_survives(landing: Landing) -> None:
    made = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    written = landing.write("smhi", [b"x"], address="data.json", suffix="json", day=date(2026, 1, 1), source_time=made)
    [read] = landing.files("smhi")
    assert (read.path, read.day, read.source_time, read.fetched_at) == (
        written.path,
        date(2026, 1, 1),
        made,
        written.fetched_at,
    )
    assert read.received_at == made
    assert land(landing, b"y").received_at == landing.files("uplinks")[0].fetched_at
    ahead = datetime(2100, 1, 1, tzinfo=UTC)
    told = landing.write("smhi", [b"z"], address="data.json", suffix="json", source_time=ahead)
    assert (told.source_time, told.received_at) == (ahead, told.fetched_at)


def test_crash_in_the_stream_leaves_nothing(landing: Landing) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half of it"
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        landing.write("uplinks", broken(), address="a", suffix="ndjson")
    assert everything(landing) == []
    assert landing.files("uplinks") == []


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What was synced, in order; fails when something gets its name whose content was not."""
    synced: list[Path] = []
    replace, fsync = os.replace, os.fsync

    def note(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    def name(content: Path, place: Path) -> None:
        assert content in synced, f"{place.name} is empty after a power cut"
        replace(content, place)
        while place.parent in synced:
            synced.remove(place.parent)

    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(os, "replace", name)
    return synced


def test_what_has_landed_survives_a_power_cut(landing: Landing, disk: list[Path]) -> None:
    file = land(landing, b"x" * 1000, date(2026, 1, 1))
    day, source = file.path.parent, file.path.parent.parent
    assert {day, source, landing.root, landing.root.parent} <= set(disk)
    disk.clear()
    land(landing, b"x" * 1000, date(2026, 1, 1))
    assert disk == [day]
    landing.note_sent("uplinks", [date(2026, 1, 1)], [file])
    assert source in disk


def test_days_filter_keeps_snapshots(landing: Landing) -> None:
    first = land(landing, b"1", date(2026, 1, 1))
    land(landing, b"2", date(2026, 1, 2))
    snapshot = land(landing, b"s")
    chosen = {file.landing_id for file in landing.files("uplinks", [date(2026, 1, 1), date(2026, 1, 3)])}
    assert chosen == {first.landing_id, snapshot.landing_id}
    assert len(landing.files("uplinks")) == 3
    assert landing.files("nobody") == []


def test_same_bytes_on_two_days_are_two_deliveries(landing: Landing) -> None:
    assert land(landing, b"1", date(2026, 1, 1)).is_new
    assert land(landing, b"1", date(2026, 1, 2)).is_new


def test_leftover_without_sidecar_is_written_again(landing: Landing) -> None:
    file = land(landing, b"whole content")
    file.path.with_name(f"{file.landing_id}.json").unlink()
    file.path.write_bytes(b"torn")
    assert landing.files("uplinks") == []
    again = land(landing, b"whole content")
    assert again.is_new
    assert landing.read(again) == b"whole content"


def test_two_writers_at_once(landing: Landing) -> None:
    contents = [b"shared" * 1000, *(f"own {number}".encode() * 1000 for number in range(4))]
    start = threading.Barrier(8)

    def write() -> None:
        start.wait()
        for content in contents:
            land(landing, content)

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    files = landing.files("uplinks")
    assert sorted(landing.read(file) for file in files) == sorted(contents)
    assert len(everything(landing)) == 2 * len(contents)


def test_two_runs_that_note_other_days_at_once_lose_none(landing: Landing) -> None:
    days = [date(2026, 1, number) for number in range(1, 31)]
    files = {day: land(landing, b"x", day) for day in days}
    landing.note_sent("uplinks", days, [])

    def note(chosen: list[date]) -> None:
        for day in chosen:
            landing.note_sent("uplinks", [day], [files[day]])

    threads = [threading.Thread(target=note, args=(days[start::3],)) for start in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [day for day in days if not landing.is_still_sent(files[day])] == []


def test_only_sidecars_of_wanted_files_are_opened(landing: Landing) -> None:
    old, new = land(landing, b"old", date(2026, 1, 1)), land(landing, b"new", date(2026, 1, 1))
    old.path.with_name(f"{old.landing_id}.json").write_text("opening this would fail")
    assert [file.landing_id for file in landing.files("uplinks", wanted={new.landing_id}.__contains__)] == [
        new.landing_id
    ]
    assert landing.count("uplinks") == landing.count("uplinks", [date(2026, 1, 1)]) == 2
    assert landing.count("uplinks", [date(2026, 1, 2)]) == landing.count("nobody") == 0


def test_what_was_sent_last_is_found_without_opening_the_rest(landing: Landing) -> None:
    old, new = land(landing, b"old"), land(landing, b"new")
    assert landing.sent_snapshot("uplinks") == landing.files("uplinks")
    landing.note_sent("uplinks", [], [new])
    old.path.with_name(f"{old.landing_id}.json").write_text("opening this would fail")
    assert [file.landing_id for file in landing.sent_snapshot("uplinks")] == [new.landing_id]


@pytest.mark.parametrize("kept", [0, 100, -1])
def test_a_file_that_lost_its_end_is_told_and_not_read_as_a_short_one(landing: Landing, kept: int) -> None:
    file = land(landing, bytes(range(256)) * 1000)
    file.path.write_bytes(file.path.read_bytes()[:kept])
    with pytest.raises(LandingDamaged, match=f"{file.landing_id}.ndjson.zst .*of 256000 bytes"):
        landing.read(file)


def test_a_sidecar_that_cannot_be_read_is_told(landing: Landing) -> None:
    file = land(landing, b"x")
    sidecar = file.path.with_name(f"{file.landing_id}.json")
    for content in ("", "[]", "{}"):
        sidecar.write_text(content, encoding="utf-8")
        with pytest.raises(LandingDamaged, match=f"{file.landing_id}.json "):
            landing.files("uplinks")


def test_a_note_of_what_was_sent_that_cannot_be_read_is_told(landing: Landing) -> None:
    file = land(landing, b"x")
    for content in ("", "[1]"):
        (landing.root / "uplinks" / "sent.json").write_text(content, encoding="utf-8")
        with pytest.raises(LandingDamaged, match=r"sent.json "):
            landing.is_still_sent(file)
