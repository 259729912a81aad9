"""What the sources of public indicators share: the rows they become, and the words those rows may hold.

A figure is one row of ``INDICATOR_VALUE_SCHEMA``; what a series is called, one of ``INDICATOR_SERIES_SCHEMA``; a group
of municipalities, one of ``AREA_GROUP_SCHEMA``. Missing, suppressed and confidential are three different things, and
none of them is 0: such rows have no value, and ``value_status`` says why.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

import pyarrow as pa

from sensors_ingest.readings import UTC_TIMESTAMP

OBSERVED, MISSING, SUPPRESSED, CONFIDENTIAL = "observed", "missing", "suppressed", "confidential"
VALUE_STATUSES: Final = (OBSERVED, MISSING, SUPPRESSED, CONFIDENTIAL)
TOTAL: Final = "total"
COUNTRY: Final = "0000"

_CANDIDATE_FIELDS: Final = (
    ("landing_row", pa.int64()),
    ("reject_reason", pa.string()),
    ("source_row", pa.string()),
)
INDICATOR_VALUE_SCHEMA: Final = pa.schema(
    [
        ("source", pa.string()),
        ("series_id", pa.string()),
        ("area_id", pa.string()),
        ("period", pa.string()),
        ("breakdown", pa.string()),
        ("value", pa.float64()),
        ("value_status", pa.string()),
        ("unit", pa.string()),
        ("vintage", pa.string()),
        ("released_at", UTC_TIMESTAMP),
        ("received_at", UTC_TIMESTAMP),
        ("landing_id", pa.string()),
        *_CANDIDATE_FIELDS,
    ]
)
INDICATOR_SERIES_SCHEMA: Final = pa.schema(
    [
        ("source", pa.string()),
        ("series_id", pa.string()),
        ("title", pa.string()),
        ("unit", pa.string()),
        ("description", pa.string()),
        ("is_withdrawn", pa.bool_()),
        ("received_at", UTC_TIMESTAMP),
        ("landing_id", pa.string()),
        *_CANDIDATE_FIELDS,
    ]
)

AREA_GROUP_SCHEMA: Final = pa.schema(
    [
        ("source", pa.string()),
        ("group_id", pa.string()),
        ("title", pa.string()),
        ("members", pa.list_(pa.string())),
        ("received_at", UTC_TIMESTAMP),
        ("landing_id", pa.string()),
        *_CANDIDATE_FIELDS,
    ]
)


class MalformedAnswer(Exception):
    """A file or answer that cannot be read as what it should be; one sentence that names it and the reason."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"{address}: {reason}.")
        self.address = address
        self.reason = reason


class Answer(NamedTuple):
    """One answer of an API as it was sent; several land together, a line each: a snapshot is whole or absent."""

    address: str
    body: str


def as_lines(answers: Iterable[Answer]) -> Iterator[bytes]:
    """NDJSON with the address and the body of each answer."""
    for answer in answers:
        yield json.dumps(answer._asdict(), ensure_ascii=False).encode() + b"\n"


def read_lines(content: bytes) -> Iterator[tuple[int, Answer]]:
    """What ``as_lines`` wrote, with line numbers from 1."""
    for number, line in enumerate(content.splitlines(), start=1):
        yield number, Answer(**json.loads(line))


def json_object(answer: Answer) -> dict[str, Any]:
    """The answer's body as a JSON object. Raises ``MalformedAnswer``."""
    try:
        content = json.loads(answer.body)
    except ValueError as error:
        raise MalformedAnswer(answer.address, f"the answer is not JSON ({error})") from None
    if not isinstance(content, dict):
        raise MalformedAnswer(answer.address, "the answer is not a JSON object")
    return content
