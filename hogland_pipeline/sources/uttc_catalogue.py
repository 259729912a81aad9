"""The UTTC catalogue of twin-transition solutions: a listing with its detail pages, or one JSON document.

A snapshot is one landing file. Pages land together as NDJSON, one line per page with its address, status,
encoding and body: ``body`` encoded by ``encoding`` is to the byte what the site sent, and a snapshot is never
half of one day and half of another. A JSON catalogue lands as it is.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
from hogland_pipeline.sources.uttc_site import Page, Site
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
    decoder_version: str = "1"

    def fetch(self, landing: Landing, days: Sequence[date] = ()) -> list[LandedFile]:
        """Land one snapshot; a catalogue that has not changed lands as the file it landed as before.

        Raises ``SourceUnreachable``, and ``MalformedPage`` when the listing or the document shows no
        solution; then nothing lands. A solution's page that is gone lands as such.
        """
        site = Site(self.name, self.origin, self.delay_seconds)
        if self.form == "json":
            content = site.document()
            read_document(site.address, content)
            return [landing.write(self.name, [content], address=site.address, suffix="json")]
        lines = [json.dumps(page._asdict(), ensure_ascii=False).encode() + b"\n" for page in site.pages()]
        return [landing.write(self.name, lines, address=site.address, suffix="ndjson")]

    def decode(self, landing: Landing, files: Sequence[LandedFile]) -> Iterator[pa.RecordBatch]:
        """Solutions as ``UTTC_SOLUTION_SCHEMA``: one row per entry, broken ones with their reason."""
        for file in files:
            entries = _document_rows if file.path.name.endswith(".json.zst") else _page_rows
            rows = [
                row
                | {
                    "snapshot_at": file.received_at,
                    "received_at": file.received_at,
                    "landing_id": file.landing_id,
                    "landing_row": landing_row,
                }
                for landing_row, row in entries(file, landing.read(file))
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


def _page_rows(file: LandedFile, content: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    for line_number, line in enumerate(content.splitlines(), start=1):
        page = Page(**json.loads(line))
        if page.role == "solution":
            yield line_number, _page_row(page)


def _page_row(page: Page) -> dict[str, Any]:
    try:
        if page.status != 200:
            raise MalformedPage(page.url, f"the page answered HTTP {page.status}")
        return _solution_row(read_solution_page(page.url, page.html))
    except (MalformedPage, UnknownWord) as error:
        return _reject(page.url, error, page.body)


def _document_rows(file: LandedFile, content: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, record in enumerate(read_document(file.address, content), start=1):
        url = record.get("url") if isinstance(record, dict) else None
        url = url if isinstance(url, str) else None
        try:
            yield number, _solution_row(read_document_entry(url or f"{file.address} entry {number}", record))
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
