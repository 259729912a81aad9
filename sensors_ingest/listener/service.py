"""The service: every feed that is pushed, in one process, until it is told to stop or cannot go on."""

import logging
import os
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from pydantic import SecretStr

from sensors_ingest.landing import Landing
from sensors_ingest.listener.failure import ListenerFailed
from sensors_ingest.listener.mqtt import MqttBroker, MqttSubscriber
from sensors_ingest.listener.segments import AlreadyListening, SegmentLimits, Segments
from sensors_ingest.listener.webhook import Hook, webhook_app, webhook_server

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PushedFeed:
    """A feed and how it comes: from a broker, or (``secret``) by calls to ``/<name>``."""

    name: str
    broker: MqttBroker | None = None
    secret: SecretStr | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Listener:
    """What to listen to. ``host`` and ``port`` are where webhooks are received."""

    landing: Landing
    feeds: Sequence[PushedFeed]
    timezone: str
    host: str = "127.0.0.1"
    port: int = 8910
    limits: SegmentLimits = field(default_factory=SegmentLimits)

    def run(self, stop: threading.Event) -> None:
        """Listen until ``stop`` is set, then seal what is open. Raises ``ListenerFailed``."""
        failures: list[str] = []

        def fail(reason: str) -> None:
            failures.append(reason)
            stop.set()

        with ExitStack() as stack:
            hooks: dict[str, Hook] = {}
            for feed in self.feeds:
                segments = self._segments(feed, fail)
                stack.callback(segments.close)
                if feed.broker:
                    subscriber = MqttSubscriber(feed.name, feed.broker, segments, fail)
                    subscriber.start()
                    stack.callback(subscriber.stop)
                if feed.secret:
                    hooks[feed.name] = Hook(segments, feed.secret)
            if hooks:
                self._receive(hooks, stack)
            stop.wait()
        if failures:
            raise ListenerFailed(failures[0])

    def _segments(self, feed: PushedFeed, fail: Callable[[str], None]) -> Segments:
        address = feed.broker.address if feed.broker else f"http://{self.host}:{self.port}/{feed.name}"
        segments = Segments(self.landing, feed.name, address, self.timezone, self.limits, fail)
        try:
            segments.start()
        except AlreadyListening as error:
            raise ListenerFailed(str(error)) from None
        except OSError as error:
            raise ListenerFailed(f"{feed.name}: its segments cannot be kept ({error}).") from None
        return segments

    def _receive(self, hooks: dict[str, Hook], stack: ExitStack) -> None:
        try:
            bound = socket.create_server((self.host, self.port))
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise ListenerFailed(f"Webhooks cannot be received at {self.host}:{self.port}: {reason}.") from None
        server = webhook_server(webhook_app(hooks))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, name="webhooks", daemon=True)
        thread.start()

        def end() -> None:
            server.should_exit = True
            thread.join()
            bound.close()

        stack.callback(end)
        log.info("webhooks are received at http://%s:%d", self.host, self.port)
