"""Trafikverket: road weather of measuring points along state roads. A key is required; the data is CC0.

Address: ``POST /v2/data.json`` with a question in XML that holds the key, so that it is in no address. Answers are
changes since a ``changeid``; the id of the newest landed answer is where the next question starts, so landing itself is
the cursor: an answer is landed whole or not at all, and a crash between two neither loses nor repeats one. What is too
large for one answer comes as 206, with an ``ERROR`` that says so beside the records; the rest is asked for as always.
Files: the same answers as ``.json``. ``WeatherObservation`` holds every observation of the last seven days, so that a
night loses none; ``WeatherMeasurepoint`` only the newest of every point.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal
from xml.sax.saxutils import quoteattr

import pyarrow as pa

from sensors_ingest import documents, http
from sensors_ingest.candidates import moment, quoted
from sensors_ingest.landing import LandedFile, Landing
from sensors_ingest.units import Scale

ANSWER_PATH: Final = "/v2/data.json"
NAMESPACE: Final = "road.weatherinfo"  # without it the newer types are not found
SCHEMA_VERSIONS: Final = {"WeatherMeasurepoint": "2.1", "WeatherObservation": "2.1"}
POINTS_PER_ANSWER: Final = 1000
MOST_ANSWERS: Final = 10_000

# What the old road weather system (VViS) wrote for "missing" and some stations still send. −9 is only a sentinel where
# nothing can be negative: it is a common temperature.
MISSING: Final = (-99.9, -99.8, -100)
MISSING_OR_NEGATIVE: Final = (*MISSING, -9)
SCALES: Final = (
    Scale("air_temperature", "air_temperature", "degC", MISSING),
    Scale("dew_point", "dew_point", "degC", MISSING),
    Scale("relative_humidity", "relative_humidity", "percent", MISSING_OR_NEGATIVE),
    Scale("road_surface_temperature", "road_surface_temperature", "degC", MISSING),
    # Snow lying on the road, in mm: another quantity than the depth of snow on the ground.
    Scale("road_snow_depth", "road_snow_depth", "mm", MISSING_OR_NEGATIVE),
    Scale("wind_speed", "wind_speed", "m/s", MISSING_OR_NEGATIVE),
)
# Where each stands in an observation; the first path that holds something counts.
PATHS: Final = {
    "air_temperature": ("$.Air.Temperature",),
    "dew_point": ("$.Air.Dewpoint",),
    "relative_humidity": ("$.Air.RelativeHumidity",),
    "road_surface_temperature": ("$.Surface.Temperature",),
    "road_snow_depth": ("$.Surface.SnowDepth.Solid", '$.Surface."SnowDepth.Solid"'),
    "wind_speed": ("$.Wind[0].Speed", "$.Wind.Speed"),
}

# Missing is an absent key, null, {} or [{}]; a number stands in ``Value`` or by itself.
_NODES: Final = ", ".join(
    f"{{'quantity_said': {quoted(quantity)}, 'node': coalesce("
    + ", ".join(f"json_extract(observation, {quoted(path)})" for path in paths)
    + ")}"
    for quantity, paths in PATHS.items()
)
_SAID: Final = f"""
    WITH listed AS (
        SELECT list_concat(
            json_extract(body, '$.RESPONSE.RESULT[*].WeatherMeasurepoint[*]'),
            json_extract(body, '$.RESPONSE.RESULT[*].WeatherObservation[*]')
        ) AS records FROM document
    ),
    record AS (SELECT generate_subscripts(records, 1) AS landing_row, unnest(records) AS record FROM listed),
    opened AS (
        SELECT landing_row, record::VARCHAR AS source_row,
               coalesce(record ->> '$.Measurepoint.Id', record ->> '$.Id') AS sensor_id,
               CASE json_type(record, '$.Observation') WHEN 'OBJECT' THEN record -> '$.Observation' ELSE record END
                   AS observation,
               record ->> '$.ModifiedTime' AS modified,
               coalesce(record ->> '$.Deleted', '') = 'true' AS is_deleted
        FROM record
    ),
    node AS (
        SELECT * EXCLUDE (observation), observation ->> '$.Sample' AS sample, unnest([{_NODES}], recursive := true)
        FROM opened
    ),
    single AS (
        SELECT * REPLACE (CASE json_type(node) WHEN 'ARRAY' THEN node -> '$[0]' ELSE node END AS node) FROM node
    ),
    value AS (
        SELECT *, CASE json_type(node) WHEN 'OBJECT' THEN node -> '$.Value' ELSE node END AS value FROM single
    )
    SELECT landing_row, sensor_id, quantity_said, {moment("sample")} AS observed_at, value ->> '$' AS value_said,
           NULL AS unit_said, NULL AS quality_said, {moment("modified")} AS received_at,
           CASE WHEN is_deleted THEN 'the measuring point is deleted' END AS reject_reason, source_row
    FROM value WHERE coalesce(json_type(value), 'NULL') <> 'NULL' AND value::VARCHAR NOT IN ('{{}}', '[]', '[{{}}]')
    UNION ALL
    SELECT landing_row, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'the record is not an object', source_row
    FROM opened WHERE NOT starts_with(source_row, '{{')
"""  # noqa: S608 -- built of constants
GRAMMAR: Final = documents.Grammar(
    answer="road weather",
    is_answer="json_type(body, '$.RESPONSE.RESULT[0]') = 'OBJECT'"
    " AND (NOT json_exists(body, '$.RESPONSE.RESULT[0].ERROR')"
    " OR json_exists(body, '$.RESPONSE.RESULT[0].WeatherMeasurepoint[0]')"
    " OR json_exists(body, '$.RESPONSE.RESULT[0].WeatherObservation[0]'))",
    said=_SAID,
)


@dataclass(frozen=True)
class Trafikverket:
    """The measuring points ``stations`` (their ids), or all within ``box`` (west, south, east, north in degrees)."""

    name: str
    origin: http.Origin
    stations: tuple[str, ...] = ()
    box: tuple[float, float, float, float] | None = None
    object_type: Literal["WeatherObservation", "WeatherMeasurepoint"] = "WeatherObservation"
    page_size: int = POINTS_PER_ANSWER

    @property
    def decoder_version(self) -> str:
        """Changes when decoding does."""
        return "1"

    def fetch(self, landing: Landing, days: Sequence[date] = ()) -> list[LandedFile]:
        """Land what changed since the last time, whatever the days, one file an answer. Raises ``SourceUnreachable``.

        Returns every answer ever landed: changes are told once, so none of them is out of date.
        """
        if isinstance(self.origin, http.Folder):
            return documents.land_delivered(landing, self.name, self.origin)
        new = {file.landing_id: file for file in self._land_changes(landing, self.origin)}
        return [new.get(file.landing_id, file) for file in landing.files(self.name)]

    def decode(self, landing: Landing, files: Iterable[LandedFile]) -> Iterator[pa.RecordBatch]:
        """Candidate readings of ``files``, rejects among them (``READING_SCHEMA``). Never raises on their content."""
        return documents.decode(self.name, landing, files, GRAMMAR, SCALES)

    def _land_changes(self, landing: Landing, origin: http.HttpOrigin) -> Iterator[LandedFile]:
        url = origin.url.rstrip("/") + ANSWER_PATH
        # Change ids are counted for each type by itself: a feed that is set to the other one starts anew.
        address = f"{http.without_secrets(url)}#{self.object_type}"
        with http.open_session(origin.token, is_bearer=False) as session:
            change_id = self._last_change_id(session, landing, address)
            for _ in range(MOST_ANSWERS):
                content, is_whole = self._answer(session, url, self._question(origin, change_id))
                following, has_records = self._examine(session, address, content)
                leads_on = has_records and following != change_id
                if not is_whole and not leads_on:
                    reason = f"a partial answer that does not lead on: {http.told(session, content)}"
                    raise http.SourceUnreachable(self.name, address, reason)
                # An empty answer may say 0, or nothing: landed, it would be a cursor that begins anew.
                if has_records or following == change_id:
                    yield landing.write(self.name, [content], address=address, suffix="json")
                if not leads_on:
                    return
                change_id = following
        raise http.SourceUnreachable(self.name, address, f"its changes do not end after {MOST_ANSWERS} answers")

    def _answer(self, session: http.HttpSession, url: str, question: bytes) -> tuple[bytes, bool]:
        """An answer, and whether it is whole. What an error says beside the records may repeat the key."""
        headers = {"Content-Type": "text/xml"}
        with http.post(session, self.name, url, question, headers=headers, expected=(206,)) as answer:
            content = b"".join(http.body(answer))
        is_whole = answer.status_code != 206
        return content if is_whole else session.redacted_bytes(content), is_whole

    def _last_change_id(self, session: http.HttpSession, landing: Landing, address: str) -> str:
        """Where the newest landed answer ended; 0 before the first."""
        answers = [file for file in landing.files(self.name) if file.address == address]
        return self._examine(session, address, landing.read(answers[-1]))[0] if answers else "0"

    def _examine(self, session: http.HttpSession, address: str, content: bytes) -> tuple[str, bool]:
        """Where an answer ends, and whether it holds records; one without any may say no end."""
        answer = documents.load_answer(self.name, address, content)
        result: Any = None
        try:
            result = answer["RESPONSE"]["RESULT"][0]
            has_records = bool(result.get(self.object_type))
            return str(int(result["INFO"]["LASTCHANGEID"])), has_records
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            if isinstance(result, dict) and not result.get(self.object_type) and "ERROR" not in result:
                return "", False
            reason = f"the answer names no LASTCHANGEID to go on from: {http.told(session, content)}"
            raise http.SourceUnreachable(self.name, address, reason) from None

    def _question(self, origin: http.HttpOrigin, change_id: str) -> bytes:
        key = origin.token.get_secret_value() if origin.token else ""
        return (
            f"<REQUEST><LOGIN authenticationkey={quoteattr(key)}/>"
            f'<QUERY objecttype="{self.object_type}" namespace="{NAMESPACE}"'
            f' schemaversion="{SCHEMA_VERSIONS[self.object_type]}" limit="{self.page_size}"'
            f" changeid={quoteattr(change_id)}>"
            f"<FILTER>{self._filter()}</FILTER></QUERY></REQUEST>"
        ).encode()

    def _filter(self) -> str:
        field = "Measurepoint." if self.object_type == "WeatherObservation" else ""
        if self.stations:
            return f'<IN name="{field}Id" value={quoteattr(",".join(self.stations))}/>'
        if self.box:
            west, south, east, north = self.box
            box = f"{west} {south}, {east} {north}"
            return f'<WITHIN name="{field}Geometry.WGS84" shape="box" value="{box}"/>'
        return ""
