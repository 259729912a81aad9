"""What is loaded: deliveries of the workload generator (``../shared/bench/gen.py``), and plain DuckDB reading them.

A workload is one form of delivery: how we read it, what plain DuckDB does with the same files, and how many rows a
correct load ends with.
"""

import itertools
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from sensors_ingest.decoders.codec_object import Entry, ObjectDecoder
from sensors_ingest.decoders.fields import Field
from sensors_ingest.decoders.profile import Profile
from sensors_ingest.devices import Device
from sensors_ingest.http import Folder
from sensors_ingest.tabular import Columns, Tabular
from sensors_ingest.the_things_stack import TheThingsStack
from sensors_ingest.units import Scale

GENERATOR = Path(__file__).resolve().parents[3] / "shared" / "bench" / "gen.py"
FIRST_DAY = date(2025, 10, 22)
FORMS = ("ndjson", "csv", "tts")

SCALES = (
    Scale("temperature", "air_temperature", "degC", (-9999.0,), -40.0, 60.0),
    Scale("humidity", "relative_humidity", "percent", (-9999.0,), 0.0, 100.0),
    Scale("co2", "carbon_dioxide", "ppm", (-9999.0,), 300.0, 5000.0),
    Scale("noise", "sound_level", "dB(A)", (-9999.0,), 20.0, 120.0),
)
QUALITIES = {"G": "good", "Y": "suspect", "R": "suspect"}

# What the generator says, as rows of sensor_id, quantity, observed_at, value, unit, quality, received_at, landing_id.
READS = {
    "ndjson": """
        SELECT sensor_id, quantity, observed_at::TIMESTAMPTZ AS observed_at, value, unit, quality,
               received_at::TIMESTAMPTZ AS received_at, filename AS landing_id
        FROM read_json(?, format = 'newline_delimited', filename = true, columns = {
            sensor_id: 'VARCHAR', observed_at: 'VARCHAR', quantity: 'VARCHAR', value: 'DOUBLE', unit: 'VARCHAR',
            quality: 'VARCHAR', received_at: 'VARCHAR'})
    """,
    "csv": """
        SELECT Station AS sensor_id, Parameter AS quantity, (Datum + "Tid (UTC)")::TIMESTAMPTZ AS observed_at,
               Värde AS value, Enhet AS unit, Kvalitet AS quality, Mottagen::TIMESTAMPTZ AS received_at,
               filename AS landing_id
        FROM read_csv(?, delim = ';', header = true, filename = true)
    """,
    # A network server says when it heard a device, not when the device measured.
    "tts": """
        SELECT end_device_ids.dev_eui AS sensor_id, said.quantity AS quantity,
               date_trunc('second', received_at::TIMESTAMPTZ) AS observed_at, said.value AS value, said.unit AS unit,
               said.quality AS quality, received_at::TIMESTAMPTZ AS received_at, filename AS landing_id
        FROM (
            SELECT *, uplink_message.decoded_payload AS said
            FROM read_json(?, format = 'newline_delimited', filename = true, columns = {
                end_device_ids: 'STRUCT(dev_eui VARCHAR)', received_at: 'VARCHAR',
                uplink_message: 'STRUCT(f_port INTEGER, decoded_payload STRUCT(quantity VARCHAR, value DOUBLE,
                    unit VARCHAR, quality VARCHAR), rx_metadata STRUCT(time VARCHAR, gps_time VARCHAR)[])'})
        )
    """,
}
# What a gateway heard of every sixth uplink is two readings too, which we store. A server that sends one gateway an
# uplink, as the generator's, needs no search for the best.
_READ_WITH_SIGNALS = """
    SELECT sensor_id, uplink_key, observed_at, received_at, landing_id, unnest(CASE WHEN f_cnt % 6 = 0
               THEN [measured, {quantity: 'signal_rssi', value: heard.rssi, unit: 'dBm', quality: 'G'},
                     {quantity: 'signal_snr', value: heard.snr, unit: 'dB', quality: 'G'}]
               ELSE [measured] END, recursive := true)
    FROM (
        SELECT end_device_ids.dev_eui AS sensor_id, uplink_message.f_cnt AS f_cnt,
               sensor_id || '//' || f_cnt AS uplink_key,
               date_trunc('second', received_at::TIMESTAMPTZ) AS observed_at, received_at::TIMESTAMPTZ AS received_at,
               filename AS landing_id, uplink_message.decoded_payload AS measured,
               uplink_message.rx_metadata[1] AS heard
        FROM read_json(?, format = 'newline_delimited', filename = true, columns = {
            end_device_ids: 'STRUCT(dev_eui VARCHAR)', received_at: 'VARCHAR',
            uplink_message: 'STRUCT(f_cnt BIGINT, f_port INTEGER, decoded_payload STRUCT(quantity VARCHAR, value DOUBLE,
                unit VARCHAR, quality VARCHAR), rx_metadata STRUCT(time VARCHAR, gps_time VARCHAR, rssi DOUBLE,
                snr DOUBLE)[])'})
    )
"""
_READS_AS_RAW = {form: f"SELECT *, NULL::VARCHAR AS uplink_key FROM ({READS[form]})" for form in ("ndjson", "csv")} | {
    "tts": _READ_WITH_SIGNALS
}
_LATEST = "QUALIFY row_number() OVER (PARTITION BY sensor_id, quantity, observed_at ORDER BY received_at DESC) = 1"
# The same rows and columns as in our raw table, so that as much is written.
_AS_RAW = """
    'bench' AS feed, sensor_id, quantity, observed_at, value, unit, value::VARCHAR AS source_value, unit AS source_unit,
    quality, quality AS source_quality, received_at, 0::SMALLINT AS precedence, uplink_key, landing_id,
    now() AS ingested_at, 1 AS revision, 1::BIGINT AS load_id
"""


@dataclass(frozen=True)
class Workload:
    """Deliveries of one form in ``folder``; ``valid_rows`` is what must be in raw afterwards."""

    form: str
    folder: Path
    delivered_rows: int
    valid_rows: int

    def source(self) -> Tabular | TheThingsStack:
        """How we read them."""
        if self.form == "tts":
            return _things_stack(self.folder)
        origin = Folder(self.folder)
        if self.form == "ndjson":
            columns = Columns("sensor_id", ("observed_at",), "value", "quantity", "unit", "quality", ("received_at",))
            return Tabular("bench", origin, "ndjson", columns, SCALES, QUALITIES)
        columns = Columns("Station", ("Datum", "Tid (UTC)"), "Värde", "Parameter", "Enhet", "Kvalitet", ("Mottagen",))
        return Tabular("bench", origin, "csv", columns, SCALES, QUALITIES)

    def plain(self, paths: list[str], database: Path, *, as_raw: bool) -> tuple[Path, int]:
        """Plain DuckDB: read, keep the latest of each key, write one table: seven columns, or the rows and columns of
        raw.
        """
        columns, reads = (_AS_RAW, _READS_AS_RAW) if as_raw else ("* EXCLUDE (landing_id)", READS)
        with duckdb.connect(database) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(
                f"CREATE TABLE reading AS SELECT {columns} FROM ({reads[self.form]}) WHERE value IS NOT NULL {_LATEST}",
                [paths],
            )
            return database, count(connection, "reading")


def generated(rows: int, forms: list[str], folder: Path) -> list[Workload]:
    """About ``rows`` readings in each form: a week of up to 1,000 sensors, or as many weeks as it takes."""
    sensors, days = min(rows, 1_000_000) // 1000, 7 * max(1, rows // 1_000_000)
    expected = generate(folder, sensors, FIRST_DAY, days, forms)
    workloads = []
    for form in forms:
        valid = expected["total"]["valid"]
        if form == "tts":
            counter = itertools.count(1)
            for path in sorted((folder / form).iterdir()):
                _as_server_sends(path, counter)
            valid = _valid_uplinks(folder / form)
        workloads.append(Workload(form, folder / form, expected["total"]["rows"], valid))
    return workloads


def generate(folder: Path, sensors: int, first_day: date, days: int, forms: list[str]) -> dict[str, Any]:
    """Run the generator; returns what it expects of a correct load."""
    if not GENERATOR.exists():
        raise SystemExit("make bench needs the workload generator ../shared/bench/gen.py beside the project")
    arguments = [
        "--sensors",
        str(sensors),
        "--start",
        str(first_day),
        "--days",
        str(days),
        "--formats",
        ",".join(forms),
    ]
    subprocess.run([sys.executable, str(GENERATOR), str(folder), *arguments], check=True, stdout=subprocess.DEVNULL)
    expected: dict[str, Any] = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    return expected


def count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    """Rows of ``table``."""
    ((rows,),) = connection.execute(f"SELECT count(*) FROM {table}").fetchall()
    return int(rows)


_EUI = "A81758FF00"


def _as_server_sends(path: Path, counter: Iterator[int]) -> None:
    """The generator names devices, as their owners do, and counts nothing; a real server sends EUI and counter too."""
    text = re.sub(
        rb'"device_id":"se-(\d{6})"', rb'"device_id":"se-\1","dev_eui":"' + _EUI.encode() + rb'\1"', path.read_bytes()
    )
    path.write_bytes(re.sub(rb'"f_port":', lambda found: b'"f_cnt":%d,%b' % (next(counter), found[0]), text))
    path.rename(path.with_name(path.name.removeprefix("delivery=")))


def _things_stack(folder: Path) -> TheThingsStack:
    """Each device sends one quantity in one unit; the generator's catalogue says which."""
    fields = {
        f"{scale.said} {scale.unit}": Field(scale.quantity, 0, scale.unit, scale.unit, sentinels=((-9999, "no value"),))
        for scale in SCALES
    }
    fields["temperature degF"] = replace(
        fields["temperature degC"], source_unit="degF", multiplier=1 / 1.8, added=-32 / 1.8
    )
    fields["humidity %"] = fields.pop("humidity percent")
    profiles = {name: Profile(codec_object=ObjectDecoder((Entry(("value",), it),))) for name, it in fields.items()}
    rows = duckdb.read_csv(str(folder.parent / "catalogue.csv"), all_varchar=True).fetchall()
    devices = tuple(
        Device(_EUI + sensor.removeprefix("se-"), f"{quantity} {unit}") for sensor, quantity, unit, *_ in rows
    )
    return TheThingsStack("bench", Folder(folder), devices, profiles=profiles)


def _valid_uplinks(folder: Path) -> int:
    celsius = "CASE unit WHEN 'degF' THEN (value - 32) / 1.8 ELSE value END"
    limits = " ".join(
        f"WHEN '{scale.said}' THEN {celsius} BETWEEN {scale.lowest} AND {scale.highest}" for scale in SCALES
    )
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        ((valid,),) = connection.execute(
            f"SELECT count(DISTINCT (sensor_id, observed_at)) FROM ({READS['tts']}) WHERE CASE quantity {limits} END",
            [f"{folder}/*"],
        ).fetchall()
    return int(valid)
