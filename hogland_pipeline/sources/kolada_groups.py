"""Kolada's groups of municipalities: Höglandskommunerna, and the municipalities similar to each.

A group is one row with its members. Kolada (RKA) chooses similar municipalities anew every year, so that a change of
members is a revision of the row. A municipality is no member of the group of those similar to it. Source: Kolada.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import polars as pl
import pyarrow as pa

from hogland_pipeline.sources.indicators import AREA_GROUP_SCHEMA
from hogland_pipeline.sources.kolada import KOLADA
from hogland_pipeline.sources.kolada_pages import (
    GROUPS,
    LINES,
    land_answers,
    metadata_paths,
    query_lines,
    read_answers,
)
from sensors_ingest import http
from sensors_ingest.landing import LandedFile, Landing


@dataclass(frozen=True)
class KoladaGroups:
    """Title and members of ``groups`` (ids as Kolada writes them, G…); one it no longer lists has neither."""

    origin: http.Origin
    groups: tuple[str, ...]
    name: str = "kolada_groups"

    @property
    def decoder_version(self) -> str:
        """Changes with the groups asked for: the snapshot is decoded again."""
        return f"1-{'-'.join(sorted(self.groups))}"

    def fetch(self, landing: Landing, days: Sequence[date] = ()) -> list[LandedFile]:
        """Land one snapshot. Raises ``SourceUnreachable``; then nothing lands."""
        answers = read_answers(self.name, self.origin, GROUPS, list(metadata_paths(self.groups, GROUPS)))
        return [land_answers(landing, self.name, self.origin, answers)]

    def decode(self, landing: Landing, files: Iterable[LandedFile]) -> Iterator[pa.RecordBatch]:
        """One row an asked group as ``AREA_GROUP_SCHEMA``."""
        asked = pl.DataFrame({"group_id": list(self.groups)}, schema={"group_id": pl.String})
        for file in files:
            told = asked.join(query_lines(_GROUPS, landing.read(file)), on="group_id", how="left")
            is_gone = pl.col("title").is_null()
            rows = told.with_columns(
                pl.lit(KOLADA).alias("source"),
                pl.lit(file.received_at).alias("received_at"),
                pl.lit(file.landing_id).alias("landing_id"),
                pl.col("landing_row").fill_null(1),
                pl.when(is_gone).then(pl.lit("Kolada no longer lists the group")).alias("reject_reason"),
                pl.when(is_gone).then("group_id").alias("source_row"),
            )
            yield from rows.select(AREA_GROUP_SCHEMA.names).to_arrow().cast(AREA_GROUP_SCHEMA).to_batches()


# A group that is listed twice stays two rows, for the gate to refuse.
_GROUPS: Final = f"""
    {LINES},
    municipality_group AS (
        SELECT landing_row, unnest(json_transform(body, '{{"values": [{{"id": "VARCHAR", "title": "VARCHAR",
               "members": [{{"member_id": "VARCHAR"}}]}}]}}').values) AS said
        FROM line
    )
    SELECT landing_row, said.id AS group_id, nullif(trim(said.title), '') AS title,
           list_sort(coalesce([member.member_id FOR member IN said.members], [])) AS members
    FROM municipality_group WHERE said.id IS NOT NULL
"""  # noqa: S608 - constants
