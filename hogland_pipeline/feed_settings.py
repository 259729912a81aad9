"""Settings of the feeds that send observations rather than uplinks: one class for each ``kind`` of ``[feeds.<name>]``.

docs/feeds.md explains the keys.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field, field_validator, model_validator

from hogland_pipeline.origin_settings import OriginSettings, Section

Text = Annotated[str, Field(min_length=1)]
Longitude = Annotated[float, Field(ge=-180, le=180)]
Latitude = Annotated[float, Field(ge=-90, le=90)]


class TrafikverketSettings(OriginSettings):
    """Road weather. The key is sent in the body; ``box`` is west, south, east and north in degrees."""

    kind: Literal["trafikverket"]
    stations: tuple[Text, ...] = ()
    box: tuple[Longitude, Latitude, Longitude, Latitude] | None = None
    object_type: Literal["WeatherObservation", "WeatherMeasurepoint"] = "WeatherObservation"

    @model_validator(mode="after")
    def _can_ask(self) -> Self:
        if self.url is not None and self.token_env is None:
            raise ValueError("needs a token_env beside its url: Trafikverket answers nobody without a key")
        if self.url is not None and not self.stations and self.box is None:
            raise ValueError("needs stations or a box beside its url")
        return self


class MetrySettings(OriginSettings):
    """Energy meters behind a Metry-style API."""

    kind: Literal["metry"]
    meters: tuple[Text, ...] = ()
    metrics: tuple[Literal["energy", "flow"], ...] = Field(default=("energy",), min_length=1)
    granularity: Literal["hour", "day", "month"] = "hour"
    lookback_days: int = Field(default=31, ge=0, le=366)

    @model_validator(mode="after")
    def _meters_for_url(self) -> Self:
        if self.url is not None and not self.meters:
            raise ValueError("needs meters beside its url")
        return self


class DatastreamSettings(Section):
    """One data stream of a SensorThings server, and what it is here."""

    id: Text
    sensor_id: Text
    quantity: Text
    sentinels: tuple[float, ...] = ()


class SensorThingsSettings(OriginSettings):
    """An OGC SensorThings server; ``url`` ends with its version (``…/v1.1``)."""

    kind: Literal["sensorthings"]
    datastreams: tuple[DatastreamSettings, ...] = Field(min_length=1)
    is_data_array: bool = False
    lookback_days: int = Field(default=2, ge=0, le=366)


class NgsiLdSettings(OriginSettings):
    """An NGSI-LD context broker: all entities of a type as they are, or the history of some by their ids."""

    kind: Literal["ngsi_ld"]
    entity_type: Text = "WeatherObserved"
    entities: tuple[Text, ...] = ()
    headers: Mapping[Text, Text] = Field(default_factory=dict)
    lookback_days: int = Field(default=2, ge=0, le=366)

    @field_validator("headers")
    @classmethod
    def _no_secret(cls, headers: Mapping[str, str]) -> Mapping[str, str]:
        if any(name.lower() == "authorization" for name in headers):
            raise ValueError("Authorization is a secret: name its variable in token_env instead")
        return headers


class TabularColumns(Section):
    """Which column of the files holds what; a time may stand in several (date and time of day)."""

    sensor_id: Text
    observed_at: Text | tuple[Text, ...]
    value: Text | None = None
    quantity: Text | None = None
    unit: Text | None = None
    quality: Text | None = None
    received_at: Text | tuple[Text, ...] = ()


class TabularQuantity(Section):
    """What one quantity of the files is here; ``unit`` is that of values without one."""

    quantity: Text
    unit: Text | None = None
    sentinels: tuple[float, ...] = ()
    lowest: float | None = None
    highest: float | None = None


class TabularSettings(OriginSettings):
    """Delivered NDJSON or CSV files of flat readings."""

    kind: Literal["tabular"]
    form: Literal["ndjson", "csv"]
    columns: TabularColumns
    quantities: Mapping[Text, TabularQuantity] = Field(min_length=1)
    qualities: Mapping[Text, Literal["good", "suspect", "unverified", "bad"]] = Field(default_factory=dict)
    timezone: str = "UTC"
    delimiter: str = Field(default=";", min_length=1, max_length=1, pattern=r'^[^"\r\n]$')
    decimal: Literal[".", ","] = "."

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"'{name}' is not a time zone such as 'Europe/Stockholm' or 'Etc/GMT-1'") from None
        return name

    @model_validator(mode="after")
    def _is_delivered(self) -> Self:
        if self.folder is None:
            raise ValueError("needs a folder: tables are delivered, not fetched")
        return self


ObservationSettings = TrafikverketSettings | MetrySettings | SensorThingsSettings | NgsiLdSettings | TabularSettings
KINDS = ("trafikverket", "metry", "sensorthings", "ngsi_ld", "tabular")
SECTIONS: tuple[type[BaseModel], ...] = (
    TrafikverketSettings,
    MetrySettings,
    SensorThingsSettings,
    DatastreamSettings,
    NgsiLdSettings,
    TabularSettings,
    TabularColumns,
    TabularQuantity,
)
