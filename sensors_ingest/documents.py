# ruff: noqa: S608 - SQL is put together from the SQL of the feeds, which are constants and quoted settings
"""Feeds that answer in JSON documents: many answers in one landing file, and how their SQL is run over each.

Answers to one question are kept in one file, each as it was sent, as a JSON text sequence (RFC 7464): a record
separator before it and a line feed after it. A delivered ``.json`` file is a single document.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import duckdb
import pyarrow as pa

from sensors_ingest import deliveries, http
from sensors_ingest.candidates import LONGEST_SOURCE_ROW, SAID, complete, open_connection
from sensors_ingest.landing import LandedFile, Landing
from sensors_ingest.units import Scale

SEQUENCE: Final = "json-seq"
RECORD_SEPARATOR: Final = b"\x1e"
DELIVERED: Final = (".json", ".jsonld", f".{SEQUENCE}")


@dataclass(frozen=True)
class Grammar:
    """How to read the documents of a feed, in SQL over the table ``document`` (one row, ``body`` JSON).

    ``is_answer`` tells an ``answer`` from an error; ``said`` yields the columns of ``candidates.SAID``. The statements
    keep what one document says about those that follow in its file; an error says nothing of them, so what was kept is
    forgotten (``before_file`` is run again).
    """

    answer: str
    is_answer: str
    said: str
    qualities: Mapping[str, str] = field(default_factory=dict)
    before_file: Sequence[str] = ()
    before_document: Sequence[str] = ()


def as_record(answer: Iterable[bytes]) -> Iterator[bytes]:
    """One answer as a record of a sequence."""
    yield RECORD_SEPARATOR
    yield from answer
    yield b"\n"


def documents(landing: Landing, file: LandedFile) -> Iterator[str]:
    """The JSON texts of a landing file, one at a time; bytes that are not UTF-8 become U+FFFD.

    A record without a text is an answer that said nothing, such as a bare 404; between two separators there is none,
    nor before the first.
    """
    pending, is_record = b"", False
    for chunk in landing.chunks(file):
        *whole, pending = (pending + chunk).split(RECORD_SEPARATOR)
        for content in whole:
            if (text := _text(content)) or (is_record and content):
                yield text
            is_record = True
    if (text := _text(pending)) or (is_record and pending):
        yield text


def _text(content: bytes) -> str:
    return content.decode("utf-8", errors="replace").strip("\ufeff \t\r\n")


def decode(
    feed: str, landing: Landing, files: Iterable[LandedFile], grammar: Grammar, scales: Sequence[Scale]
) -> Iterator[pa.RecordBatch]:
    """Candidate readings of ``files``; rows are numbered through each. Never raises on what the documents hold."""
    with open_connection(scales) as connection:
        for file in files:
            _execute(connection, grammar.before_file)
            read = 0
            for text in documents(landing, file):
                _take(connection, grammar, text)
                said = f"SELECT * REPLACE (landing_row + {read} AS landing_row) FROM found"
                yield from complete(connection, feed, file, said, grammar.qualities)
                read += _last_row(connection)


def _take(connection: duckdb.DuckDBPyConnection, grammar: Grammar, text: str) -> None:
    """Table ``found``: what one document says. One that is no answer at all is a reject with the message in it."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE document AS SELECT CASE WHEN json_valid($text) THEN $text::JSON END AS body",
        {"text": text},
    )
    columns = ", ".join(f"{name} {kind}" for name, kind in SAID.items())
    connection.execute(f"CREATE OR REPLACE TEMP TABLE found ({columns})")
    if _is_answer(connection, grammar):
        _execute(connection, grammar.before_document)
        connection.execute(f"INSERT INTO found BY NAME {grammar.said}")
        return
    _execute(connection, grammar.before_file)
    start = text[:LONGEST_SOURCE_ROW]
    message = http.error_message(start.encode())[: http.LONGEST_ERROR_TEXT] or "nothing"
    connection.execute(
        "INSERT INTO found BY NAME SELECT 1 AS landing_row, $reason AS reject_reason, $start AS source_row",
        {"reason": f"no {grammar.answer} but: {message}", "start": start},
    )


def _execute(connection: duckdb.DuckDBPyConnection, statements: Iterable[str]) -> None:
    for statement in statements:
        connection.execute(statement)


def _is_answer(connection: duckdb.DuckDBPyConnection, grammar: Grammar) -> bool:
    row = connection.execute(f"SELECT coalesce({grammar.is_answer}, false) FROM document").fetchone()
    return bool(row and row[0])


def _last_row(connection: duckdb.DuckDBPyConnection) -> int:
    row = connection.execute("SELECT coalesce(max(landing_row), 0) FROM found").fetchone()
    return int(row[0]) if row else 0


def land_delivered(landing: Landing, source: str, origin: http.Folder) -> list[LandedFile]:
    """Land every ``.json``, ``.jsonld`` and ``.json-seq`` file of a drop folder, as snapshots."""
    folder = http.folder_path(source, origin)
    paths = sorted(path for path in folder.iterdir() if path.suffix in DELIVERED and path.is_file())
    return [
        landing.write(source, deliveries.content(source, path), address=path.name, suffix=path.suffix[1:])
        for path in paths
    ]


def next_address(source: str, url: str, link: str) -> str:
    """Where ``link``, found in an answer from ``url``, leads. Another origin is refused: it would be sent our token."""
    following = urljoin(url, link)
    if urlsplit(following)[:2] != urlsplit(url)[:2]:
        there = http.without_secrets(following)
        raise http.SourceUnreachable(source, http.without_secrets(url), f"its next page is elsewhere, at {there}")
    return following


def load_answer(source: str, url: str, content: bytes) -> Any:
    """An answer that must be JSON to go on (its next page, its cursor). Raises ``SourceUnreachable``."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise http.SourceUnreachable(source, http.without_secrets(url), "the answer is not JSON") from None
