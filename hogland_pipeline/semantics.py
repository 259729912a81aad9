"""The semantic model: what the marts mean to BI tools, read from ``dashboards/semantic_model.yml`` and held against
the columns that the marts have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from hogland_pipeline.settings import PROJECT_ROOT
from hogland_pipeline.site.words import in_both_languages

SEMANTIC_MODEL_PATH = PROJECT_ROOT / "dashboards" / "semantic_model.yml"
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Text = Annotated[str, Field(min_length=1)]


class SemanticsError(Exception):
    """A semantic model that cannot be used; names the file, the mart and what is wrong."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Measure(_Part):
    """A number of a mart with the one way in which it may be aggregated."""

    aggregation: Literal["sum", "avg", "min", "max", "count", "count_distinct"]
    column: Name | None = None
    sv: Text
    en: Text
    unit: Text | None = None
    format: Literal["decimal", "integer", "percent"] = "decimal"

    @property
    def label(self) -> str:
        """The Swedish name with the unit."""
        return f"{self.sv} ({self.unit})" if self.unit else self.sv

    def sql(self, name: str, table: str | None = None) -> str:
        """The aggregate as every SQL database understands it, its column qualified where a table is given."""
        column = f"{table}.{self.column or name}" if table else self.column or name
        match self.aggregation:
            case "count":
                return "COUNT(*)"
            case "count_distinct":
                return f"COUNT(DISTINCT {column})"
            case _:
                return f"{self.aggregation.upper()}({column})"


class Join(_Part):
    """Columns of another table that belong to the rows of a mart; ``where`` names a boolean column of that table."""

    to: Name
    by: Mapping[Name, Name] = Field(min_length=1)
    where: Name | None = None
    columns: tuple[Name, ...] = Field(min_length=1)


class Subject(_Part):
    """A mart as people speak of it."""

    sv: Text
    en: Text
    synonyms: tuple[Text, ...] = ()
    time: Name | None = None
    joins: tuple[Join, ...] = ()
    labels: Mapping[Name, Text] = Field(default_factory=dict)
    words: Mapping[Name, Name] = Field(default_factory=dict)
    measures: Mapping[Name, Measure] = Field(min_length=1)

    def label(self, column: str) -> str | None:
        """The Swedish name that the model gives a column: its own label, or that of the measure made of it."""
        measure = self.measures.get(column)
        return self.labels.get(column) or (measure.label if measure and not measure.column else None)


@dataclass(frozen=True)
class SemanticModel:
    """Subjects by the name of their mart."""

    subjects: Mapping[str, Subject]


def read_semantic_model(path: Path = SEMANTIC_MODEL_PATH) -> SemanticModel:
    """Read and validate the file. Raises ``SemanticsError``."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return SemanticModel(TypeAdapter(dict[Name, Subject]).validate_python(content))
    except (OSError, yaml.YAMLError) as error:
        raise SemanticsError(f"{path.name} cannot be read: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise SemanticsError(f"{path.name}, {place}: {first['msg']}") from None


def unknown_columns(model: SemanticModel, columns_of: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """A sentence for every mart and column that the model names and the marts do not have.

    `columns_of` has the type of every column by table and name.
    """
    for mart, subject in model.subjects.items():
        if mart not in columns_of:
            yield f"{mart}: there is no such mart"
            continue
        for column in _own_columns(subject):
            if column not in columns_of[mart]:
                yield f"{mart}: has no column {column}"
        yield from (
            f"{mart}: has words for column {column}, which it has not"
            for column in subject.words
            if column not in columns_of[mart]
        )
        yield from (
            f"{mart}: the words {group} of column {column} are not in the texts of the KPI page"
            for column, group in subject.words.items()
            if not in_both_languages(group)
        )
        joined = {column for join in subject.joins for column in join.columns}
        yield from (
            f"{mart}: labels column {column}, which it has not"
            for column in subject.labels
            if column not in columns_of[mart] and column not in joined
        )
        for join in subject.joins:
            theirs = [*join.by.values(), *join.columns, *([join.where] if join.where else [])]
            yield from (
                f"{mart}: joins {join.to}, which has no column {column}"
                for column in theirs
                if column not in columns_of.get(join.to, {})
            )
            yield from (
                f"{mart}: has column {column} itself and would join it from {join.to}"
                for column in join.columns
                if column in columns_of[mart]
            )


def _own_columns(subject: Subject) -> Iterator[str]:
    if subject.time:
        yield subject.time
    for name, measure in subject.measures.items():
        if measure.aggregation != "count":
            yield measure.column or name
    for join in subject.joins:
        yield from join.by
