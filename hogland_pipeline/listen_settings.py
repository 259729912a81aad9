"""Settings of feeds that are pushed to us, and of the service that listens (``python -m hogland_pipeline listen``)."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from hogland_pipeline.origin_settings import OriginSettings, Section

Port = Annotated[int, Field(ge=1, le=65535)]
# A secret that is guessed gives anybody a way to put readings into the warehouse.
SHORTEST_SECRET = 16
TOPIC_FILTER = re.compile(r"(?!\Z)(?:(?:[^+#/]*|\+)/)*(?:[^+#/]*|\+|#)")


class MqttSettings(Section):
    """A broker to subscribe to; the password is in the variable that ``password_env`` names.

    Without ``topics`` the network server's own. ``client_id`` names the session that the broker keeps for us.
    """

    host: str
    port: Port = 8883
    tls: bool = True
    ca_file: Path | None = None
    username: str | None = None
    password_env: str | None = None
    password: SecretStr | None = Field(default=None, exclude=True)
    client_id: str | None = None
    topics: tuple[str, ...] = ()

    @field_validator("topics")
    @classmethod
    def _are_filters(cls, topics: tuple[str, ...]) -> tuple[str, ...]:
        """The service would be connected, and hear nothing."""
        for topic in topics:
            if not TOPIC_FILTER.fullmatch(topic):
                rule = "+ stands alone between slashes, # alone at the end"
                raise ValueError(f"'{topic}' is no topic filter: {rule}")
        return topics


class WebhookSettings(Section):
    """Calls to ``/<feed>``; ``secret_env`` names the variable with the secret that the caller sends."""

    secret_env: str
    secret: SecretStr | None = Field(default=None, exclude=True)


class ListenSettings(Section):
    """How messages come to us: from a broker (``mqtt``) or by calls (``webhook``)."""

    mqtt: MqttSettings | None = None
    webhook: WebhookSettings | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.mqtt is None) == (self.webhook is None):
            raise ValueError("needs either mqtt or webhook, and not both")
        return self


class PushableSettings(OriginSettings):
    """A source that is in a ``folder``, at a ``url``, or pushed to us (``listen``)."""

    listen: ListenSettings | None = None

    @model_validator(mode="after")
    def _exactly_one_place(self) -> Self:
        if [self.folder, self.url, self.listen].count(None) != 2:
            raise ValueError("needs exactly one of folder, url and listen")
        return self


class ListenerSettings(Section):
    """The service: where it receives calls, and when it seals a segment."""

    host: str = "127.0.0.1"
    port: Port = 8910
    segment_seconds: float = Field(default=300, gt=0, le=86_400)
    segment_megabytes: float = Field(default=64, gt=0, le=1024)


SECTIONS = (MqttSettings, WebhookSettings, ListenSettings, PushableSettings, ListenerSettings)


def complete_listen(folder: Path, listen: Any, environment: Mapping[str, str]) -> str | None:
    """Make paths absolute and fetch secrets that are set; returns what is wrong.

    A secret that is not set is missed by the service alone: the nightly run reads the same file and needs none.
    """
    if not isinstance(listen, dict):
        return None
    for name, secret in (("mqtt", "password"), ("webhook", "secret")):
        section = listen.get(name)
        if not isinstance(section, dict):
            continue
        if secret in section:
            return f"{name}.{secret} is a secret: name its variable in {secret}_env instead"
        if isinstance(section.get("ca_file"), str):
            section["ca_file"] = (folder / section["ca_file"]).resolve()
        value = environment.get(str(section.get(f"{secret}_env")))
        if value:
            section[secret] = value
    return None


def missing_secret(listen: ListenSettings) -> str | None:
    """Which secret the service cannot do without, in words, or None."""
    if listen.mqtt and listen.mqtt.password_env and listen.mqtt.password is None:
        return f"reads its password from {listen.mqtt.password_env}, which is not set"
    if listen.webhook and listen.webhook.secret is None:
        return f"reads its secret from {listen.webhook.secret_env}, which is not set"
    if listen.webhook and listen.webhook.secret and len(listen.webhook.secret.get_secret_value()) < SHORTEST_SECRET:
        return f"has a secret in {listen.webhook.secret_env} that is shorter than {SHORTEST_SECRET} characters"
    return None
