"""What becomes of every recorded payload: it loads, or it is rejected for the right reason. None is left out.

| file | what becomes of it |
|---|---|
| ngsi-ld/WeatherObserved_example*.jsonld | four readings each; a humidity of 1 is 100 percent |
| sensorthings/bgs_…json | two values without a data stream or unit: rejected; with its description they load |
| smhi/corrected-archive_1_akalla.csv | two readings of quality Y: suspect |
| smhi/latest-months_65090_Temperatur.csv | 3,125 hourly readings over a change of the clock |
| smhi/http_*.txt | metadata with HTTP headers, which hold no observations: rejected |
| smhi/metobs_airtemp_sites.csv | a list of stations, no observations: rejected |
| tts/storage_… and tts/ttn-… | uplinks of devices that are not ours: rejected, the device named |
| tts/error_*.json | errors instead of uplinks: rejected (pretty-printed, so a reject a line) |
"""

import json
from pathlib import Path

import polars as pl
import pytest

from sensors_ingest.documents import as_record
from sensors_ingest.http import Folder
from sensors_ingest.landing import Landing
from sensors_ingest.ngsi_ld import NgsiLd
from sensors_ingest.sensorthings import Datastream, SensorThings
from sensors_ingest.smhi import Series, Smhi
from sensors_ingest.the_things_stack import TheThingsStack
from tests.decoding import RECORDED, decode

pytestmark = pytest.mark.skipif(not RECORDED.is_dir(), reason="recorded payloads are not here")

HERE = Folder(Path())
TIDE = Datastream("7", "well", "air_temperature")
SMHI = Smhi("smhi", HERE, (Series(1, 1),))
TTS = TheThingsStack("tts", HERE, ())
ARCHIVE = "parameter/1/station/{}/period/corrected-archive/data.csv"
JSON = "parameter/1/station/1/period/latest-months/data.json"

# file: feed, address it would have, readings, rejects with the start of their reason
BECOMES = {
    "ngsi-ld/WeatherObserved_example-normalized.jsonld": (NgsiLd("twin", HERE), "a.jsonld", 4, 0, ""),
    "ngsi-ld/WeatherObserved_example.jsonld": (NgsiLd("twin", HERE), "a.jsonld", 4, 0, ""),
    "sensorthings/bgs_observationsDataFixtureMinimalExample1.json": (
        SensorThings("things", HERE, (TIDE,)),
        "a.json",
        0,
        2,
        "the observation names no data stream",
    ),
    "smhi/corrected-archive_1_akalla.csv": (SMHI, ARCHIVE.format(1), 2, 0, ""),
    "smhi/latest-months_65090_Temperatur.csv": (SMHI, ARCHIVE.format(65090), 3125, 0, ""),
    "smhi/http_data.txt": (SMHI, JSON, 0, 1, "the file is not a JSON object with a list named value"),
    "smhi/http_parameters.txt": (SMHI, JSON, 0, 1, "the file is not a JSON object with a list named value"),
    "smhi/http_periods.txt": (SMHI, JSON, 0, 1, "the file is not a JSON object with a list named value"),
    "smhi/http_stations.txt": (SMHI, JSON, 0, 1, "the file is not a JSON object with a list named value"),
    "smhi/metobs_airtemp_sites.csv": (SMHI, ARCHIVE.format(1), 0, 1, "no header line that starts with Datum"),
    "tts/storage_integration_example.ndjson": (TTS, "a.ndjson", 0, 2, "unknown device 1111111111111111"),
    "tts/ttn-dragino_lht52-temp-0_1445_1.json": (TTS, "a.ndjson", 0, 1, "unknown device A8404188A184579F"),
    "tts/ttn-dragino_lsn50-temp-1_1522_2.json": (TTS, "a.ndjson", 0, 1, "unknown device A84041291183FF1B"),
    "tts/error_0.json": (TTS, "a.ndjson", 0, None, ""),
    "tts/error_1.json": (TTS, "a.ndjson", 0, None, ""),
}


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path)


def test_every_recorded_file_is_listed() -> None:
    recorded = {str(path.relative_to(RECORDED)) for path in RECORDED.rglob("*") if path.is_file()}
    assert recorded - BECOMES.keys() == set()


@pytest.mark.parametrize("name", BECOMES)
def test_what_becomes_of_a_recorded_file(landing: Landing, name: str) -> None:
    source, address, readings, rejects, reason = BECOMES[name]
    content = (RECORDED / name).read_bytes()
    file = landing.write("feed", [content], address=address, suffix=address.rpartition(".")[2])
    rows = decode(source, landing, [file])
    reasons = rows["reject_reason"].drop_nulls()
    assert len(rows) - len(reasons) == readings
    assert len(reasons) == (rejects if rejects is not None else sum(map(bool, content.split(b"\n"))))
    assert reasons.str.starts_with(reason).all()


def test_recorded_weather_in_both_forms_reads_alike(landing: Landing) -> None:
    names = [name for name in BECOMES if name.startswith("ngsi-ld")]
    tables = [
        decode(
            NgsiLd("twin", HERE),
            landing,
            [landing.write("f", [(RECORDED / name).read_bytes()], address=name, suffix="x")],
        )
        for name in names
    ]
    values = [table.select("sensor_id", "quantity", "observed_at", "value", "unit") for table in tables]
    assert values[0].equals(values[1])
    assert dict(values[0].select("quantity", "value").iter_rows()) == {
        "air_temperature": 3.3,
        "relative_humidity": 100.0,
        "snow_depth": 20.0,
        "wind_speed": 2.0,
    }


def test_recorded_observations_load_with_their_streams_description(landing: Landing) -> None:
    [name] = [name for name in BECOMES if name.startswith("sensorthings")]
    stream = {"@iot.id": 7, "unitOfMeasurement": {"symbol": "°C"}}
    observations = json.loads((RECORDED / name).read_bytes())
    content = b"".join(b"".join(as_record([json.dumps(each).encode()])) for each in (stream, {"value": observations}))
    file = landing.write("feed", [content], address="a", suffix="json-seq")
    rows = decode(SensorThings("things", HERE, (TIDE,)), landing, [file])
    assert rows["value"].to_list() == [1.2, 3.444444]
    assert rows.select(pl.col("quality", "source_quality").unique()).row(0) == ("good", "Good")
