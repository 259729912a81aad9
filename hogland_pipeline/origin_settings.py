"""Settings that every source has: where it is."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator


class Section(BaseModel):
    """A part of the configuration: unknown keys are errors, and nothing changes after reading."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class OriginSettings(Section):
    """Where a source is: a ``folder``, or a ``url`` with the name of the variable that holds its token."""

    folder: Path | None = None
    url: str | None = Field(default=None, pattern=r"^https?://")
    token_env: str | None = None
    token: SecretStr | None = Field(default=None, exclude=True)

    @model_validator(mode="after")
    def _exactly_one_place(self) -> Self:
        if (self.folder is None) == (self.url is None):
            raise ValueError("needs either a folder or a url, and not both")
        return self
