"""Land what a source is said to have sent, and decode it."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa

from sensors_ingest.decoders.codec_object import Path as ObjectPath
from sensors_ingest.decoders.codec_object import ReadObjects, columns_at
from sensors_ingest.decoders.fields import Numbers
from sensors_ingest.decoders.profile import Profile
from sensors_ingest.landing import LandedFile, Landing
from sensors_ingest.readings import READING_SCHEMA

RECORDED = Path(__file__).parents[2] / "shared/data/feeds"


def land(landing: Landing, *contents: Any, address: str = "a.json", suffix: str = "json") -> list[LandedFile]:
    """Bytes as they are, anything else as JSON; one file each."""
    return [
        landing.write(
            "feed",
            [content if isinstance(content, bytes) else json.dumps(content).encode()],
            address=address,
            suffix=suffix,
        )
        for content in contents
    ]


def readings(batches: Iterable[pa.RecordBatch]) -> pl.DataFrame:
    """Candidate readings as one frame; words are texts in it."""
    decoded = list(batches)
    for batch in decoded:
        assert batch.schema == READING_SCHEMA
    return pl.DataFrame(pa.Table.from_batches(decoded, READING_SCHEMA)).cast({pl.Categorical: pl.String})


def numbers_of_objects(profile: Profile, *texts: str | None) -> Numbers:
    """What a profile makes of decoded objects, one an uplink."""
    assert profile.codec_object
    return profile.decode_objects(objects_read(profile.codec_object.paths, *texts))


def objects_read(paths: Sequence[ObjectPath], *texts: str | None) -> ReadObjects:
    """Objects as they are read where uplinks are parsed."""
    with duckdb.connect() as connection:
        connection.register("uplink", pa.table({"object": pa.array(texts, pa.string())}))
        columns = ", ".join(columns_at(paths))
        read = connection.sql(f"SELECT {columns} FROM uplink").to_arrow_table()
        return ReadObjects.of(read, np.arange(len(read)), paths)


def decode(source: Any, landing: Landing, files: list[LandedFile]) -> pl.DataFrame:
    """Candidate readings in the order of their rows. What always holds of them is asserted here."""
    rows = readings(source.decode(landing, files))
    is_reject = pl.col("reject_reason").is_not_null()
    assert rows.filter(is_reject)["value"].null_count() == len(rows.filter(is_reject))
    needed = ["sensor_id", "quantity", "observed_at", "value", "unit", "quality", "received_at", "landing_id"]
    assert rows.filter(~is_reject).select(needed).null_count().sum_horizontal().sum() == 0
    assert rows.filter(~is_reject)["value"].is_finite().all()
    assert rows["landing_row"].null_count() == 0
    assert rows.is_empty() or rows["landing_row"].min() >= 1
    return rows.sort("landing_id", "landing_row", "quantity", "observed_at", "value")


def decode_one(source: Any, landing: Landing, content: Any, **how: Any) -> pl.DataFrame:
    """The readings of one document."""
    return decode(source, landing, land(landing, content, **how))
