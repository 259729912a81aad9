"""NGSI-LD: weather entities of a context broker, as they are now or as they were through a day.

Address: ``GET /ngsi-ld/v1/entities?type=…``, paged by ``Link: …; rel="next"`` or ``NGSILD-Results-Count``; with
``entities`` configured, ``GET /ngsi-ld/v1/temporal/entities/{id}?timerel=between&timeAt=…&endTimeAt=…``, where 206 and
``Content-Range`` say that there is more. Files: entities as ``.json`` or ``.jsonld``. The normalized, concise and
key-values forms are read. An attribute without ``unitCode`` is in the unit of the Smart Data Models' WeatherObserved:
``snowHeight`` in cm, ``relativeHumidity`` from 0 to 1. Its amount of precipitation tells no interval and is not taken.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Final
from urllib.parse import quote

import pyarrow as pa
import requests

from sensors_ingest import documents, http
from sensors_ingest.candidates import moment, quoted
from sensors_ingest.days import local_day, spans
from sensors_ingest.landing import LandedFile, Landing
from sensors_ingest.units import Scale

ENTITIES_PER_PAGE: Final = 100
MOST_PAGES: Final = 10_000
CONTENT_RANGE: Final = re.compile(r"date-time\s+(\S+?)-(\d{4}-\d\d-\d\dT\S+?)/(?:\d+|\*)$")
SCALES: Final = (
    Scale("temperature", "air_temperature", "degC"),
    Scale("dewPoint", "dew_point", "degC"),
    Scale("relativeHumidity", "relative_humidity", "ratio"),
    Scale("snowHeight", "snow_depth", "cm"),
    Scale("windSpeed", "wind_speed", "m/s"),
)


@dataclass(frozen=True)
class NgsiLd:
    """All entities of ``entity_type`` as they are now, or the history of ``entities`` (their ids) by local days.

    ``headers`` are sent with every question: a tenant or the ``Link`` of a context.
    """

    name: str
    origin: http.Origin
    entity_type: str = "WeatherObserved"
    entities: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    timezone: str = "Europe/Stockholm"
    lookback_days: int = 2

    @property
    def decoder_version(self) -> str:
        """Changes when decoding does."""
        return "1"

    def fetch(self, landing: Landing, days: Sequence[date]) -> list[LandedFile]:
        """Land one file a day with the history of ``entities``, or without any of them one snapshot.

        Raises ``SourceUnreachable``; what failed leaves nothing behind.
        """
        if isinstance(self.origin, http.Folder):
            return documents.land_delivered(landing, self.name, self.origin)
        url, token = self.origin.url.rstrip("/") + "/ngsi-ld/v1", self.origin.token
        asked: list[tuple[date, date] | None] = [*spans(days, self.lookback_days)] if self.entities else [None]
        with http.open_session(token) as session:
            session.headers.update({"Accept": "application/json"} | dict(self.headers))
            return [
                landing.write(
                    self.name,
                    self._histories(session, url, *span) if span else self._current(session, f"{url}/entities"),
                    address=http.without_secrets(url) + ("/temporal/entities" if span else "/entities"),
                    suffix=documents.SEQUENCE,
                    day=span[1] if span else None,
                )
                for span in asked
            ]

    def decode(self, landing: Landing, files: Iterable[LandedFile]) -> Iterator[pa.RecordBatch]:
        """Candidate readings of ``files``, rejects among them (``READING_SCHEMA``). Never raises on their content."""
        return documents.decode(self.name, landing, files, GRAMMAR, SCALES)

    def _current(self, session: http.HttpSession, url: str) -> Iterator[bytes]:
        read, before, address, asked = 0, b"", url, self._page(0)
        for _ in range(MOST_PAGES):
            with http.get(session, self.name, address, params=asked) as answer:
                content = b"".join(http.body(answer))
                link, count = _next_link(answer), answer.headers.get("NGSILD-Results-Count", "")
            entities = documents.load_answer(self.name, url, content)
            if asked and content == before:  # a broker that does not know ``offset`` sends its only page again
                return
            yield from documents.as_record([content])
            found = len(entities) if isinstance(entities, list) else 0
            read, before = read + found, content
            # Without a count only a page that is not full says that it is the last.
            has_more = read < int(count) if count.isdigit() else found == ENTITIES_PER_PAGE
            if link is not None:
                address, asked = documents.next_address(self.name, url, link), {}
            elif found and has_more:
                address, asked = url, self._page(read)
            else:
                return
        raise http.SourceUnreachable(self.name, http.without_secrets(url), "its pages do not end")

    def _page(self, offset: int) -> dict[str, str]:
        limit = str(ENTITIES_PER_PAGE)
        return {"type": self.entity_type, "limit": limit, "offset": str(offset), "count": "true"}

    def _histories(self, session: http.HttpSession, url: str, first: date, last: date) -> Iterator[bytes]:
        start, end = local_day(first, self.timezone)[0], local_day(last, self.timezone)[1]
        for entity in self.entities:
            address = f"{url}/temporal/entities/{quote(entity, safe='')}"
            yield from self._history(session, address, start, end)

    def _history(self, session: http.HttpSession, url: str, start: datetime, end: datetime) -> Iterator[bytes]:
        """The answers for [start, end) of one entity. One that is not there answers 404: kept, and becomes a reject."""
        while True:
            params = {"timerel": "between", "timeAt": _utc(start), "endTimeAt": _utc(end)}
            with http.get(session, self.name, url, params=params, expected=(206, 404)) as answer:
                if answer.status_code == 404:
                    yield from documents.as_record([http.error_body(session, answer)])
                    return
                yield from documents.as_record(http.body(answer))
                if answer.status_code != 206:
                    return
                ended = _range_end(answer.headers.get("Content-Range", ""))
            if ended is None or ended <= start:
                reason = "a partial answer whose Content-Range does not lead on"
                raise http.SourceUnreachable(self.name, http.without_secrets(url), reason)
            if ended >= end:
                return
            start = ended


def _next_link(answer: requests.Response) -> str | None:
    try:
        return answer.links.get("next", {}).get("url")
    except (ValueError, IndexError):
        return None


def _range_end(content_range: str) -> datetime | None:
    """Where the part that was sent ends; a time without an offset is UTC, as everywhere in NGSI-LD."""
    try:
        ended = datetime.fromisoformat(CONTENT_RANGE.match(content_range)[2])  # type: ignore[index]
    except (TypeError, ValueError):
        return None
    return ended if ended.tzinfo else ended.replace(tzinfo=UTC)


def _utc(moment_: datetime) -> str:
    return moment_.astimezone(UTC).isoformat().replace("+00:00", "Z")


_ATTRIBUTES: Final = ", ".join(
    f"{{'attribute': {quoted(scale.said)}, 'said': json_extract(entity, {quoted('$.' + scale.said)})}}"
    for scale in SCALES
)
# A value may be typed ({"@type": …, "@value": …}); null may be {"@type": "Intangible", "@value": null}.
_SAID: Final = f"""
    WITH listed AS (
        SELECT CASE json_type(body) WHEN 'ARRAY' THEN json_extract(body, '$[*]') ELSE [body] END AS entities
        FROM document WHERE body IS NOT NULL
    ),
    entity AS (SELECT unnest(entities) AS entity, generate_subscripts(entities, 1) AS place FROM listed),
    dated AS (
        SELECT place, entity ->> '$.id' AS id, entity, entity::VARCHAR AS source_row,
               coalesce(
                   entity ->> '$.dateObserved.value."@value"',
                   entity ->> '$.dateObserved."@value"',
                   CASE json_type(entity, '$.dateObserved.value')
                       WHEN 'VARCHAR' THEN entity ->> '$.dateObserved.value'
                   END,
                   CASE json_type(entity, '$.dateObserved') WHEN 'VARCHAR' THEN entity ->> '$.dateObserved' END
               ) AS date_observed
        FROM entity WHERE json_type(entity) = 'OBJECT' AND json_type(entity, '$.id') = 'VARCHAR'
    ),
    attribute AS (
        SELECT * EXCLUDE (entity), unnest([{_ATTRIBUTES}], recursive := true) FROM dated
    ),
    instance AS (
        SELECT * EXCLUDE (said),
               unnest(CASE json_type(said) WHEN 'ARRAY' THEN json_extract(said, '$[*]') ELSE [said] END) AS said
        FROM attribute WHERE said IS NOT NULL
    ),
    value AS (
        SELECT place, id, source_row, attribute, said ->> '$.unitCode' AS unit_code,
               coalesce(said ->> '$.observedAt', date_observed) AS observed,
               CASE json_type(said) WHEN 'OBJECT'
                   THEN CASE WHEN json_exists(said, '$."@value"') THEN said -> '$."@value"' ELSE said -> '$.value' END
                   ELSE said
               END AS value
        FROM instance WHERE coalesce(json_type(said, '$.values'), '') <> 'ARRAY'
        UNION ALL
        SELECT place, id, source_row, attribute, said ->> '$.unitCode', pair ->> '$[1]', pair -> '$[0]'
        FROM (SELECT *, unnest(json_extract(said, '$.values[*]')) AS pair FROM instance)
    ),
    plain AS (
        SELECT * REPLACE (
            CASE WHEN json_type(value) = 'OBJECT' AND json_exists(value, '$."@value"') THEN value -> '$."@value"'
                 ELSE value END AS value
        ) FROM value
    )
    SELECT place AS landing_row, id AS sensor_id, attribute AS quantity_said,
           split_part(observed, '/', 1) AS started, {moment("started")} AS observed_at, value ->> '$' AS value_said,
           unit_code AS unit_said, NULL AS reject_reason, source_row
    FROM plain
    WHERE coalesce(json_type(value), 'NULL') <> 'NULL' AND (value ->> '$') <> 'urn:ngsi-ld:null'
    UNION ALL
    SELECT place, NULL, NULL, NULL, NULL, NULL, NULL, 'an entity without an id', entity::VARCHAR
    FROM entity WHERE NOT (json_type(entity) = 'OBJECT' AND coalesce(json_type(entity, '$.id'), '') = 'VARCHAR')
"""  # noqa: S608 -- built of constants
GRAMMAR: Final = documents.Grammar(
    answer="entities",
    is_answer="json_type(body) = 'ARRAY' OR json_type(body, '$.id') = 'VARCHAR'",
    said=f"SELECT * EXCLUDE (started) FROM ({_SAID})",  # noqa: S608 -- built of constants
)
