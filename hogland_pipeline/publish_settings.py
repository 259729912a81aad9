"""Settings of the publication: each target of ``[publish]`` is optional and off without its section."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

SqlName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")]
# A sheet of Excel holds 1,048,576 rows, one of them the header.
MOST_EXTRACTED_ROWS = 1_000_000
CC_BY = "http://creativecommons.org/licenses/by/4.0/"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RowPolicy(_Section):
    """What a role sees that may not see everything: rows whose ``column`` is one of ``values``.

    Marts without that column stay closed to it, except ``whole_marts``.
    """

    column: SqlName
    values: tuple[str, ...] = Field(min_length=1)
    whole_marts: tuple[SqlName, ...] = ()


class PostgresSettings(_Section):
    """A PostgreSQL database (15 or newer); the password is in the variable that ``password_env`` names."""

    host: str
    port: int = Field(default=5432, ge=1, le=65535)
    database: str
    user: str
    password_env: str | None = None
    password: SecretStr | None = Field(default=None, exclude=True)
    sslmode: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] = "prefer"
    marts_schema: SqlName = "marts"
    readers: tuple[SqlName, ...] = ("hogland_reader",)
    row_policies: Mapping[SqlName, RowPolicy] = Field(default_factory=dict)
    kept_releases: int = Field(default=2, ge=1)
    lock_wait_seconds: float = Field(default=30.0, ge=0)

    @model_validator(mode="after")
    def _one_role_one_rule(self) -> Self:
        if both := sorted(set(self.readers) & set(self.row_policies)):
            raise ValueError(f"'{both[0]}' is in readers, who see every row, and has a row policy")
        return self

    @property
    def roles(self) -> tuple[str, ...]:
        """Every role that reads."""
        return (*self.readers, *self.row_policies)


class ExtractSettings(_Section):
    """CSV and Excel files beside the Parquet files, for marts of at most ``max_rows`` rows."""

    max_rows: int = Field(default=100_000, ge=1, le=MOST_EXTRACTED_ROWS)


class CatalogSettings(_Section):
    """What a data portal is told (DCAT-AP-SE): who publishes, where, and under which licence. Addresses are URIs."""

    title: Mapping[Literal["sv", "en"], str] = Field(min_length=1)
    description: Mapping[Literal["sv", "en"], str] = Field(min_length=1)
    base_url: str = Field(pattern=r"^https?://[^\s<>\"{}|\\^`]+$")
    publisher_name: str
    publisher_url: str = Field(pattern=r"^https?://[^\s<>\"{}|\\^`]+$")
    contact_name: str
    contact_email: str = Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")
    license_url: str = Field(default=CC_BY, pattern=r"^https?://[^\s<>\"{}|\\^`]+$")


class DocsSettings(_Section):
    """Sites about the data under ``site/docs``: dbt docs, results of checks, data dictionary. Nothing to set."""


class BiSettings(_Section):
    """What BI tools are told: ``semantic_model.yaml`` and the dashboards of Superset. Nothing to set."""


class SiteSettings(_Section):
    """The KPI page: a static site in Swedish and English. ``title`` stands at the top of every page."""

    title: Mapping[Literal["sv", "en"], str] = Field(
        default={"sv": "Höglandets nyckeltal", "en": "Indicators of Höglandet"}, min_length=2
    )


class PublishSettings(_Section):
    """Targets beside the DuckDB file and Parquet, which are always written."""

    postgres: PostgresSettings | None = None
    extracts: ExtractSettings | None = None
    catalog: CatalogSettings | None = None
    docs: DocsSettings | None = None
    bi: BiSettings | None = None
    site: SiteSettings | None = None

    @property
    def license_url(self) -> str:
        """The licence of what is published."""
        return self.catalog.license_url if self.catalog else CC_BY


SECTIONS: tuple[type[BaseModel], ...] = (
    PublishSettings,
    PostgresSettings,
    RowPolicy,
    ExtractSettings,
    CatalogSettings,
    DocsSettings,
    BiSettings,
    SiteSettings,
)
