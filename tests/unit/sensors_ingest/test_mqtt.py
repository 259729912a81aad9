"""The MQTT subscriber where no broker is needed; with one: ``tests/integration/test_mqtt.py``."""

import threading
from pathlib import Path

import pytest

from sensors_ingest.landing import Landing
from sensors_ingest.listener.mqtt import MqttBroker, MqttSubscriber
from sensors_ingest.listener.segments import SegmentLimits, Segments


@pytest.mark.parametrize("host", ["broker..example.org", "", "b" * 70])
def test_a_host_that_can_be_none_ends_the_service(tmp_path: Path, host: str) -> None:
    refusals: list[str] = []
    refused = threading.Event()

    def refuse(reason: str) -> None:
        refusals.append(reason)
        refused.set()

    segments = Segments(Landing(tmp_path), "feed", "", "UTC", SegmentLimits())
    subscriber = MqttSubscriber("feed", MqttBroker(host, 1883, ("#",), "me", tls=False), segments, refuse)
    subscriber.start()
    assert refused.wait(10)
    subscriber.stop()
    assert refusals[0].startswith(f"feed: mqtt://{host}:1883 cannot be the address of a broker: ")
