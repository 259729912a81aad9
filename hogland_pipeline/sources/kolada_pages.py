"""Kolada's API v3: asking in segments, following its pages on its own site only, noticing what was cut off."""

import re
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import duckdb
import polars as pl

from hogland_pipeline.sources.indicators import Answer, MalformedAnswer, as_lines, json_object
from sensors_ingest import http
from sensors_ingest.landing import LandedFile, Landing

API_PATH: Final = "/v3/"
IDS_PER_SEGMENT: Final = 25
ROWS_PER_PAGE: Final = 5000
MOST_PAGES: Final = 1000

METADATA, DATA, UNIT_DATA, GROUPS = "kpi", "data", "oudata", "municipality_groups"

# The lines of a snapshot, as a CTE: its address says what an answer is of.
LINES: Final = """
    WITH line AS (
        SELECT row_number() OVER () AS landing_row, json_extract_string(line, '$.address') AS address,
               json_extract_string(line, '$.body')::JSON AS body
        FROM (SELECT unnest(string_split(rtrim($content, chr(10)), chr(10))) AS line)
    )
"""


def metadata_paths(ids: Sequence[str], kind: str = METADATA) -> Iterator[str]:
    """Paths below the API's root for the metadata of key figures, or of another ``kind``."""
    for segment in _segments(ids):
        yield f"{kind}/{segment}"


def data_paths(
    kind: str, kpis: Sequence[str], segment: str, areas: Sequence[str], years: Sequence[int]
) -> Iterator[str]:
    """Paths for the data of key figures; ``segment`` is municipality (groups too) or ou. At most 25 ids a segment."""
    periods = [str(year) for year in years]
    for kpi_ids, area_ids, year_ids in product(_segments(kpis), _segments(areas), _segments(periods)):
        yield f"{kind}/kpi/{kpi_ids}/{segment}/{area_ids}/year/{year_ids}"


def _segments(ids: Sequence[str]) -> list[str]:
    return [",".join(ids[start : start + IDS_PER_SEGMENT]) for start in range(0, len(ids), IDS_PER_SEGMENT)]


def read_answers(source: str, origin: http.Origin, kind: str, paths: Sequence[str]) -> list[Answer]:
    """Every page of the ``paths`` from Kolada, or what is saved of ``kind``. Raises ``SourceUnreachable``."""
    match origin:
        case http.Folder():
            return list(saved_pages(source, http.folder_path(source, origin), kind))
        case http.HttpOrigin():
            return list(fetch_pages(source, origin, paths))


def group_members(answer: Answer) -> list[str]:
    """Codes of the members of every group in an answer of ``GROUPS``."""
    groups = json_object(answer)["values"]
    return [str(member["member_id"]) for group in groups for member in group.get("members") or ()]


def land_answers(landing: Landing, source: str, origin: http.Origin, answers: Sequence[Answer]) -> LandedFile:
    """One snapshot, a line an answer. Raises ``SourceUnreachable`` when there is none."""
    address = origin.path.name if isinstance(origin, http.Folder) else http.without_secrets(origin.url)
    if not answers:
        raise http.SourceUnreachable(source, address, "there are no answers of Kolada")
    return landing.write(source, as_lines(answers), address=address, suffix="ndjson")


def query_lines(sql: str, content: bytes) -> pl.DataFrame:
    """What a query that begins with ``LINES`` gives on a landed snapshot."""
    with duckdb.connect() as connection:
        return pl.DataFrame(connection.execute(sql, {"content": content.decode()}).to_arrow_table())


def fetch_pages(source: str, origin: http.HttpOrigin, paths: Sequence[str]) -> Iterator[Answer]:
    """Every page of every path. Raises ``SourceUnreachable``, also for pages that are fewer than Kolada counts."""
    with http.open_session(origin.token) as session:
        for path in paths:
            start = origin.url.rstrip("/") + API_PATH + path
            pages: list[Answer] = []
            url: str | None = f"{start}?per_page={ROWS_PER_PAGE}"
            while url:
                if len(pages) == MOST_PAGES:
                    raise http.SourceUnreachable(source, http.without_secrets(start), f"more than {MOST_PAGES} pages")
                with http.get(session, source, url) as answer:
                    text = b"".join(http.body(answer)).decode("utf-8", errors="replace")
                pages.append(Answer(path, text))
                url = _following(source, url, _page(source, pages[-1]))
            check_complete(source, pages)
            yield from pages


def saved_pages(source: str, folder: Path, kind: str) -> Iterator[Answer]:
    """Saved answers: ``kpi.json`` and the like, or their pages ``data-1.json``, ``data-2.json``, …"""
    chains: dict[str, list[tuple[int, Path]]] = {}
    for path in folder.glob("*.json"):
        named = re.fullmatch(rf"({kind}(?:-[a-z_]+)?)(?:-(\d+))?", path.stem)
        if named:
            chains.setdefault(named[1], []).append((int(named[2] or 1), path))
    for _, chain in sorted(chains.items()):
        pages = [Answer(path.name, path.read_text(encoding="utf-8-sig")) for _, path in sorted(chain)]
        check_complete(source, pages)
        yield from pages


def check_complete(source: str, pages: Sequence[Answer]) -> None:
    """Raise ``SourceUnreachable`` unless the pages of one request hold as many rows as Kolada says there are.

    ``count`` is the number of all rows; should it be that of the page alone, every page must say its own.
    """
    contents = [_page(source, page) for page in pages]
    last = contents[-1]
    # v2 called it next_page; reading the one name where the other is sent ends after the first page.
    if last.get("next_url") or last.get("next_page"):
        raise http.SourceUnreachable(source, pages[-1].address, "it names a next page that was not read")
    rows = [len(content["values"]) for content in contents]
    counts = [content.get("count") for content in contents]
    if counts != [sum(rows)] * len(rows) and counts != rows:
        raise http.SourceUnreachable(
            source, pages[0].address, f"the answer is cut off: Kolada counts {counts[0]} rows, {sum(rows)} came"
        )


def _page(source: str, answer: Answer) -> dict[str, Any]:
    try:
        content = json_object(answer)
    except MalformedAnswer as error:
        raise http.SourceUnreachable(source, answer.address, error.reason) from None
    if not isinstance(content.get("values"), list):
        raise http.SourceUnreachable(source, answer.address, "the answer has no list named values")
    return content


def _following(source: str, url: str, content: dict[str, Any]) -> str | None:
    following = content.get("next_url")
    if not following:
        return None
    target = urljoin(url, str(following))
    if urlsplit(target)[:2] != urlsplit(url)[:2]:
        raise http.SourceUnreachable(source, http.without_secrets(url), "its next page is on another site")
    if target == url:
        raise http.SourceUnreachable(source, http.without_secrets(url), "its next page is the page itself")
    return target
