"""Fetching uplinks: from delivered files and from the Storage Integration; whole days or nothing."""

import gzip
import json
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from sensors_ingest.days import local_day
from sensors_ingest.devices import Device
from sensors_ingest.http import Folder, HttpOrigin, SourceUnreachable
from sensors_ingest.landing import Landing
from sensors_ingest.the_things_stack import TheThingsStack
from tests.servers import Answer, Request, Scripted, StorageIntegration, serve, things_stack_error

DAY = date(2026, 1, 5)
TOKEN = "NNSXS.VERYSECRET"


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path / "landing")


def from_folder(folder: Path) -> TheThingsStack:
    return TheThingsStack("uplinks", Folder(folder), devices=())


def from_address(url: str, page_size: int = 1000, token: str = TOKEN) -> TheThingsStack:
    return TheThingsStack(
        "uplinks", HttpOrigin(url, SecretStr(token)), devices=(), application="snow", page_size=page_size
    )


def received_at(moment: datetime) -> str:
    return json.dumps({"received_at": moment.isoformat(), "uplink_message": {}})


def lines_of(landing: Landing, source: TheThingsStack, day: date = DAY) -> list[str]:
    [file] = source.fetch(landing, [day])
    assert file.day == day
    return [line for line in landing.read(file).decode().split("\n") if line]


def test_device_with_an_unknown_decoder_is_refused() -> None:
    with pytest.raises(ValueError, match="No decoder profile is called elysian"):
        TheThingsStack("uplinks", Folder(Path()), (Device("A81758FFFE04A001", "elysian"),))


def test_another_device_list_is_another_decoder() -> None:
    one, two = Device("A81758FFFE04A001", "elsys"), Device("A81758FFFE04A002", "elsys")
    versions = [
        TheThingsStack("uplinks", Folder(Path()), devices).decoder_version
        for devices in [(one,), (one, two), (two, one)]
    ]
    assert versions[0] != versions[1] == versions[2]


def test_folder_lands_the_days_asked_for_uncompressed(tmp_path: Path, landing: Landing) -> None:
    (tmp_path / "2026-01-05.ndjson").write_bytes(b"plain\n")
    (tmp_path / "2026-01-06-afternoon.ndjson.gz").write_bytes(gzip.compress(b"packed\n"))
    (tmp_path / "2026-01-07.ndjson").write_bytes(b"later\n")
    (tmp_path / "README.md").write_text("not a delivery")
    files = from_folder(tmp_path).fetch(landing, [DAY, date(2026, 1, 6), date(2026, 2, 1)])
    assert [(file.day, file.address, landing.read(file)) for file in files] == [
        (DAY, "2026-01-05.ndjson", b"plain\n"),
        (date(2026, 1, 6), "2026-01-06-afternoon.ndjson.gz", b"packed\n"),
    ]


def test_folder_again_lands_nothing_new(tmp_path: Path, landing: Landing) -> None:
    (tmp_path / "2026-01-05.ndjson").write_bytes(b"plain\n")
    assert [file.is_new for _ in range(2) for file in from_folder(tmp_path).fetch(landing, [DAY])] == [
        True,
        False,
    ]


def test_missing_folder(tmp_path: Path, landing: Landing) -> None:
    with pytest.raises(SourceUnreachable, match="the folder does not exist"):
        from_folder(tmp_path / "none").fetch(landing, [DAY])


def test_file_without_its_day_is_named(tmp_path: Path, landing: Landing) -> None:
    (tmp_path / "uplinks.ndjson").write_bytes(b"x")
    with pytest.raises(SourceUnreachable, match=r"uplinks\.ndjson.*does not start with the day of delivery"):
        from_folder(tmp_path).fetch(landing, [DAY])


@pytest.mark.parametrize(
    "content",
    [gzip.compress(b"x" * 1000, mtime=0)[:-9], b"not gzip", gzip.compress(b"x", mtime=0)[:-4] + b"0000"],
    ids=["cut", "something else", "wrong checksum"],
)
def test_broken_gzip_lands_nothing(tmp_path: Path, landing: Landing, content: bytes) -> None:
    (tmp_path / "2026-01-05.ndjson.gz").write_bytes(content)
    with pytest.raises(SourceUnreachable, match=r"2026-01-05\.ndjson\.gz.*cannot be read"):
        from_folder(tmp_path).fetch(landing, [DAY])
    assert landing.files("uplinks") == []


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 1, 5), 24)])
def test_days_are_local(day: date, hours: int) -> None:
    start, end = local_day(day, "Europe/Stockholm")
    assert end.astimezone(UTC) - start.astimezone(UTC) == timedelta(hours=hours)
    assert start.astimezone(UTC).hour in (22, 23)


START = datetime(2026, 1, 4, 23, tzinfo=UTC)


@pytest.mark.parametrize(("page_size", "largest_page"), [(1000, 1000), (7, 1000), (1000, 7), (25, 25), (2, 2)])
def test_every_uplink_of_the_day_comes_whatever_the_pages(landing: Landing, page_size: int, largest_page: int) -> None:
    inside = [received_at(START + timedelta(minutes=minute)) for minute in range(0, 24 * 60, 29)]
    outside = [received_at(START - timedelta(seconds=1)), received_at(START + timedelta(days=1))]
    server = StorageIntegration("snow", TOKEN, inside + outside, largest_page)
    with serve(server) as url:
        lines = lines_of(landing, from_address(url, page_size))
    assert set(lines) == {f'{{"result":{line}}}' for line in inside}
    assert server.requests[0].query["order"] == "received_at"


def test_uplinks_of_one_moment_are_not_split_by_a_page(landing: Landing) -> None:
    moments = [START + timedelta(seconds=s) for s in (1, 2, 2, 2, 3)]
    lines = [received_at(moment).replace("{}", str(number)) for number, moment in enumerate(moments)]
    with serve(StorageIntegration("snow", TOKEN, lines)) as url:
        assert len(set(lines_of(landing, from_address(url, page_size=4)))) == 5


def test_more_uplinks_in_a_moment_than_a_page_holds_is_an_error_not_a_loss(landing: Landing) -> None:
    lines = [received_at(START + timedelta(seconds=1)).replace("{}", str(number)) for number in range(5)]
    with (
        serve(StorageIntegration("snow", TOKEN, lines)) as url,
        pytest.raises(SourceUnreachable, match="within one millisecond"),
    ):
        from_address(url, page_size=4).fetch(landing, [DAY])


def test_day_without_uplinks_lands_empty(landing: Landing) -> None:
    with serve(StorageIntegration("snow", TOKEN, [])) as url:
        assert lines_of(landing, from_address(url)) == []


def test_fetching_again_lands_the_same_bytes(landing: Landing) -> None:
    server = StorageIntegration("snow", TOKEN, [received_at(START + timedelta(hours=hour)) for hour in range(9)])
    with serve(server) as url:
        files = [from_address(url, page_size=4).fetch(landing, [DAY])[0] for _ in range(2)]
    assert [file.is_new for file in files] == [True, False]
    assert TOKEN not in files[0].address
    assert "?" not in files[0].address


def test_wrong_key_says_what_the_server_said_and_no_more(landing: Landing) -> None:
    with serve(StorageIntegration("snow", "other", [])) as url, pytest.raises(SourceUnreachable) as caught:
        from_address(url).fetch(landing, [DAY])
    assert "HTTP 401" in str(caught.value)
    assert "unauthenticated" in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_rate_limit_between_pages_is_waited_out(landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    server = StorageIntegration("snow", TOKEN, [received_at(START + timedelta(hours=hour)) for hour in range(9)])
    calls = iter(range(100))

    def limited(request: Request) -> Answer:
        is_limited = next(calls) == 1
        return Answer(429, things_stack_error(8, "rate limit"), {"Retry-After": "3"}) if is_limited else server(request)

    with serve(limited) as url:
        assert len(set(lines_of(landing, from_address(url, page_size=4)))) == 9
    assert waits == [3]


LINE = f'{{"result":{received_at(START + timedelta(hours=1))}}}\n'.encode()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(body=LINE + b'\n{"error":{"code":4,"message":"deadline exceeded"}}\n'), "deadline exceeded"),
        (Answer(body=LINE + LINE[:20]), "broke off inside a line"),
        (Answer(body=LINE * 1000, is_cut=True), "broke off"),
        (Answer(body=b'{"result":{"uplink_message":{}}}\n'), "says not when it was received"),
        (Answer(body=b'{"result":null}\n'), "says not when it was received"),
        (Answer(body=b'{"result":[{}]}\n'), "says not when it was received"),
        (Answer(body=b'{"result":{"received_at":"9999-12-31T23:59:59-10:00"}}\n'), "says not when it was received"),
        (Answer(body=b"[" * 100_000), "broke off inside a line"),
        (Answer(body=b'{"error":' + b"[" * 100_000), "ended the answer with an error"),
        (Answer(404, things_stack_error(5, "application not found")), "HTTP 404 .*application not found"),
    ],
)
def test_answer_that_is_not_whole_lands_nothing(landing: Landing, answer: Answer, reason: str) -> None:
    with serve(Scripted(answer)) as url, pytest.raises(SourceUnreachable, match=reason):
        from_address(url).fetch(landing, [DAY])
    assert landing.files("uplinks") == []
    assert [path for path in landing.root.rglob("*") if path.is_file()] == []


def test_page_whose_last_uplink_has_no_own_time_uses_the_networks(landing: Landing) -> None:
    line = {
        "received_at": "0001-01-01T00:00:00Z",
        "uplink_message": {"received_at": "2026-01-05T10:00:00.123456789Z"},
    }
    pages = Scripted(Answer(body=json.dumps({"result": line}).encode()), Answer())
    with serve(pages) as url:
        assert len(lines_of(landing, from_address(url))) == 1
    assert pages.requests[1].query["after"] == "2026-01-05T10:00:00.122456Z"
