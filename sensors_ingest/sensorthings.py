"""OGC SensorThings 1.1: observations of data streams, such as FROST servers publish them.

Address: ``GET …/Datastreams(1)`` for the unit, then ``…/Datastreams(1)/Observations`` with ``$filter`` by day,
following ``@iot.nextLink`` on the same origin only. Both forms are read, plain and ``$resultFormat=dataArray``. A
landing file holds the description of each stream before its observations. Files: answers as ``.json``, or such files.
An observation's time may be an interval (its start counts), its result a string, its ``resultTime`` null.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from urllib.parse import quote, urlencode

import pyarrow as pa

from sensors_ingest import documents, http
from sensors_ingest.candidates import fingerprint, moment, quoted
from sensors_ingest.days import local_day, spans
from sensors_ingest.landing import LandedFile, Landing
from sensors_ingest.units import Scale

OBSERVATIONS_PER_PAGE: Final = 1000
MOST_PAGES: Final = 100_000
# An interval is before a moment when its end is: one over midnight would be in no day. So a day is asked for with what
# ends so much later, and what is the next day's comes twice, which is one reading.
LONGEST_INTERVAL: Final = timedelta(days=1)
NUMBER: Final = re.compile(r"-?[0-9]+")
QUOTED: Final = re.compile(r"'.+'")
QUALITIES: Final = {
    "good": "good",
    "ok": "good",
    "questionable": "suspect",
    "suspect": "suspect",
    "doubtful": "suspect",
    "poor": "bad",
    "bad": "bad",
}


@dataclass(frozen=True)
class Datastream:
    """One data stream: its id on the server, and which quantity of which sensor it is here. An ``id`` that is no number
    may be configured with its quotation marks or without.
    """

    id: str
    sensor_id: str
    quantity: str
    sentinels: tuple[float, ...] = ()

    @property
    def told_id(self) -> str:
        """The id as answers tell it."""
        return self.id[1:-1].replace("''", "'") if QUOTED.fullmatch(self.id) else self.id

    @property
    def path(self) -> str:
        """Where it is below the server's address."""
        is_literal = NUMBER.fullmatch(self.id) or QUOTED.fullmatch(self.id)
        literal = self.id if is_literal else "'" + self.id.replace("'", "''") + "'"
        return "Datastreams(" + quote(literal, safe="'") + ")"

    @property
    def scale(self) -> Scale:
        """Its unit is told by the server, never assumed."""
        return Scale(self.told_id, self.quantity, None, self.sentinels)


@dataclass(frozen=True)
class SensorThings:
    """The configured ``datastreams``; days are local days of ``timezone`` by time of observation."""

    name: str
    origin: http.Origin
    datastreams: tuple[Datastream, ...]
    timezone: str = "Europe/Stockholm"
    lookback_days: int = 2
    is_data_array: bool = False

    def __post_init__(self) -> None:
        for datastream in self.datastreams:
            _ = datastream.scale  # an unknown quantity is a mistake of the configuration

    @property
    def decoder_version(self) -> str:
        """Changes when decoding or the data streams do."""
        return f"1-{fingerprint(self.datastreams)}"

    def fetch(self, landing: Landing, days: Sequence[date]) -> list[LandedFile]:
        """Land one file a day, with all data streams; before a run of days also the ``lookback_days`` before.

        Raises ``SourceUnreachable``; the day that failed leaves nothing behind.
        """
        if isinstance(self.origin, http.Folder):
            return documents.land_delivered(landing, self.name, self.origin)
        url, token = self.origin.url.rstrip("/"), self.origin.token
        with http.open_session(token) as session:
            return [
                landing.write(
                    self.name,
                    self._answers(session, url, first, day),
                    address=http.without_secrets(url),
                    suffix=documents.SEQUENCE,
                    day=day,
                )
                for first, day in spans(days, self.lookback_days)
            ]

    def decode(self, landing: Landing, files: Iterable[LandedFile]) -> Iterator[pa.RecordBatch]:
        """Candidate readings of ``files``, rejects among them (``READING_SCHEMA``). Never raises on their content."""
        scales = [datastream.scale for datastream in self.datastreams]
        return documents.decode(self.name, landing, files, _grammar(self.datastreams), scales)

    def _answers(self, session: http.HttpSession, url: str, first: date, last: date) -> Iterator[bytes]:
        start, end = local_day(first, self.timezone)[0], local_day(last, self.timezone)[1]
        for datastream in self.datastreams:
            stream = f"{url}/{datastream.path}"
            with http.get(session, self.name, stream, expected=(404,)) as answer:
                if answer.status_code == 404:  # kept, and becomes a reject
                    yield from documents.as_record([http.error_body(session, answer)])
                    continue
                yield from documents.as_record(http.body(answer))
            query = {
                "$filter": f"phenomenonTime ge {_utc(start)} and phenomenonTime lt {_utc(end + LONGEST_INTERVAL)}",
                "$orderby": "phenomenonTime asc",
                "$top": str(OBSERVATIONS_PER_PAGE),
            } | ({"$resultFormat": "dataArray"} if self.is_data_array else {})
            yield from self._pages(session, f"{stream}/Observations?{urlencode(query)}")

    def _pages(self, session: http.HttpSession, url: str) -> Iterator[bytes]:
        seen = set()
        while url not in seen:
            seen.add(url)
            with http.get(session, self.name, url) as answer:
                content = b"".join(http.body(answer))
            page = documents.load_answer(self.name, url, content)
            yield from documents.as_record([content])
            link = page.get("@iot.nextLink") if isinstance(page, dict) else None
            if not isinstance(link, str):
                return
            url = documents.next_address(self.name, url, link)
            if len(seen) >= MOST_PAGES:
                break
        raise http.SourceUnreachable(self.name, http.without_secrets(url), "its pages do not end")


def _utc(moment_: datetime) -> str:
    return moment_.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _grammar(datastreams: Sequence[Datastream]) -> documents.Grammar:
    known = ", ".join(f"({quoted(each.told_id)}, {quoted(each.sensor_id)})" for each in datastreams)
    return documents.Grammar(
        answer="observations",
        is_answer="json_type(body) = 'ARRAY' OR json_type(body, '$.value') = 'ARRAY'"
        " OR json_type(body, '$.unitOfMeasurement') = 'OBJECT'",
        said=_SAID.format(known=known or "(NULL, NULL)"),
        qualities=QUALITIES,
        before_file=("CREATE OR REPLACE TEMP TABLE described (id VARCHAR, unit VARCHAR)",),
        before_document=(_DESCRIBE,),
    )


def _unit(holder: str) -> str:
    """SQL: the unit of a data stream; some servers leave the symbol empty and tell the name."""
    unit = f"{holder} -> '$.unitOfMeasurement'"
    return f"coalesce(nullif(({unit}) ->> '$.symbol', ''), nullif(({unit}) ->> '$.name', ''))"


def _id_in(link: str) -> str:
    """SQL: the id in a link such as ``…/Datastreams('12')/…``; in quotation marks it may hold any character."""
    said = f"url_decode(regexp_extract({link}, 'Datastreams\\((''(?:[^'']|'''')*''|[^)]+)\\)', 1))"
    bare = f"replace({said}[2:-2], '''''', '''')"
    return f"nullif(CASE WHEN starts_with({said}, '''') THEN {bare} ELSE {said} END, '')"


# The newest description is that of the stream whose observations follow, also where it names no stream.
_DESCRIBE: Final = f"""
    INSERT INTO described SELECT body ->> '$."@iot.id"', {_unit("body")} FROM document
    WHERE json_type(body, '$.unitOfMeasurement') = 'OBJECT'
"""  # noqa: S608 -- built of constants
_SAID: Final = f"""
    WITH element AS (
        SELECT unnest(elements) AS element, generate_subscripts(elements, 1) AS place
        FROM (
            SELECT CASE json_type(body)
                WHEN 'ARRAY' THEN json_extract(body, '$[*]')
                ELSE json_extract(body, '$.value[*]')
            END AS elements FROM document
        )
    ),
    in_array AS (
        SELECT place, element ->> '$."Datastream@iot.navigationLink"' AS link,
               json_extract_string(element, '$.components[*]') AS names,
               unnest(rows) AS cells, generate_subscripts(rows, 1) AS position
        FROM (SELECT *, json_extract(element, '$.dataArray[*]') AS rows FROM element)
        WHERE json_type(element, '$.dataArray') = 'ARRAY'
    ),
    cell AS (
        SELECT * EXCLUDE (cells), cells::VARCHAR AS source_row, coalesce(try_cast(cells AS JSON[]), []) AS cells
        FROM in_array
    ),
    observation AS (
        SELECT place, 0 AS position, element ->> '$."Datastream@iot.navigationLink"' AS link,
               element ->> '$.Datastream."@iot.id"' AS inline_id, {_unit("(element -> '$.Datastream')")} AS inline_unit,
               element ->> '$.phenomenonTime' AS phenomenon_time, element -> '$.result' AS result,
               element -> '$.resultQuality' AS result_quality, element::VARCHAR AS source_row
        FROM element WHERE coalesce(json_type(element, '$.dataArray'), '') <> 'ARRAY'
        UNION ALL
        SELECT place, position, link, NULL, NULL,
               cells[list_position(names, 'phenomenonTime')] ->> '$', cells[list_position(names, 'result')],
               cells[list_position(names, 'resultQuality')], source_row
        FROM cell
    ),
    known (id, sensor_id) AS (VALUES {{known}}),
    streamed AS (
        SELECT observation.*, split_part(phenomenon_time, '/', 1) AS started,
               coalesce(inline_id, {_id_in("link")}, (SELECT arg_max_null(id, rowid) FROM described)) AS stream_id
        FROM observation
    ),
    described_once AS (SELECT id, arg_max(unit, rowid) AS unit FROM described GROUP BY id)
    SELECT row_number() OVER (ORDER BY place, position) AS landing_row, sensor_id, stream_id AS quantity_said,
           {moment("started")} AS observed_at, result ->> '$' AS value_said,
           coalesce(inline_unit, unit) AS unit_said,
           coalesce(result_quality ->> '$.quality', nullif(result_quality ->> '$', 'null')) AS quality_said,
           CASE
               WHEN stream_id IS NULL THEN 'the observation names no data stream'
               WHEN sensor_id IS NULL THEN 'data stream ' || left(stream_id, 100) || ' is not configured'
               WHEN coalesce(inline_unit, unit) IS NULL THEN 'data stream ' || stream_id || ' tells no unit'
           END AS reject_reason,
           source_row
    FROM streamed
    LEFT JOIN known ON known.id = stream_id
    LEFT JOIN described_once ON described_once.id = stream_id
"""  # noqa: S608 -- built of constants and quoted settings
