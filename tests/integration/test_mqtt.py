"""The push service against a real mosquitto: killed in full flow, restarted, refused. ``make test`` installs it."""

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from sensors_ingest.landing import Landing
from sensors_ingest.listener.segments import body_of
from tests.brokers import MOSQUITTO, Broker, Service, broker, end_services

pytestmark = pytest.mark.skipif(
    MOSQUITTO is None and os.environ.get("CI") != "true", reason="mosquitto is not installed"
)
TOPIC = "application/a/device/24e124713c140003/event/up"
MESSAGES = 100_000


def uplink(number: int) -> bytes:
    return json.dumps({"deduplicationId": f"d{number}", "fCnt": number, "data": "AXVkA2f4/wSCxgIFAAA="}).encode()


def feed(port: int, more: str = "tls = false") -> str:
    return f"""
            [feeds.chirp]
            kind = "chirpstack"
            [feeds.chirp.listen.mqtt]
            host = "127.0.0.1"
            port = {port}
            {more}
    """


def publisher(port: int) -> Client:
    client = Client(CallbackAPIVersion.VERSION2, client_id="publisher")
    client.max_inflight_messages_set(1000)
    client.max_queued_messages_set(0)
    client.connect("127.0.0.1", port)
    client.loop_start()
    return client


def publish(port: int, numbers: range) -> None:
    client = publisher(port)
    # MQTT has 65,535 names for messages under way.
    for start in range(0, len(numbers), 5_000):
        sent = [client.publish(TOPIC, uplink(number), qos=1) for number in numbers[start : start + 5_000]]
        for each in sent:
            each.wait_for_publish(120)
    client.disconnect()
    client.loop_stop()


def stored(service: Service) -> Iterator[int]:
    """The number of every message in landing, and in segments that are still open."""
    landing = Landing(service.landing)
    for file in landing.files("chirp"):
        for line in landing.read(file).splitlines():
            yield json.loads(body_of(line))["fCnt"]
    for path in (service.landing / "chirp" / "open").glob("*.ndjson"):
        for line in path.read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n"):
                yield json.loads(body_of(line))["fCnt"]


def wait_until_stored(service: Service, numbers: range, seconds: float) -> None:
    """Until all are on disk, sealed or not."""
    deadline = time.monotonic() + seconds
    while True:
        missing = set(numbers) - set(stored(service))
        if not missing:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(missing)} of {len(numbers)} are missing: {service.said()[-2000:]}")
        time.sleep(1)


@pytest.fixture(autouse=True)
def none_left_running() -> Iterator[None]:
    yield
    end_services()


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Broker]:
    folder = tmp_path / "broker"
    folder.mkdir()
    with broker(folder) as running:
        yield running


def subscribed(tmp_path: Path, port: int) -> Service:
    """A service that has a session at the broker."""
    service = Service(tmp_path, feed(port))
    service.start()
    service.wait_until_said("subscribed to")
    return service


def test_killed_in_full_flow_nothing_is_lost(tmp_path: Path, mosquitto: Broker) -> None:
    service = subscribed(tmp_path, mosquitto.port)
    flow = threading.Thread(target=publish, args=(mosquitto.port, range(MESSAGES)))
    flow.start()
    kills = 0
    while flow.is_alive() and kills < 5:
        time.sleep(1.5)
        service.kill()
        kills += 1
        service.start()
    flow.join()
    assert kills >= 2
    wait_until_stored(service, range(MESSAGES), 300)
    assert service.stop() == 0
    # Sealed whole, each in its day: nothing is left open.
    assert list((service.landing / "chirp" / "open").glob("*.ndjson")) == []
    found = list(stored(service))
    assert set(found) == set(range(MESSAGES))
    # At least once: what was in flight at a kill may come twice, and no more than that.
    assert len(found) - MESSAGES <= kills * 2_000


def test_what_was_queued_while_it_was_down_comes_at_the_start(tmp_path: Path, mosquitto: Broker) -> None:
    service = subscribed(tmp_path, mosquitto.port)
    publish(mosquitto.port, range(10))
    wait_until_stored(service, range(10), 60)
    assert service.stop() == 0
    publish(mosquitto.port, range(10, 500))
    service.start()
    service.wait_until_said("session resumed")
    wait_until_stored(service, range(500), 60)
    assert service.stop() == 0
    assert sorted(stored(service)) == list(range(500))


def test_messages_larger_than_a_call_may_be_are_refused_once(tmp_path: Path, mosquitto: Broker) -> None:
    """Both come to the session, the one that fits is stored, and neither comes again."""
    service = subscribed(tmp_path, mosquitto.port)
    client = publisher(mosquitto.port)
    largest = uplink(1) + b" " * ((1 << 20) - len(uplink(1)))
    for body in (uplink(0) + b"secret" * 200_000, largest):
        client.publish(TOPIC, body, qos=1).wait_for_publish(60)
    client.disconnect()
    client.loop_stop()
    wait_until_stored(service, range(1, 2), 60)
    assert service.stop() == 0
    size = len(uplink(0)) + 1_200_000
    assert f"refused a message of {size} bytes, the limit is 1048576; refused since the start: 1" in service.said()
    service.start()
    service.wait_until_said("session resumed")
    publish(mosquitto.port, range(2, 3))
    wait_until_stored(service, range(1, 3), 60)
    assert service.stop() == 0
    assert list(stored(service)) == [1, 2]
    assert service.said().count("refused a message") == 1
    assert "secretsecret" not in service.said()


def test_a_broker_that_restarts_is_connected_to_again(tmp_path: Path, mosquitto: Broker) -> None:
    service = subscribed(tmp_path, mosquitto.port)
    mosquitto.stop()
    service.wait_until_said("ended")
    mosquitto.start()
    service.wait_until_said("session resumed")
    publish(mosquitto.port, range(5))
    wait_until_stored(service, range(5), 60)
    assert service.stop() == 0


def certificates(folder: Path, name: str) -> None:
    """A certificate authority and a certificate for 127.0.0.1."""
    run = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    run += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{name}.key", "-out", f"{name}.pem"]
    subprocess.run(run, cwd=folder, check=True, capture_output=True)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Broker]:
    """TLS, and a password."""
    folder = tmp_path / "guarded"
    folder.mkdir()
    certificates(folder, "broker")
    certificates(tmp_path, "other")
    passwords = folder / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(passwords), "hogland", "right-secret"], check=True)
    options = [
        "allow_anonymous false",
        f"password_file {passwords}",
        f"certfile {folder}/broker.pem",
        f"keyfile {folder}/broker.key",
    ]
    with broker(folder, options) as running:
        yield running


def guarded_service(tmp_path: Path, port: int, ca_file: str, password: str) -> Service:
    more = f'ca_file = "{ca_file}"\nusername = "hogland"\npassword_env = "MQTT_PASSWORD"'
    service = Service(tmp_path, feed(port, more), environment={"MQTT_PASSWORD": password})
    service.start()
    return service


def test_tls_and_password(tmp_path: Path, guarded: Broker) -> None:
    service = guarded_service(tmp_path, guarded.port, "guarded/broker.pem", "right-secret")
    service.wait_until_said("connected to mqtts://")
    assert service.stop() == 0
    assert "right-secret" not in service.said()


@pytest.mark.parametrize(
    ("ca_file", "password", "said"),
    [
        ("guarded/broker.pem", "wrong-secret", "refuses the connection: Not authorized"),
        ("other.pem", "right-secret", "is not trusted"),
    ],
)
def test_refusals_end_the_service_with_a_sentence(
    tmp_path: Path, guarded: Broker, ca_file: str, password: str, said: str
) -> None:
    service = guarded_service(tmp_path, guarded.port, ca_file, password)
    assert service.process.wait(60) == 1
    assert said in service.said()
    assert "Traceback" not in service.said()
    assert password not in service.said()


def test_a_broker_that_is_away_is_waited_for(tmp_path: Path, mosquitto: Broker) -> None:
    mosquitto.stop()
    service = Service(tmp_path, feed(mosquitto.port))
    service.start()
    service.wait_until_said("cannot be reached")
    mosquitto.start()
    service.wait_until_said("connected to")
    assert service.stop() == 0


def test_two_services_cannot_listen_to_one_feed(tmp_path: Path, mosquitto: Broker) -> None:
    service = subscribed(tmp_path, mosquitto.port)
    second = Service(tmp_path, feed(mosquitto.port))
    second.start()
    assert second.process.wait(60) == 1
    assert "Another process listens to chirp already." in second.said()
    assert service.stop() == 0
