"""Settings of pushed feeds, and what the pipeline makes of them."""

from pathlib import Path

import pytest

from hogland_pipeline.listen import listener
from hogland_pipeline.resources import bind_sources
from hogland_pipeline.settings import Settings, SettingsError, load_settings

MQTT = 'kind = "chirpstack"\nlisten = { mqtt = { host = "broker", username = "me", password_env = "P" } }'
WEBHOOK = 'kind = "the_things_stack"\nlisten = { webhook = { secret_env = "S" } }'
SECRETS = {"P": "a-password", "S": "a-secret-of-some-length"}


def load(folder: Path, feed: str, environment: dict[str, str] | None = None, more: str = "") -> Settings:
    path = folder / "hogland.toml"
    path.write_text(
        f'data_dir = "data"\nfirst_day = 2026-01-01\n{more}\n[feeds.pushed]\n{feed}\n'
        '[survey]\nfolder = "."\nwaves = ["ai_maturity_2024_25"]\n[uttc_catalogue]\nfolder = "."\n',
        encoding="utf-8",
    )
    return load_settings(path, environment or {})


def test_a_broker(tmp_path: Path) -> None:
    [feed] = listener(load(tmp_path, MQTT, SECRETS)).feeds
    assert feed.broker
    assert (feed.broker.address, feed.broker.client_id) == ("mqtts://broker:8883", "hogland-pushed")
    assert feed.broker.topics == ("application/+/device/+/event/up",)
    assert "a-password" not in repr(feed)


@pytest.mark.parametrize("topic", ["#", "+", "/", "v3/+/devices/+/up", "application/a/#", "$share/hogland/a/+/b"])
def test_topics_of_ones_own(tmp_path: Path, topic: str) -> None:
    feed = f'kind = "chirpstack"\nlisten = {{ mqtt = {{ host = "b", topics = ["{topic}"] }} }}'
    [made] = listener(load(tmp_path, feed)).feeds
    assert made.broker
    assert made.broker.topics == (topic,)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_certificate_that_cannot_be_used_is_told(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_text(content, encoding="utf-8")
    settings = load(tmp_path, 'kind = "chirpstack"\nlisten = { mqtt = { host = "b", ca_file = "ca.pem" } }')
    with pytest.raises(SettingsError, match=r"^feeds\.pushed\.listen\.mqtt\.ca_file: .*ca\.pem cannot be used \("):
        listener(settings)


def test_a_webhook(tmp_path: Path) -> None:
    made = listener(load(tmp_path, WEBHOOK, SECRETS, "[listener]\nport = 9000\nsegment_seconds = 60"))
    assert (made.host, made.port, made.limits.age_seconds) == ("127.0.0.1", 9000, 60)
    [feed] = made.feeds
    assert feed.secret
    assert feed.secret.get_secret_value() == SECRETS["S"]
    assert SECRETS["S"] not in repr(made)


def test_the_night_needs_no_secret_and_a_pushed_feed_has_no_partitions(tmp_path: Path) -> None:
    [pushed, *_] = bind_sources(load(tmp_path, MQTT))
    assert (pushed.source.name, pushed.is_pushed, pushed.is_daily) == ("pushed", True, False)


@pytest.mark.parametrize(
    ("feed", "sentence"),
    [
        (MQTT, "feeds.pushed reads its password from P, which is not set."),
        (WEBHOOK, "feeds.pushed reads its secret from S, which is not set."),
        (
            'kind = "chirpstack"\nfolder = "."',
            "No feed is pushed: a feed with listen = { mqtt = … } or { webhook = … } is.",
        ),
    ],
)
def test_the_service_needs_them(tmp_path: Path, feed: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        listener(load(tmp_path, feed))
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("feed", "sentence"),
    [
        ('kind = "chirpstack"', "feeds.pushed: needs exactly one of folder, url and listen."),
        ('kind = "chirpstack"\nfolder = "."\nlisten = { webhook = { secret_env = "S" } }', "needs exactly one of"),
        ('kind = "chirpstack"\nurl = "https://x"', "ChirpStack keeps no uplinks to ask for"),
        ('kind = "chirpstack"\nlisten = {}', "feeds.pushed.listen: needs either mqtt or webhook, and not both."),
        ('kind = "chirpstack"\nlisten = { webhook = {} }', "feeds.pushed.listen.webhook.secret_env is missing."),
        (
            'kind = "chirpstack"\nlisten = { webhook = { secret = "x" } }',
            "webhook.secret is a secret: name its variable",
        ),
        ('kind = "chirpstack"\nlisten = { mqtt = { host = "b", password = "x" } }', "mqtt.password is a secret"),
        (
            'kind = "chirpstack"\nlisten = { mqtt = { hots = "b" } }',
            "listen.mqtt.hots is not a known setting: did you mean 'host'?",
        ),
        ('kind = "chirpstack"\nlisten = { mqtt = { host = "b", port = 0 } }', "listen.mqtt.port"),
        *(
            (
                f'kind = "chirpstack"\nlisten = {{ mqtt = {{ host = "b", topics = ["a/+/up", "{topic}"] }} }}',
                f"listen.mqtt.topics: '{topic}' is no topic filter: + stands alone between slashes, # alone at the end",
            )
            for topic in ("application/#/up", "a+/b", "a#", "a/+b", "##", "")
        ),
        (
            'kind = "smhi_metobs"\nlisten = { mqtt = { host = "b" } }\nfolder = "."\nseries = []',
            "listen is not a known setting",
        ),
    ],
)
def test_mistakes_have_a_sentence(tmp_path: Path, feed: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, feed)
    assert sentence in str(caught.value)
    assert str(caught.value).startswith("hogland.toml: ")


def test_a_mistake_in_a_declared_profile_is_told(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "mine.toml").write_text('reads = "bytes"', encoding="utf-8")
    settings = load(tmp_path, MQTT, more='decoder_profiles = "profiles"')
    with pytest.raises(SettingsError, match=r"mine\.toml: source is missing"):
        bind_sources(settings)
