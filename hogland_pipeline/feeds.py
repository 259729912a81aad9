"""From the settings of a feed of observations to the client that fetches and decodes it."""

from dataclasses import dataclass

from hogland_pipeline.feed_settings import (
    MetrySettings,
    NgsiLdSettings,
    ObservationSettings,
    SensorThingsSettings,
    TabularSettings,
    TrafikverketSettings,
)
from sensors_ingest.http import Folder, HttpOrigin
from sensors_ingest.metry import Metry
from sensors_ingest.ngsi_ld import NgsiLd
from sensors_ingest.sensorthings import Datastream, SensorThings
from sensors_ingest.tabular import Columns, Tabular
from sensors_ingest.trafikverket import Trafikverket
from sensors_ingest.units import Scale

FeedClient = Trafikverket | Metry | SensorThings | NgsiLd | Tabular


@dataclass(frozen=True)
class Feed:
    """A feed's client, and what the UI says of it."""

    client: FeedClient
    kind: str
    description: str


def make_feed(name: str, feed: ObservationSettings, origin: Folder | HttpOrigin, timezone: str) -> Feed:
    """Raises ``ValueError`` for settings that no client can be made of."""
    match feed:
        case TrafikverketSettings():
            roads = Trafikverket(name, origin, feed.stations, feed.box, feed.object_type)
            return Feed(roads, "json", "Road weather of Trafikverket.")
        case MetrySettings():
            meters = Metry(name, origin, feed.meters, feed.metrics, feed.granularity, feed.lookback_days)
            return Feed(meters, "json", "Consumption of energy meters.")
        case SensorThingsSettings():
            streams = tuple(Datastream(**each.model_dump()) for each in feed.datastreams)
            things = SensorThings(name, origin, streams, timezone, feed.lookback_days, feed.is_data_array)
            return Feed(things, "json", "Observations of a SensorThings server.")
        case NgsiLdSettings():
            broker = NgsiLd(name, origin, feed.entity_type, feed.entities, feed.headers, timezone, feed.lookback_days)
            return Feed(broker, "json", "Weather entities of an NGSI-LD context broker.")
        case TabularSettings():
            return Feed(_table(name, feed, origin), feed.form, "Delivered tables of readings.")


def _table(name: str, feed: TabularSettings, origin: Folder | HttpOrigin) -> Tabular:
    if not isinstance(origin, Folder):
        raise ValueError("tables are read from a folder; a url is not supported")
    said = feed.columns.model_dump()
    for key in ("observed_at", "received_at"):
        said[key] = (said[key],) if isinstance(said[key], str) else tuple(said[key])
    scales = tuple(
        Scale(each, of.quantity, of.unit, of.sentinels, of.lowest, of.highest) for each, of in feed.quantities.items()
    )
    return Tabular(
        name,
        origin,
        feed.form,
        Columns(**said),
        scales,
        feed.qualities,
        feed.timezone,
        feed.delimiter,
        feed.decimal,
    )
