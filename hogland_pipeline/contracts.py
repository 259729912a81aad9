"""What a published mart promises its readers: columns with types, and for how long. None is broken without notice.

A mart may gain columns at any time. One that loses or retypes a column raises ``version`` in its ``config.meta``, and
what it was stays published beside it as ``<mart>_v<old version>`` with a ``deprecated_until`` date that is not over:

    config:
      meta: {owner: data-engineering, version: 2}                              # fct_kpi_value
      meta: {owner: data-engineering, version: 1, deprecated_until: 2027-06-30}   # fct_kpi_value_v1

The old mart may leave once that date has passed.

A mart with answers of persons behind it has no timeline (`timeline`) unless ``timeline_rows`` in its ``config.meta``
says which of its rows are free of them, as an SQL condition (docs/suppression.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from hogland_pipeline.manifest import Manifest

ALL_ROWS = "true"


class ContractError(Exception):
    """A mart's ``config.meta`` is wrong; names the mart and the key."""


@dataclass(frozen=True)
class MartContract:
    """What the project says about a mart; ``key`` finds one row, ``required`` columns are never null.

    ``timeline_rows`` is the SQL condition on the rows that its timeline keeps, None where it has no timeline.
    """

    name: str
    description: str = ""
    owner: str | None = None
    domain: str | None = None
    key: tuple[str, ...] = ()
    required: frozenset[str] = frozenset()
    version: int = 1
    deprecated_until: date | None = None
    timeline_rows: str | None = ALL_ROWS


@dataclass(frozen=True)
class Promise:
    """What was published under a name: column types, version, and until when it was announced to stay."""

    columns: Mapping[str, str]
    version: int = 1
    deprecated_until: date | None = None


def contracts_of(manifest: Manifest) -> dict[str, MartContract]:
    """Every mart's contract by name. Raises ``ContractError``."""
    tests = [node for node in manifest.content["nodes"].values() if node["resource_type"] == "test"]
    personal = manifest.personal_tables()
    return {
        str(node["name"]): _contract(node, tests, bool(manifest.raw_tables_behind(str(node["unique_id"])) & personal))
        for node in manifest.marts()
    }


def languages(description: str) -> Iterator[tuple[str, str]]:
    """Descriptions are written `svenska / English`; without the stroke they are English. Pairs of language and text."""
    swedish, stroke, english = description.partition(" / ")
    if stroke:
        yield "sv", swedish.strip()
    yield "en", (english if stroke else swedish).strip()


def broken_promises(before: Mapping[str, Promise], now: Mapping[str, Promise], today: date) -> Iterator[str]:
    """A sentence for every published mart that would lose or retype columns without notice."""
    for mart, promise in sorted(before.items()):
        loss = _loss(promise, now.get(mart))
        if loss is None or _is_kept_by_heir(mart, promise, now, today):
            continue
        if mart not in now and promise.deprecated_until is not None and promise.deprecated_until < today:
            continue
        yield (
            f"mart {mart} {loss}: raise version in its config.meta and publish the old one as "
            f"{mart}_v{promise.version} with a deprecated_until date that is not over"
        )


def _loss(promise: Promise, now: Promise | None) -> str | None:
    if now is None:
        return "is published and would disappear"
    for name, kind in promise.columns.items():
        if name not in now.columns:
            return f"loses column {name}"
        if now.columns[name] != kind:
            return f"changes column {name} from {kind} to {now.columns[name]}"
    return None


def _is_kept_by_heir(mart: str, promise: Promise, now: Mapping[str, Promise], today: date) -> bool:
    heir = now.get(f"{mart}_v{promise.version}")
    successor = now.get(mart)
    return (
        heir is not None
        and successor is not None
        and successor.version > promise.version
        and heir.deprecated_until is not None
        and heir.deprecated_until >= today
        and _loss(promise, heir) is None
    )


def _contract(node: Mapping[str, Any], tests: Sequence[Mapping[str, Any]], is_personal: bool) -> MartContract:
    own = [test for test in tests if test.get("attached_node") == node["unique_id"] and test.get("test_metadata")]
    required = [name for name, column in node["columns"].items() if _is_required(column)]
    meta = node["config"].get("meta", {})
    folders = node["fqn"][1:-1]
    return MartContract(
        name=str(node["name"]),
        description=" ".join(str(node["description"]).split()),
        owner=meta.get("owner"),
        domain=folders[1] if len(folders) > 1 else None,
        key=_key(own, required),
        required=frozenset(required),
        version=_version(node, meta),
        deprecated_until=_deprecated_until(node, meta),
        timeline_rows=_timeline_rows(node, meta, is_personal),
    )


def _is_required(column: Mapping[str, Any]) -> bool:
    return any(constraint["type"] == "not_null" for constraint in column["constraints"])


def _key(tests: Sequence[Mapping[str, Any]], required: Sequence[str]) -> tuple[str, ...]:
    for test in tests:
        if test["test_metadata"]["name"] == "unique_combination":
            return tuple(test["test_metadata"]["kwargs"]["columns"])
    unique = [test["column_name"] for test in tests if test["test_metadata"]["name"] == "unique"]
    return tuple(column for column in unique if column in required)[:1]


def _version(node: Mapping[str, Any], meta: Mapping[str, Any]) -> int:
    version = meta.get("version", 1)
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise ContractError(f"{node['name']}: config.meta.version is {version!r}, a number from 1 is needed.")
    suffix = re.fullmatch(r".+_v(\d+)", str(node["name"]))
    if suffix and "version" not in meta:
        return int(suffix[1])
    return int(version)


def _deprecated_until(node: Mapping[str, Any], meta: Mapping[str, Any]) -> date | None:
    until = meta.get("deprecated_until")
    try:
        return None if until is None else date.fromisoformat(str(until))
    except ValueError:
        raise ContractError(
            f"{node['name']}: config.meta.deprecated_until is {until!r}, a date such as 2027-06-30 is needed."
        ) from None


def _timeline_rows(node: Mapping[str, Any], meta: Mapping[str, Any], is_personal: bool) -> str | None:
    rows = meta.get("timeline_rows", None if is_personal else ALL_ROWS)
    if rows is not None and (not isinstance(rows, str) or not rows.strip()):
        raise ContractError(
            f"{node['name']}: config.meta.timeline_rows is {rows!r}, an SQL condition in quotes is needed."
        )
    return rows
