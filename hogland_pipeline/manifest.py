"""The dbt manifest: what the project is made of, read once from ``target/manifest.json``."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final


class ManifestMissing(Exception):
    """The project has not been parsed yet, or not as it is now; ``./hogland prepare`` does it."""


_ADVICE: Final = "run './hogland prepare' first (make does)"


def layer_of(node: Mapping[str, Any]) -> str:
    """``seeds``, ``staging``, ``intermediate`` or ``marts``: the folder under ``models`` a node is in."""
    if node["resource_type"] == "seed":
        return "seeds"
    return str(node["fqn"][1])


@dataclass(frozen=True)
class Manifest:
    """A parsed dbt project."""

    content: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> "Manifest":
        """Read the manifest that ``prepare`` wrote into ``target``; raises ``ManifestMissing``, also for one of other
        models and seeds than the project has. What stands in them may change: dbt reads that when it builds.
        """
        try:
            manifest = cls(json.loads(path.read_text(encoding="utf-8")))
            known = {str(node["name"]) for node in manifest.built_nodes()}
        except FileNotFoundError:
            raise ManifestMissing(f"{path.name} of dbt is not there: {_ADVICE}.") from None
        except (ValueError, KeyError, TypeError):
            raise ManifestMissing(f"{path.name} of dbt cannot be read: {_ADVICE}.") from None
        project = path.parent.parent
        patterns = ("models/**/*.sql", "models/**/*.py", "seeds/*.csv")
        there = {file.stem for pattern in patterns for file in project.glob(pattern)}
        if others := sorted(known ^ there):
            raise ManifestMissing(
                f"{path.name} of dbt is not that of the project (it differs in {', '.join(others)}): {_ADVICE}."
            )
        return manifest

    def node(self, unique_id: str) -> Mapping[str, Any]:
        """One node by its unique id."""
        node: Mapping[str, Any] = self.content["nodes"][unique_id]
        return node

    def built_nodes(self) -> Iterator[Mapping[str, Any]]:
        """Seeds and models: what a build makes."""
        return (node for node in self.content["nodes"].values() if node["resource_type"] in ("seed", "model"))

    def marts(self) -> list[Mapping[str, Any]]:
        """The models that analysts get, by name."""
        return sorted(
            (node for node in self.built_nodes() if node["resource_type"] == "model" and layer_of(node) == "marts"),
            key=lambda node: str(node["name"]),
        )

    def personal_tables(self) -> set[str]:
        """Names of the raw tables that hold what persons answered (``is_personal`` in the source's meta)."""
        sources = self.content["sources"].values()
        return {str(source["name"]) for source in sources if source["config"].get("meta", {}).get("is_personal")}

    def raw_tables_behind(self, unique_id: str) -> set[str]:
        """Names of the raw tables that a node draws on, through any number of models."""
        if unique_id.startswith("source."):
            source = self.content["sources"][unique_id]
            return {str(source["name"])} if source["schema"] == "raw" else set()
        tables: set[str] = set()
        for parent in self.node(unique_id)["depends_on"].get("nodes", ()):  # a seed has none
            tables |= self.raw_tables_behind(parent)
        return tables
