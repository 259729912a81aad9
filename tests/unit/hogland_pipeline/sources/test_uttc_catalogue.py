"""The catalogue from saved pages, from a site and from JSON, whole and broken."""

import hashlib
import json
import re
import shutil
import threading
import time
from collections.abc import Iterator
from datetime import date
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import SecretStr

from hogland_pipeline.sources import uttc_site
from hogland_pipeline.sources.uttc_catalogue import UTTC_SOLUTION_SCHEMA, UttcCatalogue
from hogland_pipeline.sources.uttc_pages import MalformedPage
from sensors_ingest.http import Folder, HttpOrigin, SourceUnreachable
from sensors_ingest.landing import Landing

SAMPLE = Path(__file__).parents[4] / "samples" / "uttc_catalogue"
LANDING_COLUMNS = {"snapshot_at", "received_at", "landing_id", "landing_row"}
HAMMARBY = "2025/08/20/digital-varmestyrning-hammarby-sjostad"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SAMPLE, tmp_path / "catalogue"))


def solutions(source: UttcCatalogue, landing: Landing) -> list[dict[str, Any]]:
    files = source.fetch(landing)
    rows: list[dict[str, Any]] = pa.Table.from_batches(source.decode(landing, files), UTTC_SOLUTION_SCHEMA).to_pylist()
    return rows


def rejects(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["reject_reason"]]


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize("form", ["html", "json"])
def test_sample_holds_the_nine_published_solutions(landing: Landing, form: Any) -> None:
    rows = solutions(UttcCatalogue(Folder(SAMPLE), form), landing)
    assert not rejects(rows)
    published = {
        (row["stage"], row["published_date"], effect["qualifier"], effect["value"], effect["unit"])
        for row in rows
        for effect in row["effects"] or [{"qualifier": None, "value": None, "unit": None}]
    }
    assert len(rows) == 9
    assert published == {
        ("identified", date(2025, 5, 6), None, None, None),
        ("identified", date(2025, 11, 4), None, None, None),
        ("identified", date(2025, 11, 4), "more_than", 20, "percent"),
        ("analysed", None, "about", 300, "MSEK"),
        ("analysed", None, None, -19, "h/week"),
        ("analysed", date(2025, 7, 2), "about", 1400, "t CO2/yr"),
        ("analysed", date(2025, 4, 7), "up_to", 50, "t CO2e/yr"),
        ("analysed", date(2025, 8, 20), None, -38, "percent"),
    }
    (familjebostader,) = (row for row in rows if row["object_count"])
    assert (familjebostader["object_count"], familjebostader["object_count_qualifier"]) == (500, "more_than")


def test_pages_and_document_give_the_same_rows(landing: Landing) -> None:
    pages, document = (
        [
            {column: value for column, value in row.items() if column not in LANDING_COLUMNS}
            for row in solutions(UttcCatalogue(Folder(SAMPLE), form), landing)
        ]
        for form in ("html", "json")
    )
    assert pages == document


def test_a_snapshot_is_dated_by_its_landing_and_keeps_the_bytes(landing: Landing, folder: Path) -> None:
    latin = folder / HAMMARBY / "index.html"
    latin.write_bytes(latin.read_text(encoding="utf-8").replace("−38", "-38").encode("cp1252"))
    rows = solutions(UttcCatalogue(Folder(folder)), landing)
    (file,) = landing.files("uttc_catalogue")
    assert {row["snapshot_at"] for row in rows} == {file.received_at}
    assert not rejects(rows)
    lines = landing.read(file).splitlines()
    for row in rows:
        page = json.loads(lines[row["landing_row"] - 1])
        path = folder / row["url"].removeprefix("https://uttc.example.org/") / "index.html"
        assert page["url"] == row["url"]
        assert page["body"].encode(page["encoding"]) == path.read_bytes()
    (hammarby,) = (row for row in rows if "hammarby" in row["slug"])
    assert hammarby["title"] == "Värmen styrs digitalt i Hammarby Sjöstad"


def test_an_unchanged_catalogue_lands_once_and_a_changed_one_again(landing: Landing, folder: Path) -> None:
    source = UttcCatalogue(Folder(folder))
    assert [source.fetch(landing)[0].is_new for _ in range(2)] == [True, False]
    edit(folder / HAMMARBY / "index.html", "ANALYSERADE", "VALIDERADE")
    (second,) = source.fetch(landing)
    stages = [row["stage"] for batch in source.decode(landing, [second]) for row in batch.to_pylist()]
    assert second.is_new and stages.count("validated") == 1


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('class="entry-title"', 'class="headline"', r"selector 'article h1\.entry-title' found nothing"),
        ('class="cat-links"', 'class="tags"', r"selector 'article \.cat-links a' found nothing"),
        ('class="entry-summary"', 'class="lead"', r"selector 'article \.entry-summary' found nothing"),
        ("<li>Bostäder</li>", "", r"selector 'article \.transition-path li' found 2 of 3 steps"),
        ('class="effects"', 'class="impact"', r"selector 'article \.effects' found nothing"),
        ('class="effect-value"', 'class="number"', r"selector '\.effect-value' found nothing"),
        ("ANALYSERADE", "ARKIVERADE", "stage 'ARKIVERADE' is none of identified, analysed, validated"),
        ("August 20, 2025", "20 augusti 2025", "date '20 augusti 2025' is no date such as"),
        ("angiven", "gissad", "effect claim 'gissad' is none of claimed, estimated, measured"),
        (">annat<", ">allt<", "effect kind 'allt' is none of gross"),
    ],
)
def test_a_broken_page_is_one_reject_that_says_what_and_the_others_load(
    landing: Landing, folder: Path, old: str, new: str, reason: str
) -> None:
    edit(folder / HAMMARBY / "index.html", old, new)
    rows = solutions(UttcCatalogue(Folder(folder)), landing)
    (reject,) = rejects(rows)
    assert len(rows) == 9
    assert "hammarby" in reject["url"] and reject["title"] is None and reject["source_row"]
    assert re.search(reason, reject["reject_reason"])


def test_a_page_that_is_gone_or_half_is_one_reject(landing: Landing, folder: Path) -> None:
    (folder / HAMMARBY / "index.html").unlink()
    half = next(folder.glob("2025/07/02/*/index.html"))
    half.write_bytes(half.read_bytes()[:400])
    rows = solutions(UttcCatalogue(Folder(folder)), landing)
    gone, broken = (row["reject_reason"] for row in rejects(rows))  # in the listing's order
    assert len(rows) == 9
    assert "hammarby" in gone and "HTTP 404" in gone
    assert "orebrobostader" in broken and "selector" in broken


def test_a_listing_that_shows_nothing_is_an_error_and_nothing_lands(landing: Landing, folder: Path) -> None:
    edit(folder / "listing.html", 'class="entry-title"', 'class="headline"')
    with pytest.raises(MalformedPage, match=r"listing\.html: selector 'article \.entry-title a' found nothing"):
        UttcCatalogue(Folder(folder)).fetch(landing)
    assert landing.files("uttc_catalogue") == []


def test_links_to_other_sites_are_not_followed(landing: Landing, folder: Path) -> None:
    edit(
        folder / "listing.html",
        f"https://uttc.example.org/{HAMMARBY}/",
        f"https://other.example.org/{HAMMARBY}/",
    )
    rows = solutions(UttcCatalogue(Folder(folder)), landing)
    assert len(rows) == 8
    edit(folder / "listing.html", 'href="https://uttc.example.org/2025', 'href="https://other.example.org/2025')
    with pytest.raises(MalformedPage, match="none of 9 links"):
        UttcCatalogue(Folder(folder)).fetch(landing)


@pytest.mark.parametrize("content", ["", "<html>", '{"solutions": []}', '{"items": [1]}', '{"solutions": [{"url"'])
def test_a_document_without_solutions_is_an_error(landing: Landing, folder: Path, content: str) -> None:
    (folder / "catalogue.json").write_text(content)
    with pytest.raises(MalformedPage, match="catalogue"):
        UttcCatalogue(Folder(folder), "json").fetch(landing)
    assert landing.files("uttc_catalogue") == []


def test_a_broken_document_entry_is_one_reject(landing: Landing, folder: Path) -> None:
    path = folder / "catalogue.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    del document["solutions"][0]["transition_path"]["sector"]
    document["solutions"][1]["effects"][0]["value"] = "many"
    document["solutions"][2]["url"] = "https://uttc.example.org/about"
    document["solutions"][3] = None
    document["solutions"][8]["objects"] = "some"
    path.write_text(json.dumps(document), encoding="utf-8")
    rows = solutions(UttcCatalogue(Folder(folder), "json"), landing)
    reasons = [row["reject_reason"] for row in rejects(rows)]
    expected = [
        "transition_path.sector",
        "effects.0.value",
        "not /YYYY/MM/DD/slug",
        "entry 4",
        "'some' is no number",
    ]
    assert len(rows) == 9
    assert all(part in reason for part, reason in zip(expected, reasons, strict=True))


def test_an_optional_part_that_vanished_everywhere_is_noted(landing: Landing, folder: Path) -> None:
    source = UttcCatalogue(Folder(folder))
    assert source.notes(landing, source.fetch(landing)) == []
    for page in folder.glob("2025/**/index.html"):
        page.write_text(page.read_text(encoding="utf-8").replace("entry-date", "posted-on"), encoding="utf-8")
    (note,) = source.notes(landing, source.fetch(landing))
    assert "selector 'article time.entry-date'" in note.message


@pytest.mark.parametrize("form", ["html", "json"])
def test_a_missing_folder_or_file_is_unreachable(landing: Landing, tmp_path: Path, form: Any) -> None:
    for place in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(SourceUnreachable, match="uttc_catalogue"):
            UttcCatalogue(Folder(place), form).fetch(landing)


class Site(SimpleHTTPRequestHandler):
    """The sample as a site: absolute addresses become its own; it remembers what was asked, and when."""

    asked: list[tuple[str, float]]
    answers: dict[str, int]
    unchanged: list[str]

    def do_GET(self) -> None:
        self.asked.append((self.path, time.monotonic()))
        status = self.answers.get(self.path.removesuffix("?key=s3cret"), 200)
        path = Path(self.directory) / self.path.split("?")[0].strip("/")
        file = path / "index.html" if path.is_dir() else path
        host = f"http://{self.headers['Host']}"
        content = file.read_bytes().replace(b"https://uttc.example.org", host.encode()) if file.is_file() else b""
        etag = f'"{hashlib.sha256(content).hexdigest()}"'
        if content and self.headers["If-None-Match"] == etag:
            self.unchanged.append(self.path)
            status, content = 304, b""
        self.send_response(status if content or status == 304 else 404)
        self.send_header("ETag", etag)
        if status == 302:
            self.send_header("Location", f"http://localhost:{self.server.server_port}{self.path}?moved")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(folder: Path) -> Iterator[tuple[str, type[Site]]]:
    handler = type("OwnSite", (Site,), {"asked": [], "answers": {}, "unchanged": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", handler
        server.shutdown()


def test_a_site_is_read_page_by_page_with_pauses(landing: Landing, site: tuple[str, type[Site]]) -> None:
    address, handler = site
    source = UttcCatalogue(HttpOrigin(f"{address}/listing.html?key=s3cret", SecretStr("t0ken")), delay_seconds=0.05)
    rows = solutions(source, landing)
    assert len(rows) == 9 and not rejects(rows)
    assert {row["url"].rsplit("/", 5)[0] for row in rows} == {address}
    assert handler.asked[0][0] == "/robots.txt"
    times = [moment for _, moment in handler.asked]
    assert len(times) == 11
    assert min(later - earlier for earlier, later in pairwise(times)) >= 0.05
    assert landing.files("uttc_catalogue")[0].address == f"{address}/listing.html"


def test_further_listing_pages_are_read_once(landing: Landing, folder: Path, site: tuple[str, type[Site]]) -> None:
    listing = (folder / "listing.html").read_text(encoding="utf-8")
    cards = listing.split("<article")
    first, second = "<article".join(cards[:6]), cards[0] + "<article" + "<article".join(cards[5:])
    (folder / "listing.html").write_text(first + '<a class="next page-numbers" href="page2.html">', encoding="utf-8")
    (folder / "page2.html").write_text(second + '<a class="next" href="listing.html">', encoding="utf-8")
    rows = solutions(UttcCatalogue(HttpOrigin(f"{site[0]}/listing.html"), delay_seconds=0), landing)
    assert len(rows) == 9 == len({row["url"] for row in rows})


def test_a_listing_without_end_is_an_error(
    landing: Landing, folder: Path, site: tuple[str, type[Site]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uttc_site, "MOST_LISTING_PAGES", 1)
    with (folder / "listing.html").open("a") as page:
        page.write('<a class="next" href="listing.html?page=2">')
    with pytest.raises(MalformedPage, match="more than 1 pages"):
        UttcCatalogue(HttpOrigin(f"{site[0]}/listing.html"), delay_seconds=0).fetch(landing)


def test_a_page_gone_from_the_site_is_a_reject_and_a_refused_one_an_error(
    landing: Landing, site: tuple[str, type[Site]]
) -> None:
    address, handler = site
    source = UttcCatalogue(HttpOrigin(f"{address}/listing.html"), delay_seconds=0)
    handler.answers[f"/{HAMMARBY}/"] = 410
    (reject,) = rejects(solutions(source, landing))
    assert "HTTP 410" in reject["reject_reason"]
    handler.answers[f"/{HAMMARBY}/"] = 403
    with pytest.raises(SourceUnreachable, match="403"):
        source.fetch(landing)
    assert len(landing.files("uttc_catalogue")) == 1


def test_a_redirect_to_another_site_is_an_error(landing: Landing, site: tuple[str, type[Site]]) -> None:
    address, handler = site
    handler.answers[f"/{HAMMARBY}/"] = 302
    with pytest.raises(SourceUnreachable, match=r"hammarby.*redirects to another site"):
        UttcCatalogue(HttpOrigin(f"{address}/listing.html"), delay_seconds=0).fetch(landing)
    assert landing.files("uttc_catalogue") == []


def test_a_document_at_an_address(landing: Landing, site: tuple[str, type[Site]]) -> None:
    rows = solutions(UttcCatalogue(HttpOrigin(f"{site[0]}/catalogue.json"), "json"), landing)
    assert len(rows) == 9 and not rejects(rows)


def test_pages_that_have_not_changed_are_not_sent_again(
    landing: Landing, folder: Path, site: tuple[str, type[Site]]
) -> None:
    address, handler = site
    source = UttcCatalogue(HttpOrigin(f"{address}/listing.html"), delay_seconds=0)
    (first,) = source.fetch(landing)
    (again,) = source.fetch(landing)
    assert len(handler.unchanged) == 10 and (again.landing_id, again.is_new) == (first.landing_id, False)
    edit(folder / HAMMARBY / "index.html", "ANALYSERADE", "VALIDERADE")
    (changed,) = source.fetch(landing)
    assert len(handler.unchanged) == 19 and changed.is_new
    rows = pa.Table.from_batches(source.decode(landing, [changed])).to_pylist()
    assert len(rows) == 9 and [row["stage"] for row in rows].count("validated") == 1


def test_robots_txt_is_kept_to(landing: Landing, folder: Path, site: tuple[str, type[Site]]) -> None:
    address, handler = site
    (folder / "robots.txt").write_text("User-agent: *\nDisallow: /2025/08/\nCrawl-delay: 1\n")
    document = UttcCatalogue(HttpOrigin(f"{address}/catalogue.json"), "json", delay_seconds=0)
    document.fetch(Landing(landing.root / "other"))
    (_, asked_for_rules), (_, asked_for_document) = handler.asked
    assert asked_for_document - asked_for_rules >= 1
    (folder / "robots.txt").write_text("User-agent: *\nDisallow: /2025/08/\n")
    (reject,) = rejects(solutions(UttcCatalogue(HttpOrigin(f"{address}/listing.html"), delay_seconds=0), landing))
    assert "robots.txt does not allow" in reject["reject_reason"] and "hammarby" in reject["url"]
    assert not any(HAMMARBY in path for path, _ in handler.asked)


@pytest.mark.parametrize("status", [200, 401, 403])
def test_a_site_that_allows_nothing_is_not_read(
    landing: Landing, folder: Path, site: tuple[str, type[Site]], status: int
) -> None:
    address, handler = site
    (folder / "robots.txt").write_text("User-agent: *\nDisallow: /\n")
    handler.answers["/robots.txt"] = status
    with pytest.raises(SourceUnreachable, match=r"robots\.txt does not allow"):
        UttcCatalogue(HttpOrigin(f"{address}/listing.html"), delay_seconds=0).fetch(landing)
    assert [path for path, _ in handler.asked] == ["/robots.txt"]


@pytest.mark.parametrize("form", ["html", "json"])
def test_a_catalogue_that_returns_to_an_earlier_state_is_a_snapshot_of_its_own(
    landing: Landing, folder: Path, form: Any
) -> None:
    source = UttcCatalogue(Folder(folder), form)
    document, page = folder / "catalogue.json", folder / HAMMARBY / "index.html"
    kept = {path: path.read_bytes() for path in (document, page)}
    landed = [*source.fetch(landing)]
    edit(page, "ANALYSERADE", "VALIDERADE")
    edit(document, "IDENTIFIERADE", "VALIDERADE")
    landed += source.fetch(landing)
    for path, content in kept.items():
        path.write_bytes(content)
    landed += [*source.fetch(landing), *source.fetch(landing)]
    assert [file.is_new for file in landed] == [True, True, True, False]
    assert len({file.landing_id for file in landed}) == 3
    first, last = (
        [
            {key: value for key, value in row.items() if key not in LANDING_COLUMNS}
            for batch in source.decode(landing, [file])
            for row in batch.to_pylist()
        ]
        for file in (landed[0], landed[2])
    )
    assert first == last


def test_landing_files_of_the_first_format_are_still_read(landing: Landing, folder: Path) -> None:
    source = UttcCatalogue(Folder(folder))
    (file,) = source.fetch(landing)
    lines = [json.loads(line) for line in landing.read(file).splitlines()[1:]]
    old = [json.dumps({key: line[key] for key in ("role", "url", "status", "encoding", "body")}) for line in lines]
    pages = landing.write("uttc_catalogue", ["\n".join(old).encode()], address="listing.html", suffix="ndjson")
    document = landing.write(
        "uttc_catalogue", [(folder / "catalogue.json").read_bytes()], address="catalogue.json", suffix="json"
    )
    counts = [len(pa.Table.from_batches(source.decode(landing, [each]))) for each in (pages, document)]
    assert counts == [9, 9]
