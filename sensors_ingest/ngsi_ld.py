"""NGSI-LD: weather entities of a context broker, as they are now or as they were through a day.

Address: ``GET /ngsi-ld/v1/entities?type=…``, paged by ``Link: …; rel="next"`` or ``NGSILD-Results-Count``; with
``entities`` configured, ``GET /ngsi-ld/v1/temporal/entities/{id}?timerel=between&timeAt=…&endTimeAt=…``, where 206 and
``Content-Range`` say that there is more: that is then asked for attribute by attribute. Brokers of the specification
that follows (TS 104-176) answer 200 and link the next part instead. Files: entities as ``.json`` or ``.jsonld``. The
normalized, concise and key-values forms are read. An attribute without ``unitCode`` is in the unit of the Smart Data
Models' WeatherObserved: ``snowHeight`` in cm, ``relativeHumidity`` from 0 to 1. Its amount of precipitation tells no
interval and is not taken. Values of one attribute that have a ``datasetId`` are of other sensors than those without:
``<entity id>#<datasetId>``.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
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
# The end of a range; earlier versions of Stellio told it as HTTP tells dates.
RANGE_END: Final = re.compile(
    r"date-time\s.*-(?:(\d{4}-\d\d-\d\dT[^\s/]+)|(\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT))/(?:\d+|\*)$"
)
# The parts of a history, from the earlier to the later or, where the newest come first, the other way round.
NEXT_PART: Final = ("intervalafter", "intervalbefore")
# ``timeAt`` itself belongs to the range with some brokers and not with others. What comes twice is one reading.
OVERLAP: Final = timedelta(milliseconds=1)
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
        return "2"

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
        read, known, was_empty = 0, set[object](), False
        address, asked = url, self._page(0)
        for _ in range(MOST_PAGES):
            with http.get(session, self.name, address, params=asked) as answer:
                content = b"".join(http.body(answer))
                link, count = _link(answer, "next"), answer.headers.get("NGSILD-Results-Count", "")
            entities = documents.load_answer(self.name, url, content)
            ids = _ids(entities)
            if known.issuperset(ids) and (ids or was_empty):
                # It was asked because it said that there is more, or its page was full: to end here may lose the rest.
                reason = f"its pages repeat: {len(known)} entities came, and those behind them cannot be asked for"
                raise http.SourceUnreachable(self.name, http.without_secrets(url), reason)
            yield from documents.as_record([content])
            read, was_empty = read + len(ids), not ids
            known.update(ids)
            # Without a count only a page that is not full says that it is the last.
            has_more = read < int(count) if count.isdigit() else len(ids) == ENTITIES_PER_PAGE
            if link is not None:
                address, asked = documents.next_address(self.name, url, link), {}
            elif ids and has_more:
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
        with self._instances(session, url, start, end) as answer:
            if answer.status_code == 404:
                yield from documents.as_record([http.error_body(session, answer)])
                return
            if answer.status_code == 200:
                yield from documents.as_record(http.body(answer))
                yield from self._parts(session, url, answer)
                return
        for scale in SCALES:
            yield from self._history_of(session, url, scale.said, start, end)

    def _parts(self, session: http.HttpSession, url: str, first: requests.Response) -> Iterator[bytes]:
        """What follows the first part of a history, by its links in the one direction that it leads on."""
        relation = next((relation for relation in NEXT_PART if _link(first, relation)), "")
        link, known = _link(first, relation), set[str]()
        while link:
            address = documents.next_address(self.name, url, link)
            if address in known or len(known) >= MOST_PAGES:
                raise http.SourceUnreachable(self.name, http.without_secrets(url), "its pages do not end")
            known.add(address)
            with http.get(session, self.name, address) as answer:
                yield from documents.as_record(http.body(answer))
                link = _link(answer, relation)

    def _history_of(
        self, session: http.HttpSession, url: str, attribute: str, start: datetime, end: datetime
    ) -> Iterator[bytes]:
        """The answers for one attribute of an entity that is there: 404 says that it has none of that name.

        Brokers cut every attribute by itself, and some name the newest instance of any as the end of the range: of
        several attributes, the one that was cut first would go on from there and lose what lies between.
        """
        while True:
            with self._instances(session, url, start, end, attrs=attribute) as answer:
                if answer.status_code == 404:
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

    def _instances(
        self, session: http.HttpSession, url: str, start: datetime, end: datetime, **asked: str
    ) -> AbstractContextManager[requests.Response]:
        params = {"timerel": "between", "timeAt": _utc(start - OVERLAP), "endTimeAt": _utc(end)} | asked
        return http.get(session, self.name, url, params=params, expected=(206, 404))


def _ids(entities: object) -> list[object]:
    listed = entities if isinstance(entities, list) else []
    return [str(entity.get("id")) if isinstance(entity, dict) else None for entity in listed]


def _link(answer: requests.Response, relation: str) -> str | None:
    try:
        return answer.links.get(relation, {}).get("url")
    except (ValueError, IndexError):
        return None


def _range_end(content_range: str) -> datetime | None:
    """Where the part that was sent ends; a time without an offset is UTC, as everywhere in NGSI-LD."""
    found = RANGE_END.match(content_range)
    try:
        ended = found and (datetime.fromisoformat(found[1]) if found[1] else parsedate_to_datetime(found[2]))
    except ValueError:
        return None
    return ended.replace(tzinfo=UTC) if ended and not ended.tzinfo else ended


def _utc(moment_: datetime) -> str:
    return moment_.astimezone(UTC).isoformat().replace("+00:00", "Z")


_ATTRIBUTES: Final = ", ".join(
    f"{{'attribute': {quoted(scale.said)}, 'said': json_extract(entity, {quoted('$.' + scale.said)})}}"
    for scale in SCALES
)
# Without the context of the entities a broker answers with names such as https://smartdatamodels.org/…/temperature.
_HAS_ATTRIBUTE: Final = " OR ".join(f"json_exists(entity, {quoted('$.' + scale.said)})" for scale in SCALES)
_FULL_NAME: Final = '"https?://[^"]*[/#](' + "|".join(scale.said for scale in SCALES) + ')" *:'
# "@none" is the instance without one.
_SENSOR: Final = "id || coalesce('#' || nullif(said ->> '$.datasetId', '@none'), '') AS id"
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
        SELECT place, {_SENSOR}, source_row, attribute, said ->> '$.unitCode' AS unit_code,
               coalesce(said ->> '$.observedAt', date_observed) AS observed,
               CASE json_type(said) WHEN 'OBJECT'
                   THEN CASE WHEN json_exists(said, '$."@value"') THEN said -> '$."@value"' ELSE said -> '$.value' END
                   ELSE said
               END AS value
        FROM instance WHERE coalesce(json_type(said, '$.values'), '') <> 'ARRAY'
        UNION ALL
        SELECT place, {_SENSOR}, source_row, attribute, said ->> '$.unitCode', pair ->> '$[1]', pair -> '$[0]'
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
    SELECT place, id, NULL, NULL, NULL, NULL, NULL,
           'attributes with full names: the broker needs the Link of their context', source_row
    FROM dated WHERE NOT ({_HAS_ATTRIBUTE}) AND regexp_matches(source_row, {quoted(_FULL_NAME)})
    UNION ALL
    SELECT place, NULL, NULL, NULL, NULL, NULL, NULL, 'an entity without an id', entity::VARCHAR
    FROM entity WHERE NOT (json_type(entity) = 'OBJECT' AND coalesce(json_type(entity, '$.id'), '') = 'VARCHAR')
"""  # noqa: S608 -- built of constants
GRAMMAR: Final = documents.Grammar(
    answer="entities",
    is_answer="json_type(body) = 'ARRAY' OR json_type(body, '$.id') = 'VARCHAR'",
    said=f"SELECT * EXCLUDE (started) FROM ({_SAID})",  # noqa: S608 -- built of constants
)
