"""Configured sources and what they fill: the bridge from settings to the plain clients and parsers."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

import pyarrow as pa

from hogland_pipeline.feed_settings import ObservationSettings
from hogland_pipeline.feeds import make_feed
from hogland_pipeline.origin_settings import OriginSettings
from hogland_pipeline.settings import (
    PROJECT_ROOT,
    ChirpStackSettings,
    Settings,
    SettingsError,
    SmhiSettings,
    TheThingsStackSettings,
)
from hogland_pipeline.sources.emission_database import EmissionDatabase
from hogland_pipeline.sources.indicators import MalformedAnswer
from hogland_pipeline.sources.kolada import Kolada, KoladaSeries
from hogland_pipeline.sources.kolada_groups import KoladaGroups
from hogland_pipeline.sources.privacy import RespondentKey
from hogland_pipeline.sources.scb_pxweb import ScbPxWeb, Table
from hogland_pipeline.sources.survey import RespondentKeyChanged, SurveyExports
from hogland_pipeline.sources.survey_sheet import MalformedExport
from hogland_pipeline.sources.survey_wave import InvalidWave, load_wave
from hogland_pipeline.sources.uttc_catalogue import UttcCatalogue
from hogland_pipeline.sources.uttc_pages import MalformedPage
from hogland_pipeline.warehouse import (
    AREA_GROUP,
    INDICATOR_SERIES,
    INDICATOR_VALUE,
    SENSOR_READING,
    SURVEY_ANSWER,
    UTTC_SOLUTION,
    RawTable,
)
from sensors_ingest.decoders.declared import ProfileError
from sensors_ingest.decoders.profiles import load_profiles
from sensors_ingest.deliveries import Delivery
from sensors_ingest.devices import DeviceListError, load_devices
from sensors_ingest.envelopes import CHIRPSTACK, THE_THINGS_STACK
from sensors_ingest.http import Folder, HttpOrigin
from sensors_ingest.landing import LandedFile, Landing
from sensors_ingest.network_server import NetworkServer
from sensors_ingest.smhi import Series, Smhi
from sensors_ingest.tabular import Tabular
from sensors_ingest.the_things_stack import TheThingsStack

SENSORS_FILE = PROJECT_ROOT / "dbt_project" / "seeds" / "sensors.csv"


class Source(Protocol):
    """What every client and parser offers; see the modules of ``sensors_ingest`` and ``sources``."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def decoder_version(self) -> str: ...  # noqa: D102
    def fetch(self, landing: Landing, days: Sequence[date]) -> list[LandedFile]: ...  # noqa: D102
    def decode(  # noqa: D102
        self, landing: Landing, files: Iterable[LandedFile]
    ) -> Iterator[pa.RecordBatch]: ...


def _no_notes(landing: Landing, files: Sequence[LandedFile]) -> list[str]:
    return []


def _nothing_delivered() -> list[Delivery]:
    return []


@dataclass(frozen=True)
class BoundSource:
    """A configured source, the raw table it fills, and what the UI says of it.

    ``malformed`` are the exceptions with which the source says that what it was given cannot be read at all;
    ``notes`` are its warnings about files that could. ``delivered`` are the files of a drop folder with a file a day.
    """

    source: Source
    table: RawTable
    kind: str
    description: str
    owner: str
    is_daily: bool
    is_remote: bool
    is_pushed: bool = False
    malformed: tuple[type[Exception], ...] = ()
    notes: Callable[[Landing, Sequence[LandedFile]], Sequence[str]] = _no_notes
    delivered: Callable[[], Sequence[Delivery]] = _nothing_delivered


def bind_sources(settings: Settings) -> list[BoundSource]:
    """Every source of the configuration. Raises ``SettingsError`` when one cannot be built from what it says."""
    return [*_feeds(settings), *_survey(settings), *_uttc_catalogue(settings), *_indicators(settings)]


def _feeds(settings: Settings) -> Iterator[BoundSource]:
    for name, feed in settings.feeds.items():
        if isinstance(feed, ObservationSettings):
            yield _observations(settings, name, feed)
            continue
        if isinstance(feed, SmhiSettings):
            origin, owner, is_remote = _origin(feed), settings.owner, feed.url is not None
            try:
                series = tuple(Series(each.parameter, each.station) for each in feed.series)
            except ValueError as error:
                raise SettingsError(f"feeds.{name}.series: {error}") from None
            yield BoundSource(
                Smhi(name, origin, series),
                SENSOR_READING,
                "smhi",
                "Weather observations of SMHI (metobs).",
                owner,
                is_daily=True,
                is_remote=is_remote,
            )
        else:
            yield _uplinks(settings, name, feed)


def _uplinks(settings: Settings, name: str, feed: TheThingsStackSettings | ChirpStackSettings) -> BoundSource:
    """A feed of LoRaWAN uplinks. What is pushed has no partitions: it is loaded whenever a segment is sealed."""
    try:
        profiles = load_profiles(settings.decoder_profiles)
        devices = load_devices(SENSORS_FILE, name, profiles)
    except (DeviceListError, ProfileError) as error:
        raise SettingsError(str(error)) from None
    source: TheThingsStack | NetworkServer
    if isinstance(feed, TheThingsStackSettings) and feed.listen is None:
        application, place = feed.application or "", _origin(feed)
        source = TheThingsStack(name, place, devices, application, settings.timezone, profiles=profiles)
    else:
        envelope = CHIRPSTACK if isinstance(feed, ChirpStackSettings) else THE_THINGS_STACK
        source = NetworkServer(name, envelope, devices, Folder(feed.folder) if feed.folder else None, profiles)
    return BoundSource(
        source,
        SENSOR_READING,
        "lorawan",
        f"Uplinks of LoRaWAN sensors from {'ChirpStack' if feed.kind == 'chirpstack' else 'The Things Stack'}.",
        settings.owner,
        is_daily=feed.listen is None,
        is_remote=feed.url is not None,
        is_pushed=feed.listen is not None,
        delivered=source.delivered,
    )


def _observations(settings: Settings, name: str, place: ObservationSettings) -> BoundSource:
    try:
        feed = make_feed(name, place, _origin(place), settings.timezone)
    except ValueError as error:
        raise SettingsError(f"feeds.{name}: {error}.") from None
    return BoundSource(
        feed.client,
        SENSOR_READING,
        feed.kind,
        feed.description,
        settings.owner,
        is_daily=True,
        is_remote=place.url is not None,
        delivered=feed.client.delivered if isinstance(feed.client, Tabular) else _nothing_delivered,
    )


def _survey(settings: Settings) -> Iterator[BoundSource]:
    survey = settings.survey
    if survey is None:
        return
    origin = _origin(survey)
    if not isinstance(origin, Folder):
        raise SettingsError("survey: exports are read from a folder; a url is not supported.")
    try:
        waves = tuple(map(load_wave, survey.waves))
        key = RespondentKey(settings.respondent_key.get_secret_value().encode(), settings.uses_development_key)
    except InvalidWave as error:
        raise SettingsError(str(error)) from None
    except ValueError as error:
        raise SettingsError(f"HOGLAND_RESPONDENT_KEY: {error}.") from None
    exports = SurveyExports(origin, waves, key, survey.originals, survey.free_text_folder)
    yield BoundSource(
        exports,
        SURVEY_ANSWER,
        "excel",
        "Answers to the AI-maturity survey, without persons.",
        settings.owner,
        is_daily=False,
        is_remote=False,
        malformed=(MalformedExport, RespondentKeyChanged),
        notes=lambda landing, files: [f"{note.address}: {note.message}" for note in exports.notes(landing, files)],
    )


def _uttc_catalogue(settings: Settings) -> Iterator[BoundSource]:
    place = settings.uttc_catalogue
    if place is None:
        return
    catalogue = UttcCatalogue(_origin(place), place.form, delay_seconds=place.delay_seconds)
    yield BoundSource(
        catalogue,
        UTTC_SOLUTION,
        "html",
        "Solutions in the catalogue of the Urban Twin Transition Center.",
        settings.owner,
        is_daily=False,
        is_remote=place.url is not None,
        malformed=(MalformedPage,),
    )


def _indicators(settings: Settings) -> Iterator[BoundSource]:
    def bound(
        source: Source, place: OriginSettings, kind: str, description: str, table: RawTable = INDICATOR_VALUE
    ) -> BoundSource:
        return BoundSource(
            source,
            table,
            kind,
            description,
            settings.owner,
            is_daily=False,
            is_remote=place.url is not None,
            malformed=(MalformedAnswer,),
        )

    ned, kolada, scb = settings.indicators.ned, settings.indicators.kolada, settings.indicators.scb
    if ned:
        emissions = EmissionDatabase(_origin(ned), ned.substances)
        yield bound(emissions, ned, "excel", "Territorial emissions of the national emission database (SMHI).")
    if kolada:
        years = tuple(range(kolada.first_year, settings.today().year + 1))
        figures = Kolada(_origin(kolada), kolada.kpis, kolada.areas, years, kolada.organisational_units)
        yield bound(figures, kolada, "json", "Key figures of municipalities from Kolada.")
        series = KoladaSeries(_origin(kolada), kolada.kpis)
        told = "What Kolada calls its key figures, compared with the last run."
        yield bound(series, kolada, "json", told, INDICATOR_SERIES)
        groups = tuple(area for area in kolada.areas if area.startswith("G"))
        if groups:
            told = "Groups of municipalities in Kolada and their members, compared with the last run."
            yield bound(KoladaGroups(_origin(kolada), groups), kolada, "json", told, AREA_GROUP)
    if scb:
        tables = tuple(Table(table.id, table.selection, table.units) for table in scb.tables)
        yield bound(ScbPxWeb(_origin(scb), tables), scb, "json", "Tables of Statistics Sweden (PxWeb).")


def _origin(place: OriginSettings) -> Folder | HttpOrigin:
    if place.folder is not None:
        return Folder(place.folder)
    return HttpOrigin(str(place.url), place.token)
