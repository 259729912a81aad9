"""Which devices a feed has, and how their payloads are decoded: read from the ``sensors`` seed."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

COLUMNS: Final = ("sensor_id", "feed", "decoder")
EUI_PATTERN: Final = r"^[0-9A-F]{16}$"


class DeviceListError(Exception):
    """The device list names no such file or column, or a row of it cannot be used; says which and why."""


@dataclass(frozen=True)
class Device:
    """One device: ``sensor_id`` is its EUI (16 upper-case hex digits), ``decoder`` a name in
    ``profiles.PROFILES``.
    """

    sensor_id: str
    decoder: str


def load_devices(path: Path, feed: str, decoders: Collection[str]) -> tuple[Device, ...]:
    """The devices of ``feed`` in the CSV file ``path``; raises ``DeviceListError`` on anything that cannot be
    used.
    """
    rows = _read(path).filter(pl.col("feed") == feed)
    euis = rows.with_columns(pl.col("sensor_id").fill_null("").str.to_uppercase().str.replace_all(r"[:\-\s]", ""))
    _refuse(
        path,
        euis.filter(~pl.col("sensor_id").str.contains(EUI_PATTERN)),
        "sensor_id is not a 16-digit device EUI",
    )
    _refuse(path, euis.filter(pl.col("sensor_id").is_duplicated()), "sensor_id is listed twice")
    known = sorted(decoders)
    _refuse(
        path,
        euis.filter(~pl.col("decoder").fill_null("").is_in(known)),
        f"decoder is none of {', '.join(known)}",
    )
    return tuple(Device(sensor_id, decoder) for sensor_id, decoder in euis.select("sensor_id", "decoder").iter_rows())


def _read(path: Path) -> pl.DataFrame:
    try:
        content = path.read_bytes()
        content.decode("utf-8")
        rows = pl.read_csv(content, infer_schema=False, row_index_name="row", row_index_offset=2)
    except UnicodeDecodeError as error:
        row = error.object.count(b"\n", 0, error.start) + 1
        raise DeviceListError(f"{path}, row {row}: not UTF-8; save the file as CSV UTF-8.") from None
    except (OSError, pl.exceptions.PolarsError) as error:
        # Further lines are advice to who calls Polars.
        reason = str(error).partition("\n")[0].rstrip(".")
        raise DeviceListError(f"{path} cannot be read as a device list: {reason}.") from error
    missing = [name for name in COLUMNS if name not in rows.columns]
    if missing and any(";" in name for name in rows.columns):
        raise DeviceListError(f"{path} separates its columns with semicolons, as Excel does; commas are needed.")
    if missing:
        raise DeviceListError(f"{path} lacks the columns {', '.join(missing)}.")
    return rows


def _refuse(path: Path, rows: pl.DataFrame, reason: str) -> None:
    if not rows.is_empty():
        row, sensor_id = rows.select("row", "sensor_id").row(0)
        raise DeviceListError(f"{path}, row {row}: {reason} ({sensor_id!r}).")
