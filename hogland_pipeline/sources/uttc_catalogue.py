"""The UTTC catalogue of twin-transition solutions: a listing with its detail pages, or one JSON document.

A snapshot is one landing file: NDJSON, first a line that names the snapshot before it, then one line per page (or one
for the document) with its address, status, encoding and body. ``body`` encoded by ``encoding`` is to the byte what the
site sent, and a snapshot is never half of one day and half of another. The first line makes a catalogue that returns to
an earlier state a snapshot of its own.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import pyarrow as pa

from hogland_pipeline.sources.notes import SourceNote
from hogland_pipeline.sources.uttc_pages import (
    DATE,
    EFFECT,
    SOLUTION_PATH,
    CatalogueEntry,
    MalformedPage,
    read_document,
    read_document_entry,
    read_solution_page,
)
from hogland_pipeline.sources.uttc_site import NOT_ALLOWED, Page, Site
from hogland_pipeline.sources.uttc_words import (
    CLAIMS,
    KINDS,
    QUALIFIERS,
    STAGES,
    UnknownWord,
    look_up,
    quantity_code,
    read_amount,
    read_date,
    unit_code,
)
from sensors_ingest.http import (
    Folder,
    HttpOrigin,
)
from sensors_ingest.landing import LandedFile, Landing
from sensors_ingest.readings import UTC_TIMESTAMP

EFFECT_TYPE: Final = pa.struct(
    [
        ("value", pa.float64()),
        ("unit", pa.string()),
        ("kind", pa.string()),
        ("claim", pa.string()),
        ("qualifier", pa.string()),
        ("quantity", pa.string()),
        ("description", pa.string()),
    ]
)
UTTC_SOLUTION_SCHEMA: Final = pa.schema(
    [
        ("url", pa.string()),
        ("slug", pa.string()),
        ("title", pa.string()),
        ("short_title", pa.string()),
        ("stage", pa.string()),
        ("published_date", pa.date32()),
        ("summary", pa.string()),
        ("transition_area", pa.string()),
        ("transition_sector", pa.string()),
        ("transition_kind", pa.string()),
        ("owner", pa.string()),
        ("effects", pa.list_(EFFECT_TYPE)),
        ("baseline_period", pa.string()),
        ("object_count", pa.int32()),
        ("object_count_qualifier", pa.string()),
        ("snapshot_at", UTC_TIMESTAMP),
        ("received_at", UTC_TIMESTAMP),
        ("landing_id", pa.string()),
        ("landing_row", pa.int64()),
        ("reject_reason", pa.string()),
        ("source_row", pa.string()),
    ]
)

SNAPSHOT: Final = "snapshot"

_LONGEST_SOURCE_ROW: Final = 2000


@dataclass(frozen=True)
class UttcCatalogue:
    """The catalogue in a folder (saved pages or ``catalogue.json``) or at its address (listing page or
    document).
    """

    origin: Folder | HttpOrigin
    form: Literal["html", "json"] = "html"
    name: str = "uttc_catalogue"
    delay_seconds: float = 1.0
    decoder_version: str = "2"

    def fetch(self, landing: Landing, days: Sequence[date] = ()) -> list[LandedFile]:
        """Land one snapshot; a catalogue that has not changed since the last one is that one's file.

        Raises ``SourceUnreachable``, and ``MalformedPage`` when the listing or the document shows no
        solution; then nothing lands. A solution's page that is gone lands as such.
        """
        latest = self._latest(landing)
        before = _pages(landing.read(latest)) if latest else []
        site = Site(
            self.name, self.origin, self.delay_seconds, {page.url: page for page in before if page.status == 200}
        )
        pages = list(site.pages() if self.form == "html" else [site.document()])
        if self.form == "json":
            read_document(site.address, pages[0].content)
        if latest and [_sent(page) for page in pages] == [_sent(page) for page in before]:
            return [replace(latest, is_new=False)]
        header = {"role": SNAPSHOT, "follows": latest.landing_id if latest else None}
        lines = [header, *(page._asdict() for page in pages)]
        content = [json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines]
        return [landing.write(self.name, content, address=site.address, suffix="ndjson")]

    def _latest(self, landing: Landing) -> LandedFile | None:
        return next(reversed(landing.files(self.name)), None)

    def decode(self, landing: Landing, files: Iterable[LandedFile]) -> Iterator[pa.RecordBatch]:
        """Solutions as ``UTTC_SOLUTION_SCHEMA``: one row per entry, broken ones with their reason."""
        for file in files:
            rows = [
                row
                | {
                    "snapshot_at": file.received_at,
                    "received_at": file.received_at,
                    "landing_id": file.landing_id,
                    "landing_row": landing_row,
                }
                for landing_row, row in _rows(file, landing.read(file))
            ]
            yield pa.RecordBatch.from_pylist(rows, schema=UTTC_SOLUTION_SCHEMA)

    def notes(self, landing: Landing, files: Sequence[LandedFile]) -> list[SourceNote]:
        """What no solution of a snapshot shows, though some may lack it: has the site changed there?"""
        optional = {"published_date": f"date (selector '{DATE}')", "effects": f"effect (selector '{EFFECT}')"}
        return [
            SourceNote(self.name, file.address, f"no solution shows any {what}: has the page changed?")
            for file in files
            for column, what in optional.items()
            if not any(row[column] for batch in self.decode(landing, [file]) for row in batch.to_pylist())
        ]


def _pages(content: bytes) -> list[Page]:
    """The pages of a landed snapshot; one of the first format has no line before them."""
    lines = [json.loads(line) for line in content.split(b"\n") if line]
    return [Page(**line) for line in lines if line["role"] != SNAPSHOT]


def _sent(page: Page) -> tuple[str, int, bytes]:
    return page.url, page.status, page.content


def _rows(file: LandedFile, content: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each row with its place: the line of its page, or the number of its entry in the document."""
    if file.path.name.endswith(".json.zst"):  # the first format: the document as it is
        yield from _document_rows(file.address, content)
        return
    for line_number, line in enumerate(content.split(b"\n"), start=1):
        record = json.loads(line) if line else {"role": SNAPSHOT}
        if record["role"] == "solution":
            yield line_number, _page_row(Page(**record))
        elif record["role"] == "document":
            yield from _document_rows(file.address, Page(**record).content)


def _page_row(page: Page) -> dict[str, Any]:
    try:
        if page.status == NOT_ALLOWED:
            raise MalformedPage(page.url, "the site's robots.txt does not allow to read it")
        if page.status != 200:
            raise MalformedPage(page.url, f"the page answered HTTP {page.status}")
        return _solution_row(read_solution_page(page.url, page.html))
    except (MalformedPage, UnknownWord) as error:
        return _reject(page.url, error, page.body)


def _document_rows(address: str, content: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, record in enumerate(read_document(address, content), start=1):
        url = record.get("url") if isinstance(record, dict) else None
        url = url if isinstance(url, str) else None
        try:
            yield number, _solution_row(read_document_entry(url or f"{address} entry {number}", record))
        except (MalformedPage, UnknownWord) as error:
            yield number, _reject(url, error, json.dumps(record, ensure_ascii=False))


def _solution_row(entry: CatalogueEntry) -> dict[str, Any]:
    path = SOLUTION_PATH.match(urlsplit(entry.url).path)
    if path is None:
        raise MalformedPage(entry.url, "the address is not /YYYY/MM/DD/slug")
    objects = read_amount(entry.objects) if entry.objects else None
    if entry.objects and (objects is None or objects.value != int(objects.value)):
        raise MalformedPage(entry.url, f"number of objects '{entry.objects}' is no number")
    return {
        "url": entry.url,
        "slug": path["slug"],
        "title": entry.title,
        "short_title": entry.short_title or entry.title,
        "stage": look_up(STAGES, entry.stage, "stage"),
        "published_date": read_date(entry.published) if entry.published else None,
        "summary": entry.summary,
        "transition_area": entry.transition_path.area,
        "transition_sector": entry.transition_path.sector,
        "transition_kind": entry.transition_path.kind,
        "owner": entry.owner,
        "effects": [_effect_row(effect.model_dump()) for effect in entry.effects],
        "baseline_period": entry.baseline_period,
        "object_count": int(objects.value) if objects else None,
        "object_count_qualifier": objects.qualifier if objects else None,
    }


def _effect_row(effect: dict[str, Any]) -> dict[str, Any]:
    qualifier = effect["qualifier"]
    return effect | {
        "quantity": quantity_code(effect["quantity"]),
        "unit": unit_code(effect["unit"]) if effect["unit"] else None,
        "kind": look_up(KINDS, effect["kind"], "effect kind"),
        "claim": look_up(CLAIMS, effect["claim"], "effect claim"),
        "qualifier": look_up(QUALIFIERS, qualifier, "qualifier") if qualifier else None,
    }


def _reject(url: str | None, error: Exception, source: str) -> dict[str, Any]:
    return {"url": url, "reject_reason": str(error), "source_row": source[:_LONGEST_SOURCE_ROW]}
