"""Settings: ``hogland.toml`` and the environment become one frozen object, here and nowhere else.

Every mistake ends as a ``SettingsError`` of one sentence that names the file, the key and what would be right.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from hogland_pipeline import feed_settings, indicator_settings, listen_settings, publish_settings
from hogland_pipeline.feed_settings import ObservationSettings
from hogland_pipeline.indicator_settings import INDICATOR_SOURCES, IndicatorSettings
from hogland_pipeline.listen_settings import ListenerSettings, PushableSettings, complete_listen
from hogland_pipeline.origin_settings import OriginSettings, Section
from hogland_pipeline.publish_settings import PublishSettings

PROJECT_ROOT = Path(__file__).resolve().parents[1]
FEED_KINDS = ("the_things_stack", "chirpstack", "smhi_metobs", *feed_settings.KINDS)
FEED_NAME = re.compile(r"[a-z][a-z0-9_]*")
OTHER_SOURCES = ("survey", "uttc_catalogue")
# Tables beside the candidate's in the schema ``stage``, and a job: <name>_ingest_job is that of a pushed feed.
OWN_NAMES = ("landing_day", "one_day", "nightly")
DEVELOPMENT_RESPONDENT_KEY = "development-key-not-for-real-surveys"


class SettingsError(Exception):
    """A mistake in the configuration, told in one sentence."""


class TheThingsStackSettings(PushableSettings):
    """An application on The Things Stack: pushed, or with Storage Integration, whose ``url`` needs ``application``."""

    kind: Literal["the_things_stack"]
    application: str | None = None

    @model_validator(mode="after")
    def _application_for_url(self) -> Self:
        if self.url is not None and self.application is None:
            raise ValueError("needs an application beside its url")
        return self


class ChirpStackSettings(PushableSettings):
    """An application on ChirpStack, version 4 or 3: pushed, or as files in a folder."""

    kind: Literal["chirpstack"]

    @model_validator(mode="after")
    def _cannot_be_asked(self) -> Self:
        if self.url is not None:
            raise ValueError("ChirpStack keeps no uplinks to ask for: it needs listen or a folder")
        return self


class SmhiSeries(Section):
    """One SMHI metobs series: parameter number and station number."""

    parameter: int
    station: int


class SmhiSettings(OriginSettings):
    """SMHI metobs (open data, no key)."""

    kind: Literal["smhi_metobs"]
    series: tuple[SmhiSeries, ...] = Field(min_length=1)


FeedSettings = Annotated[
    TheThingsStackSettings | ChirpStackSettings | SmhiSettings | ObservationSettings, Field(discriminator="kind")
]


class SurveySettings(OriginSettings):
    """A drop folder with survey exports; ``waves`` names files under ``sources/waves`` and subfolders of the folder.

    ``originals`` are kept in the folder or removed once they have landed; free text is written to ``free_text_folder``,
    which is outside the data folder, and nowhere without one.
    """

    waves: tuple[str, ...] = Field(min_length=1)
    originals: Literal["keep", "remove"] = "keep"
    free_text_folder: Path | None = None

    @field_validator("waves")
    @classmethod
    def _named_once(cls, waves: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(waves)) < len(waves):
            raise ValueError("a wave is named twice")
        return waves


class CatalogueSettings(OriginSettings):
    """The UTTC catalogue, as pages (``html``) or as one document (``json``)."""

    form: Literal["html", "json"] = "html"
    delay_seconds: float = Field(default=1.0, ge=0)


class Settings(Section):
    """Everything the platform can be told. Paths are absolute once loaded; ``as_of`` replaces the clock's today.
    ``window_rows`` is how many rows are loaded at a time, and the rest of the day they end in."""

    data_dir: Path
    timezone: str = "Europe/Stockholm"
    first_day: date
    as_of: date | None = None
    owner: str = Field(default="team:hogland-data", pattern=r"^(team:|[^@]+@[^@]+$)")
    catch_up_days: int = Field(default=60, ge=1)
    window_rows: int = Field(default=2_500_000, ge=1)
    kept_releases: int = Field(default=7, ge=1)
    feeds: Mapping[str, FeedSettings] = Field(min_length=1)
    listener: ListenerSettings = ListenerSettings()
    decoder_profiles: Path | None = None
    survey: SurveySettings | None = None
    uttc_catalogue: CatalogueSettings | None = None
    indicators: IndicatorSettings = IndicatorSettings()
    publish: PublishSettings = PublishSettings()
    respondent_key: SecretStr = Field(default=SecretStr(DEVELOPMENT_RESPONDENT_KEY), exclude=True)

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"'{name}' is not a time zone such as 'Europe/Stockholm'") from None
        return name

    @field_validator("feeds")
    @classmethod
    def _names_fit_tables(cls, feeds: Mapping[str, Any]) -> Mapping[str, Any]:
        for name in feeds:
            if not FEED_NAME.fullmatch(name):
                raise ValueError(f"'{name}' must be lower-case letters, digits and underscores")
            if name in (*OTHER_SOURCES, *INDICATOR_SOURCES):
                raise ValueError(f"'{name}' is the name of another source")
            if name in OWN_NAMES:
                raise ValueError(f"'{name}' is a name that the platform uses itself")
        return feeds

    @model_validator(mode="after")
    def _has_a_complete_day(self) -> Self:
        if self.first_day >= self.today():
            raise ValueError(f"first_day {self.first_day} must be before today, {self.today()}: no day is complete yet")
        return self

    @model_validator(mode="after")
    def _free_text_outside_data(self) -> Self:
        folder = self.survey.free_text_folder if self.survey else None
        if folder is not None and folder.resolve().is_relative_to(self.data_dir.resolve()):
            raise ValueError("survey.free_text_folder lies in the data folder, and must lie outside it")
        return self

    @property
    def warehouse_path(self) -> Path:
        """The working database with ``raw``, ``stage``, ``quarantine`` and ``ops``. One writer at a time."""
        return self.data_dir / "warehouse.duckdb"

    @property
    def landing_dir(self) -> Path:
        """Bytes as sources sent them."""
        return self.data_dir / "landing"

    @property
    def candidate_dir(self) -> Path:
        """What is being loaded, a file a run: ``<source>-<run>.parquet``."""
        return self.data_dir / "candidate"

    @property
    def build_dir(self) -> Path:
        """dbt's build databases; ``current`` points at the last good one."""
        return self.data_dir / "build"

    @property
    def published_dir(self) -> Path:
        """What analysts read."""
        return self.data_dir / "published"

    @property
    def dagster_home(self) -> Path:
        """Dagster's own storage."""
        return self.data_dir / "dagster"

    @property
    def uses_development_key(self) -> bool:
        """True while respondents are hashed with the key that is written in the source."""
        return self.respondent_key.get_secret_value() == DEVELOPMENT_RESPONDENT_KEY

    def today(self) -> date:
        """The local date that counts as today: ``as_of``, or the clock's in ``timezone``."""
        return self.as_of or datetime.now(ZoneInfo(self.timezone)).date()


def load_settings(
    path: Path | None = None,
    environment: Mapping[str, str] = os.environ,
    *,
    data_dir: Path | None = None,
    needs_secrets: bool = True,
    fetches: bool = True,
) -> Settings:
    """Read the configuration file (``HOGLAND_CONFIG``, else the project's ``hogland.toml``) and the environment.

    ``data_dir`` overrides the file's. Relative paths are taken from the configuration file's folder. What neither
    fetches nor publishes does without the secrets of that (``needs_secrets``); what publishes and does not fetch does
    without the tokens of sources (``fetches``). Raises ``SettingsError``.
    """
    path = (path or Path(environment.get("HOGLAND_CONFIG", PROJECT_ROOT / "hogland.toml"))).resolve()
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path.name}: cannot be read ({error.strerror}: {path}).") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        hint = ": a name with å, ä, ö or a space stands in quotes" if "after a key" in str(error) else ""
        raise SettingsError(f"{path.name}: is not valid TOML: {error}{hint}.") from None
    if data_dir or "HOGLAND_DATA_DIR" in environment:
        document["data_dir"] = str(data_dir or environment["HOGLAND_DATA_DIR"])
    if "HOGLAND_RESPONDENT_KEY" in environment:
        document["respondent_key"] = environment["HOGLAND_RESPONDENT_KEY"]
    elif "respondent_key" in document:
        raise SettingsError(f"{path.name}: respondent_key is a secret: set HOGLAND_RESPONDENT_KEY instead.")
    origins = {key: document.get(key) for key in OTHER_SOURCES}
    for section in ("feeds", "indicators"):
        entries = document.get(section)
        origins |= entries if isinstance(entries, dict) else {}
    for name, origin in origins.items():
        if isinstance(origin, dict):
            _complete_origin(path, name, origin, environment, needs_token=needs_secrets and fetches)
    if needs_secrets:
        _fetch_database_password(path, document.get("publish"), environment)
    if isinstance(document.get("decoder_profiles"), str):
        document["decoder_profiles"] = (path.parent / document["decoder_profiles"]).resolve()
    if "data_dir" in document:
        document["data_dir"] = (path.parent / str(document["data_dir"])).resolve()
    try:
        return Settings.model_validate(document)
    except ValidationError as error:
        raise SettingsError(_sentence(path, error)) from None


def _complete_origin(
    path: Path, name: str, origin: dict[str, Any], environment: Mapping[str, str], *, needs_token: bool
) -> None:
    """Make the folder absolute and fetch the token from the environment."""
    if "token" in origin:
        raise SettingsError(f"{path.name}: {name}.token is a secret: name its variable in token_env instead.")
    for key in ("folder", "free_text_folder"):
        if isinstance(origin.get(key), str):
            origin[key] = (path.parent / origin[key]).resolve()
    variable = origin.get("token_env")
    if mistake := complete_listen(path.parent, origin.get("listen"), environment):
        raise SettingsError(f"{path.name}: {name}.listen.{mistake}.")
    if needs_token and isinstance(variable, str) and origin.get("url"):
        if not environment.get(variable):
            raise SettingsError(f"{path.name}: {name} reads its token from {variable}, which is not set.")
        origin["token"] = environment[variable]


def _fetch_database_password(path: Path, publish: Any, environment: Mapping[str, str]) -> None:
    """The password of ``[publish.postgres]`` from the variable that is named there."""
    postgres = publish.get("postgres") if isinstance(publish, dict) else None
    if not isinstance(postgres, dict):
        return
    if "password" in postgres:
        raise SettingsError(f"{path.name}: publish.postgres.password is a secret: name its variable in password_env.")
    variable = postgres.get("password_env")
    if isinstance(variable, str):
        if not environment.get(variable):
            raise SettingsError(f"{path.name}: publish.postgres reads its password from {variable}, which is not set.")
        postgres["password"] = environment[variable]


def _sentence(path: Path, error: ValidationError) -> str:
    """The first thing that is wrong, in words for the person who edits the file."""
    # A misspelt key is also a missing one; the misspelling is the better hint.
    first = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
    # pydantic puts the kind of a feed into the path; it is no key of the file.
    place = [str(part) for part in first["loc"] if part not in FEED_KINDS]
    key = ".".join(place) or "the file"
    if first["type"] == "extra_forbidden":
        close = difflib.get_close_matches(place[-1], [key for key in _known_keys() if key != place[-1]], n=1)
        hint = f": did you mean '{close[0]}'?" if close else "."
        return f"{path.name}: {key} is not a known setting{hint}"
    if first["type"] == "union_tag_not_found":
        return f"{path.name}: {key}.kind is missing."
    if first["type"] == "missing":
        return f"{path.name}: {key} is missing."
    if first["type"] == "union_tag_invalid":
        return f"{path.name}: {key}.kind '{first['ctx']['tag']}' is none of {first['ctx']['expected_tags']}."
    message = first["msg"].removeprefix("Value error, ")
    return f"{path.name}: {key}: {message}."


def _known_keys() -> list[str]:
    models: tuple[type[BaseModel], ...] = (
        Settings,
        TheThingsStackSettings,
        ChirpStackSettings,
        SmhiSettings,
        SmhiSeries,
        SurveySettings,
        CatalogueSettings,
        *feed_settings.SECTIONS,
        *indicator_settings.SECTIONS,
        *listen_settings.SECTIONS,
        *publish_settings.SECTIONS,
    )
    return sorted({key for model in models for key in model.model_fields})
