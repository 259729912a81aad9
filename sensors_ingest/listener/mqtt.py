"""MQTT: a subscriber with a persistent session, which acknowledges a message when its bytes are on disk."""

import logging
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from pydantic import SecretStr

from sensors_ingest.listener.segments import LARGEST_BODY_BYTES, Message, Segments

KEEPALIVE_SECONDS: Final = 60
LONGEST_WAIT_SECONDS: Final = 60

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MqttBroker:
    """Where to subscribe and as whom. With ``tls`` the broker's certificate is checked, against ``ca_file`` if given.

    ``client_id`` is the name of the session: the broker keeps messages for it while the service is down.
    """

    host: str
    port: int
    topics: tuple[str, ...]
    client_id: str
    tls: bool = True
    ca_file: Path | None = None
    username: str | None = None
    password: SecretStr | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        """For logs and landing: no user, no password."""
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"


class MqttSubscriber:
    """One feed's subscription. Lost connections come back by themselves; a refusal ends the service."""

    def __init__(self, feed: str, broker: MqttBroker, segments: Segments, on_refusal: Callable[[str], None]) -> None:
        self._feed, self._broker, self._segments, self._on_refusal = feed, broker, segments, on_refusal
        self._refused_count = 0
        self._stopping = threading.Event()
        self._connecting = threading.Thread(target=self._connect, name=f"mqtt of {feed}", daemon=True)
        self._client = client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=broker.client_id,
            clean_session=False,
            protocol=MQTTProtocolVersion.MQTTv311,
            manual_ack=True,
        )
        client.reconnect_delay_set(1, LONGEST_WAIT_SECONDS)
        if broker.tls:
            client.tls_set_context(ssl.create_default_context(cafile=broker.ca_file))
        if broker.username is not None:
            client.username_pw_set(broker.username, broker.password.get_secret_value() if broker.password else None)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message

    def start(self) -> None:
        """Connect in the background, for as long as it takes."""
        self._connecting.start()

    def stop(self) -> None:
        """Take no more messages. Call before the segments are closed."""
        self._stopping.set()
        self._connecting.join()
        self._client.disconnect()
        self._client.loop_stop()

    def _connect(self) -> None:
        wait = 1.0
        while not self._stopping.is_set():
            try:
                self._client.connect(self._broker.host, self._broker.port, KEEPALIVE_SECONDS)
                self._client.loop_start()
                return
            except ssl.SSLCertVerificationError as error:
                self._refuse(f"the certificate of {self._broker.address} is not trusted: {error.verify_message}")
                return
            except ValueError as error:
                self._refuse(f"{self._broker.address} cannot be the address of a broker: {error}")
                return
            except OSError as error:
                log.warning("%s: %s cannot be reached: %s", self._feed, self._broker.address, error)
            self._stopping.wait(wait)
            wait = min(2 * wait, LONGEST_WAIT_SECONDS)

    def _on_connect(
        self, client: Client, _data: Any, flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if reason.is_failure:
            # Full or starting brokers ask to come again; the others will say the same tomorrow.
            if reason.getName() in ("Server unavailable", "Server busy"):
                log.warning("%s: %s is not ready: %s", self._feed, self._broker.address, reason)
                return
            self._refuse(f"{self._broker.address} refuses the connection: {reason}")
            return
        log.info(
            "%s: connected to %s, session %s",
            self._feed,
            self._broker.address,
            "resumed" if flags.session_present else "new",
        )
        client.subscribe([(topic, 1) for topic in self._broker.topics])

    def _on_subscribe(
        self, _client: Client, _data: Any, _mid: int, reasons: list[ReasonCode], _properties: Properties | None
    ) -> None:
        for topic, reason in zip(self._broker.topics, reasons, strict=False):
            if reason.is_failure:
                self._refuse(f"{self._broker.address} refuses the subscription to {topic}: {reason}")
            elif reason.value > 0:
                log.info("%s: subscribed to %s", self._feed, topic)
            else:
                log.warning("%s: %s delivers %s at most once (QoS 0)", self._feed, self._broker.address, topic)

    def _on_disconnect(
        self, _client: Client, _data: Any, _flags: DisconnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if not self._stopping.is_set():
            log.warning("%s: the connection to %s ended: %s", self._feed, self._broker.address, reason)

    def _on_message(self, client: Client, _data: Any, message: MQTTMessage) -> None:
        def acknowledge(stored: "Future[None]") -> None:
            # What is not stored is not acknowledged: the broker sends it again when the service is back.
            if stored.exception() is None:
                client.ack(message.mid, message.qos)

        if len(message.payload) > LARGEST_BODY_BYTES:
            self._refused_count += 1
            said = "%s: refused a message of %d bytes, the limit is %d; refused since the start: %d"
            log.warning(said, self._feed, len(message.payload), LARGEST_BODY_BYTES, self._refused_count)
            client.ack(message.mid, message.qos)  # or it would come for ever
            return
        received = Message(message.topic, bytes(message.payload), datetime.now(UTC))
        self._segments.store(received).add_done_callback(acknowledge)

    def _refuse(self, reason: str) -> None:
        self._stopping.set()
        self._on_refusal(f"{self._feed}: {reason}.")
