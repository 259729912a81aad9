"""Energy meters behind a Metry-style API: consumption by hour, day or month as arrays without times.

Address: ``GET /consumptions/{meter}/{granularity}/{YYYYMMDD-YYYYMMDD}?metrics=…&skip=…``, Bearer token. Files: the same
answers as ``.json``. A number's place in its array is its time, counted from ``start_date``; null is missing. Meters
keep Swedish normal time all year (UTC+1): every day has 24 hours, and the summer time of Stockholm is never used.
Earlier values are restated, so each fetch looks back.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal
from urllib.parse import quote

import pyarrow as pa

from sensors_ingest import documents, http
from sensors_ingest.candidates import fingerprint, moment, quoted
from sensors_ingest.days import spans
from sensors_ingest.landing import LandedFile, Landing
from sensors_ingest.units import Scale

Granularity = Literal["hour", "day", "month"]
PAGE_SIZE: Final = 50
MOST_PAGES: Final = 10_000
# Metric → quantity and unit. A day's consumption is another quantity than an hour's.
METRICS: Final = {"energy": ("energy", "kWh"), "flow": ("flow", "m3")}
SUFFIXES: Final[dict[Granularity, str]] = {"hour": "", "day": "_daily", "month": "_monthly"}
# The start of the interval at a place. Months are months of the meter's calendar: an hour is added and taken away.
INTERVAL_STARTS: Final[dict[Granularity, str]] = {
    "hour": "started + to_hours(place)",
    "day": "started + to_hours(24 * place)",
    "month": "started + INTERVAL 1 HOUR + to_months(place::INTEGER) - INTERVAL 1 HOUR",
}


@dataclass(frozen=True)
class Metry:
    """The consumption of ``meters`` (their ids), asked for again ``lookback_days`` back."""

    name: str
    origin: http.Origin
    meters: tuple[str, ...]
    metrics: tuple[str, ...] = ("energy",)
    granularity: Granularity = "hour"
    lookback_days: int = 31

    def __post_init__(self) -> None:
        if unknown := set(self.metrics) - METRICS.keys():
            raise ValueError(f"metric {', '.join(sorted(unknown))} is none of {', '.join(METRICS)}")

    @property
    def decoder_version(self) -> str:
        """Changes when decoding does."""
        return f"1-{fingerprint(self.metrics, self.granularity)}"

    def fetch(self, landing: Landing, days: Sequence[date]) -> list[LandedFile]:
        """Land one file a day, with all meters. Raises ``SourceUnreachable``; the day that failed leaves nothing."""
        if isinstance(self.origin, http.Folder):
            return documents.land_delivered(landing, self.name, self.origin)
        url, token = self.origin.url.rstrip("/"), self.origin.token
        with http.open_session(token) as session:
            return [
                landing.write(
                    self.name,
                    self._answers(session, url, first, day),
                    address=http.without_secrets(url) + "/consumptions",
                    suffix=documents.SEQUENCE,
                    day=day,
                )
                for first, day in spans(days, self.lookback_days)
            ]

    def decode(self, landing: Landing, files: Iterable[LandedFile]) -> Iterator[pa.RecordBatch]:
        """Candidate readings of ``files``, rejects among them (``READING_SCHEMA``). Never raises on their content."""
        scales = [
            Scale(metric, METRICS[metric][0] + SUFFIXES[self.granularity], METRICS[metric][1])
            for metric in self.metrics
        ]
        return documents.decode(self.name, landing, files, _grammar(self.metrics, self.granularity), scales)

    def _answers(self, session: http.HttpSession, url: str, first: date, last: date) -> Iterator[bytes]:
        for meter in self.meters:
            period = f"{first:%Y%m%d}-{last:%Y%m%d}"
            address = f"{url}/consumptions/{quote(meter, safe='')}/{self.granularity}/{period}"
            for answer in self._pages(session, address):
                yield from documents.as_record([answer])

    def _pages(self, session: http.HttpSession, address: str) -> Iterator[bytes]:
        """Every page of one meter. A meter that is not there answers 404, which is kept and becomes a reject."""
        skip, before = 0, b""
        for _ in range(MOST_PAGES):
            params = {"metrics": ",".join(self.metrics), "skip": str(skip), "limit": str(PAGE_SIZE)}
            with http.get(session, self.name, address, params=params, expected=(404,)) as answer:
                if answer.status_code == 404:
                    yield http.error_body(session, answer)
                    return
                content = b"".join(http.body(answer))
            read = documents.load_answer(self.name, address, content)
            data = read.get("data") if isinstance(read, dict) else None
            if not isinstance(data, list):
                said = http.told(session, content)
                raise http.SourceUnreachable(self.name, address, f"no consumption but: {said}")
            if content == before:  # a server that does not know ``skip`` sends its only page again
                return
            yield content
            if len(data) < PAGE_SIZE:
                return
            skip, before = skip + len(data), content
        raise http.SourceUnreachable(self.name, address, f"its pages do not end after {MOST_PAGES}")


def _grammar(metrics: Sequence[str], granularity: Granularity) -> documents.Grammar:
    arrays = ", ".join(
        f"{{'metric': {quoted(metric)}, 'numbers': json_extract(period, {quoted(f'$.{metric}')})}}"
        for metric in metrics
    )
    said = f"""
        WITH meter AS (
            SELECT unnest(meters) AS meter, generate_subscripts(meters, 1) AS meter_place
            FROM (SELECT json_extract(body, '$.data[*]') AS meters FROM document)
        ),
        period AS (
            SELECT meter ->> '$.meter_id' AS sensor_id, meter_place, meter::VARCHAR AS meter_said,
                   unnest(periods) AS period, generate_subscripts(periods, 1) AS period_place
            FROM (SELECT *, json_extract(meter, '$.periods[*]') AS periods FROM meter)
        ),
        series AS (
            SELECT * EXCLUDE (period), period ->> '$.start_date' AS start_date, unnest([{arrays}], recursive := true)
            FROM period
        ),
        number AS (
            SELECT *, unnest(json_extract(numbers, '$[*]')) AS number,
                   generate_subscripts(json_extract(numbers, '$[*]'), 1) - 1 AS place
            FROM series WHERE json_type(numbers) = 'ARRAY'
        ),
        timed AS (SELECT *, {moment("start_date")} AS started FROM number WHERE json_type(number) <> 'NULL'),
        said AS (
            SELECT meter_place, period_place, metric, place, sensor_id, {INTERVAL_STARTS[granularity]} AS observed_at,
                   number ->> '$' AS value_said,
                   CASE WHEN try_cast(number ->> '$' AS DOUBLE) < 0
                       THEN 'negative consumption (the counter began again, as after a change of meter)'
                   END AS reject_reason,
                   coalesce(start_date, 'no start_date') || ', place ' || place || ' of ' || metric AS source_row
            FROM timed
            UNION ALL
            SELECT meter_place, period_place, metric, -1, sensor_id, NULL, NULL, metric || ' is not a list of numbers',
                   numbers::VARCHAR
            FROM series WHERE coalesce(json_type(numbers), 'NULL') NOT IN ('ARRAY', 'NULL')
            UNION ALL
            SELECT meter_place, 0, NULL, -1, meter ->> '$.meter_id', NULL, NULL, 'a meter without a list of periods',
                   meter::VARCHAR
            FROM meter WHERE coalesce(json_type(meter, '$.periods'), '') <> 'ARRAY'
        )
        SELECT row_number() OVER (ORDER BY meter_place, period_place, metric, place) AS landing_row, sensor_id,
               metric AS quantity_said, observed_at, value_said, reject_reason, source_row
        FROM said
    """  # noqa: S608 -- built of settings that are checked
    return documents.Grammar("consumption", "json_type(body, '$.data') = 'ARRAY'", said)
