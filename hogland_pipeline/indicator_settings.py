"""Settings of the public indicators: each source of ``[indicators]`` is optional and off without its section."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from hogland_pipeline.origin_settings import OriginSettings, Section

KpiId = Annotated[str, Field(pattern=r"^[NU]\d{5}$")]
AreaId = Annotated[str, Field(pattern=r"^(\d{4}|G\d+)$")]
Codes = Annotated[tuple[str, ...], Field(min_length=1)]

INDICATOR_SOURCES = ("kolada", "kolada_series", "kolada_groups", "scb", "ned")


class EmissionSettings(OriginSettings):
    """The national emission database: a folder of workbooks and CSV series, or its address."""

    substances: tuple[Literal["GGT", "CO2"], ...] = Field(default=("GGT", "CO2"), min_length=1)


class KoladaSettings(OriginSettings):
    """Kolada: ``kpis`` are the registered key figures with the unit that their title must end with; of the groups among
    the ``areas`` the members are read too."""

    kpis: Mapping[KpiId, str] = Field(min_length=1)
    areas: tuple[AreaId, ...] = Field(min_length=1)
    organisational_units: tuple[str, ...] = ()
    first_year: int = Field(default=2010, ge=1970, le=2100)


class ScbTableSettings(Section):
    """One table of Statistics Sweden: wanted codes by variable, and the unit of each contents code."""

    id: str = Field(pattern=r"^\w+$")
    selection: Mapping[str, Codes] = Field(min_length=1)
    units: Mapping[str, str] = Field(min_length=1)


class ScbSettings(OriginSettings):
    """Statistics Sweden's PxWeb API v2."""

    tables: tuple[ScbTableSettings, ...] = Field(min_length=1)


class IndicatorSettings(Section):
    """The sources of public indicators."""

    ned: EmissionSettings | None = None
    kolada: KoladaSettings | None = None
    scb: ScbSettings | None = None


SECTIONS: tuple[type[BaseModel], ...] = (
    IndicatorSettings,
    EmissionSettings,
    KoladaSettings,
    ScbTableSettings,
    ScbSettings,
)
