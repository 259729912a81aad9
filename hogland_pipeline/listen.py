"""The listening service of the configuration, run until a signal ends it."""

import logging
import signal
import ssl
import threading

from hogland_pipeline.listen_settings import MqttSettings, PushableSettings, missing_secret
from hogland_pipeline.settings import ChirpStackSettings, Settings, SettingsError
from sensors_ingest.landing import Landing
from sensors_ingest.listener.mqtt import MqttBroker
from sensors_ingest.listener.segments import SegmentLimits
from sensors_ingest.listener.service import Listener, PushedFeed

CHIRPSTACK_TOPICS = ("application/+/device/+/event/up",)
THE_THINGS_STACK_TOPICS = ("v3/+/devices/+/up",)


def listener(settings: Settings) -> Listener:
    """What ``settings`` says to listen to. Raises ``SettingsError`` when that is nothing or a secret is missing."""
    feeds = [
        _pushed_feed(name, feed)
        for name, feed in settings.feeds.items()
        if isinstance(feed, PushableSettings) and feed.listen
    ]
    if not feeds:
        raise SettingsError("No feed is pushed: a feed with listen = { mqtt = … } or { webhook = … } is.")
    wanted = settings.listener
    limits = SegmentLimits(int(wanted.segment_megabytes * (1 << 20)), wanted.segment_seconds)
    return Listener(Landing(settings.landing_dir), feeds, settings.timezone, wanted.host, wanted.port, limits)


def listen(settings: Settings) -> None:
    """Listen until SIGTERM or SIGINT. Raises ``SettingsError`` and ``ListenerFailed``."""
    service, stop = listener(settings), threading.Event()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    service.run(stop)


def _pushed_feed(name: str, feed: PushableSettings) -> PushedFeed:
    if feed.listen is None:
        raise ValueError(f"{name} is not pushed")
    if missing := missing_secret(feed.listen):
        raise SettingsError(f"feeds.{name} {missing}.")
    if feed.listen.mqtt:
        topics = CHIRPSTACK_TOPICS if isinstance(feed, ChirpStackSettings) else THE_THINGS_STACK_TOPICS
        return PushedFeed(name, broker=_broker(name, feed.listen.mqtt, topics))
    return PushedFeed(name, secret=feed.listen.webhook.secret if feed.listen.webhook else None)


def _broker(name: str, mqtt: MqttSettings, topics: tuple[str, ...]) -> MqttBroker:
    try:
        ssl.create_default_context(cafile=mqtt.ca_file)
    except OSError as error:
        place = f"feeds.{name}.listen.mqtt.ca_file"
        raise SettingsError(f"{place}: {mqtt.ca_file} cannot be used ({error.strerror or error}).") from None
    return MqttBroker(
        mqtt.host,
        mqtt.port,
        mqtt.topics or topics,
        mqtt.client_id or f"hogland-{name}",
        mqtt.tls,
        mqtt.ca_file,
        mqtt.username,
        mqtt.password,
    )
