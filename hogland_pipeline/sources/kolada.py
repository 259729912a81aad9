"""Kolada (RKA): key figures of municipalities and groups, and what the key figures are called.

A snapshot is one landing file: the metadata of the registered key figures and every page of their data, a line each.
Three sources read Kolada: ``kolada`` the figures, ``kolada_series`` the names and ``kolada_groups`` (in its own module)
who is in a group. A figure's vintage is the day Kolada published the key figure, so that an unchanged publication stays
one vintage and a correction inside it is a revision. Kolada states units at the end of titles only ("Invånare totalt,
antal"): figures in another unit than the registered one are refused. Source: Kolada, free use; own calculations must
not cite Kolada as the source of their result.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import polars as pl
import pyarrow as pa

from hogland_pipeline.sources.indicators import (
    CONFIDENTIAL,
    INDICATOR_SERIES_SCHEMA,
    INDICATOR_VALUE_SCHEMA,
    MISSING,
    OBSERVED,
    SUPPRESSED,
)
from hogland_pipeline.sources.kolada_pages import (
    DATA,
    GROUPS,
    LINES,
    METADATA,
    UNIT_DATA,
    data_paths,
    group_members,
    land_answers,
    metadata_paths,
    query_lines,
    read_answers,
)
from sensors_ingest import http
from sensors_ingest.landing import LandedFile, Landing

KOLADA: Final = "kolada"
# Kolada's words for a figure's state; an unknown one reaches the gate as it is and is refused there.
STATUSES: Final[Mapping[str, str]] = {
    "": OBSERVED,
    "ok": OBSERVED,
    "missing": MISSING,
    "private": CONFIDENTIAL,
    "confidential": CONFIDENTIAL,
    "suppressed": SUPPRESSED,
}


@dataclass(frozen=True)
class _Registered:
    """The key figures that are read, with the unit each is registered with, and where Kolada is."""

    origin: http.Origin
    kpis: Mapping[str, str]

    @property
    def decoder_version(self) -> str:
        """Changes with the register: files are decoded again when a key figure or its unit is registered anew."""
        register = ",".join(f"{kpi}={unit}" for kpi, unit in sorted(self.kpis.items()))
        return f"1-{hashlib.sha256(register.encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class Kolada(_Registered):
    """Figures of ``kpis`` in ``areas`` (municipalities, the country 0000, groups G… with their members) and units."""

    areas: tuple[str, ...]
    years: tuple[int, ...]
    organisational_units: tuple[str, ...] = ()
    name: str = KOLADA

    def fetch(self, landing: Landing, days: Sequence[date] = ()) -> list[LandedFile]:
        """Land one snapshot. Raises ``SourceUnreachable``; then nothing lands."""
        kpis = tuple(self.kpis)
        requests = {
            METADATA: list(metadata_paths(kpis)),
            DATA: list(data_paths(DATA, kpis, "municipality", self._areas_and_members(), self.years)),
            UNIT_DATA: list(data_paths(UNIT_DATA, kpis, "ou", self.organisational_units, self.years)),
        }
        answers = [
            answer for kind, paths in requests.items() for answer in read_answers(self.name, self.origin, kind, paths)
        ]
        return [land_answers(landing, self.name, self.origin, answers)]

    def _areas_and_members(self) -> tuple[str, ...]:
        """The areas, and the members of the groups among them: a group can only be compared with by their figures."""
        groups = [area for area in self.areas if area.startswith("G")]
        if isinstance(self.origin, http.Folder) or not groups:
            return self.areas
        answers = read_answers(self.name, self.origin, GROUPS, list(metadata_paths(groups, GROUPS)))
        members = (member for answer in answers for member in group_members(answer))
        return tuple(dict.fromkeys((*self.areas, *members)))

    def decode(self, landing: Landing, files: Iterable[LandedFile]) -> Iterator[pa.RecordBatch]:
        """Figures as ``INDICATOR_VALUE_SCHEMA``, rejects among them."""
        for file in files:
            content = landing.read(file)
            figures, units = query_lines(_FIGURES, content), _registered(self.kpis, query_lines(_TITLES, content))
            # A saved extract may hold more key figures than are registered; they stay in landing.
            registered = figures.join(units.drop("landing_row"), on="series_id", how="inner")
            if not landing.is_still_sent(file):
                told, wanted = pl.col("told_unit"), pl.col("registered_unit")
                registered = registered.filter(told.is_null() | (told == wanted))
            yield from _complete_figures(file, registered).to_batches()


@dataclass(frozen=True)
class KoladaSeries(_Registered):
    """Titles, units and descriptions of ``kpis``; one that Kolada no longer lists is withdrawn."""

    name: str = "kolada_series"

    def fetch(self, landing: Landing, days: Sequence[date] = ()) -> list[LandedFile]:
        """Land the metadata. Raises ``SourceUnreachable``; then nothing lands."""
        answers = read_answers(self.name, self.origin, METADATA, list(metadata_paths(tuple(self.kpis))))
        return [land_answers(landing, self.name, self.origin, answers)]

    def decode(self, landing: Landing, files: Iterable[LandedFile]) -> Iterator[pa.RecordBatch]:
        """One row a registered key figure as ``INDICATOR_SERIES_SCHEMA``."""
        for file in files:
            told = _registered(self.kpis, query_lines(_TITLES, landing.read(file)))
            series = told.with_columns(
                pl.lit(KOLADA).alias("source"),
                pl.col("told_unit").alias("unit"),
                pl.col("title").is_null().alias("is_withdrawn"),
                pl.lit(file.received_at).alias("received_at"),
                pl.lit(file.landing_id).alias("landing_id"),
                pl.col("landing_row").fill_null(1),
                pl.lit(None, pl.String).alias("reject_reason"),
                pl.lit(None, pl.String).alias("source_row"),
            )
            table = series.select(INDICATOR_SERIES_SCHEMA.names).to_arrow()
            yield from table.cast(INDICATOR_SERIES_SCHEMA).to_batches()


_TITLES: Final = f"""
    {LINES},
    kpi AS (
        SELECT landing_row, unnest(json_transform(body, '{{"values": [{{"id": "VARCHAR", "title": "VARCHAR",
               "description": "VARCHAR", "publication_date": "VARCHAR"}}]}}').values) AS said
        FROM line WHERE starts_with(address, '{METADATA}')
    )
    SELECT said.id AS series_id, any_value(landing_row) AS landing_row,
           any_value(nullif(trim(said.title), '')) AS title, any_value(said.description) AS description,
           max(try_cast(left(said.publication_date, 10) AS DATE)) AS published
    FROM kpi WHERE said.id IS NOT NULL GROUP BY said.id
"""  # noqa: S608 - constants
_FIGURES: Final = f"""
    {LINES},
    observation AS (
        SELECT landing_row, unnest(json_transform(body, '{{"values": [{{"kpi": "VARCHAR", "municipality": "VARCHAR",
               "ou": "VARCHAR", "period": "VARCHAR", "values": [{{"gender": "VARCHAR", "status": "VARCHAR",
               "value": "VARCHAR", "isdeleted": "BOOLEAN"}}]}}]}}').values) AS said
        FROM line WHERE NOT starts_with(address, '{METADATA}')
    )
    SELECT landing_row, said.kpi AS series_id, coalesce(said.municipality, said.ou) AS area_id, said.period AS period,
           figure.gender AS breakdown, figure.value AS said_value, lower(trim(coalesce(figure.status, ''))) AS status,
           coalesce(figure.isdeleted, false) AS is_deleted
    FROM (SELECT *, unnest(said.values) AS figure FROM observation)
"""  # noqa: S608 - constants


def _registered(kpis: Mapping[str, str], titles: pl.DataFrame) -> pl.DataFrame:
    """Every registered key figure with what Kolada says of it; the unit is what follows the title's last comma."""
    register = pl.DataFrame({"series_id": list(kpis), "registered_unit": list(kpis.values())})
    told_unit = pl.col("title").str.extract(r",\s*([^,]+)$", 1).str.strip_chars()
    return register.join(titles, on="series_id", how="left").with_columns(told_unit.alias("told_unit"))


def _complete_figures(file: LandedFile, figures: pl.DataFrame) -> pa.Table:
    number = pl.col("said_value").cast(pl.Float64, strict=False)
    status = pl.col("status").replace(STATUSES)
    received = file.received_at.date()
    # A day after the snapshot is the next publication's, announced; the figures are of the one before.
    published = pl.when(pl.col("published") <= received).then(pl.col("published"))
    complete = figures.with_columns(
        pl.lit(KOLADA).alias("source"),
        pl.when(~pl.col("is_deleted")).then(number).alias("value"),
        pl.when(pl.col("is_deleted") | ((status == OBSERVED) & pl.col("said_value").is_null()))
        .then(pl.lit(MISSING))
        .otherwise(status)
        .alias("value_status"),
        pl.col("told_unit").alias("unit"),
        published.fill_null(pl.lit(received)).dt.to_string("%Y-%m-%d").alias("vintage"),
        published.cast(pl.Datetime("us")).dt.replace_time_zone("UTC").alias("released_at"),
        pl.lit(file.received_at).alias("received_at"),
        pl.lit(file.landing_id).alias("landing_id"),
        pl.coalesce(
            pl.when(pl.col("title").is_null()).then(pl.lit("Kolada no longer lists the key figure")),
            pl.when(pl.col("told_unit").is_null() | (pl.col("told_unit") != pl.col("registered_unit"))).then(
                pl.format(
                    "the unit is '{}' and not '{}' as registered",
                    pl.col("told_unit").fill_null(""),
                    pl.col("registered_unit"),
                )
            ),
            pl.when(pl.col("said_value").is_not_null() & number.is_null()).then(
                pl.format("value '{}' is not a number", pl.col("said_value").fill_null(""))
            ),
        ).alias("reject_reason"),
    )
    told = pl.format(
        "{} {} {} {}: {}", *(pl.col(name).fill_null("") for name in ("series_id", "area_id", "period", "breakdown")),
        pl.col("said_value").fill_null("null"),
    )  # fmt: skip
    source_row = pl.when(pl.col("reject_reason").is_not_null()).then(told).alias("source_row")
    table = complete.with_columns(source_row).select(INDICATOR_VALUE_SCHEMA.names).to_arrow()
    return table.cast(INDICATOR_VALUE_SCHEMA)
