"""A published mart may grow; what readers rely on leaves only with notice."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hogland_pipeline.contracts import ContractError, MartContract, Promise, broken_promises, contracts_of
from hogland_pipeline.manifest import Manifest
from hogland_pipeline.release_tables import published_promises
from hogland_pipeline.releases import PublicationFailed, Target
from tests.unit.hogland_pipeline.small_release import NIGHT, ask, build, release

TODAY = date(2026, 2, 1)
BEFORE = {"snow": Promise({"day": "DATE", "depth_cm": "DOUBLE"})}
COMPLAINT = "raise version in its config.meta and publish the old one as snow_v1 with a deprecated_until date"


def complaints(now: dict[str, Promise], before: dict[str, Promise] = BEFORE) -> list[str]:
    return list(broken_promises(before, now, TODAY))


def test_added_columns_and_marts_are_fine() -> None:
    wider = Promise({"depth_cm": "DOUBLE", "day": "DATE", "site": "VARCHAR"})
    assert complaints({"snow": wider, "rain": Promise({"day": "DATE"})}) == []


@pytest.mark.parametrize(
    ("now", "loss"),
    [
        ({}, "mart snow is published and would disappear"),
        ({"snow": Promise({"day": "DATE"})}, "mart snow loses column depth_cm"),
        ({"snow": Promise({"day": "DATE", "depth_cm": "FLOAT"})}, "column depth_cm from DOUBLE to FLOAT"),
    ],
)
def test_a_loss_without_notice_is_named_with_the_way_out(now: dict[str, Promise], loss: str) -> None:
    [complaint] = complaints(now)
    assert loss in complaint
    assert COMPLAINT in complaint


def heir(**changes: Any) -> dict[str, Promise]:
    old = {"columns": BEFORE["snow"].columns, "version": 1, "deprecated_until": TODAY} | changes
    return {"snow": Promise({"day": "DATE", "depth_mm": "INTEGER"}, version=2), "snow_v1": Promise(**old)}


def test_a_new_version_is_fine_while_the_old_one_stands_beside_it() -> None:
    assert complaints(heir()) == []


@pytest.mark.parametrize(
    "change",
    [{"deprecated_until": None}, {"deprecated_until": TODAY - timedelta(1)}, {"columns": {"day": "DATE"}}],
    ids=["no date", "date is over", "old version is not the old one"],
)
def test_a_new_version_without_a_true_old_one_is_refused(change: dict[str, Any]) -> None:
    assert len(complaints(heir(**change))) == 1


def test_a_new_version_must_have_a_higher_number() -> None:
    assert len(complaints(heir() | {"snow": Promise({"day": "DATE"}, version=1)})) == 1


def test_an_announced_mart_may_leave_after_its_date_and_not_on_it() -> None:
    before = {"snow_v1": Promise({"day": "DATE"}, 1, TODAY - timedelta(1))}
    assert complaints({}, before) == []
    assert len(complaints({}, {"snow_v1": Promise({"day": "DATE"}, 1, TODAY)})) == 1


def test_a_publication_that_breaks_a_contract_is_refused_and_the_old_stays(tmp_path: Path) -> None:
    target = Target(tmp_path / "data")
    release(build(tmp_path), target)
    narrower = build(tmp_path, daily_snow="select 1 as day")

    with pytest.raises(PublicationFailed, match="daily_snow loses column snow_depth_cm: raise version"):
        release(narrower, target, at=NIGHT + timedelta(1))
    assert ask(target.database, "select sum(snow_depth_cm) from daily_snow") == [(105.0,)]


def test_two_versions_are_published_beside_each_other_until_the_date(tmp_path: Path) -> None:
    target = Target(tmp_path / "data")
    release(build(tmp_path), target)
    old = "select range::integer as day, range * 0.5 as snow_depth_cm from range(3)"
    both = build(tmp_path, daily_snow="select 1 as day", daily_snow_v1=old)
    contracts = {
        "daily_snow": MartContract("daily_snow", version=2),
        "daily_snow_v1": MartContract("daily_snow_v1", deprecated_until=(NIGHT + timedelta(30)).date()),
    }
    marts = ["daily_snow", "daily_snow_v1", "dim_municipality"]
    release(both, target, marts=marts, at=NIGHT + timedelta(1), contracts=contracts)
    assert ask(target.database, "select count(*) from daily_snow_v1") == [(3,)]

    only_new = build(tmp_path, daily_snow="select 1 as day")
    with pytest.raises(PublicationFailed, match="daily_snow_v1 is published and would disappear"):
        release(only_new, target, at=NIGHT + timedelta(2), contracts=contracts)
    release(only_new, target, at=NIGHT + timedelta(40), contracts=contracts)


def manifest(source: str = "source.hogland.raw.reading", **meta: Any) -> Manifest:
    mart = {
        "resource_type": "model",
        "unique_id": "model.hogland.snow",
        "name": "snow",
        "fqn": ["hogland", "marts", "operations", "snow"],
        "description": "Snö. /\n Snow.",
        "config": {"meta": meta},
        "columns": {"day": {"constraints": [{"type": "not_null"}]}, "depth": {"constraints": []}},
        "depends_on": {"nodes": [source]},
    }
    unique = {
        "resource_type": "test",
        "attached_node": "model.hogland.snow",
        "column_name": None,
        "test_metadata": {"name": "unique_combination", "kwargs": {"columns": ["sensor_id", "day"]}},
    }
    sources = {
        "source.hogland.raw.reading": {"name": "reading", "schema": "raw", "config": {}},
        "source.hogland.raw.answer": {"name": "answer", "schema": "raw", "config": {"meta": {"is_personal": True}}},
    }
    return Manifest({"nodes": {"model.hogland.snow": mart, "test.hogland.unique": unique}, "sources": sources})


def test_a_contract_comes_from_the_model_and_its_tests() -> None:
    meta = {"owner": "street-lead", "version": 3, "deprecated_until": "2027-06-30"}
    assert contracts_of(manifest(**meta))["snow"] == MartContract(
        name="snow",
        description="Snö. / Snow.",
        owner="street-lead",
        domain="operations",
        key=("sensor_id", "day"),
        required=frozenset({"day"}),
        version=3,
        deprecated_until=date(2027, 6, 30),
    )


def test_a_mart_made_of_answers_has_no_timeline_of_its_own_accord() -> None:
    answers = "source.hogland.raw.answer"
    assert contracts_of(manifest())["snow"].timeline_rows == "true"
    assert contracts_of(manifest(source=answers))["snow"].timeline_rows is None
    assert contracts_of(manifest(source=answers, timeline_rows="day is null"))["snow"].timeline_rows == "day is null"


@pytest.mark.parametrize(
    "meta", [{"version": 0}, {"version": "two"}, {"deprecated_until": "summer"}, {"timeline_rows": True}]
)
def test_a_wrong_key_is_named(meta: dict[str, Any]) -> None:
    [key] = meta
    with pytest.raises(ContractError, match=rf"snow: config.meta.{key} is"):
        contracts_of(manifest(**meta))


def test_a_release_remembers_its_contracts(tmp_path: Path) -> None:
    target = Target(tmp_path / "data")
    contract = MartContract("daily_snow", "Snö.", "lead", "operations", ("day",), frozenset({"day"}), 2)
    release(build(tmp_path), target, contracts={"daily_snow": contract}, at=datetime(2026, 2, 1, tzinfo=UTC))
    assert published_promises(target)["daily_snow"].version == 2
    assert set(published_promises(target)) == {"daily_snow", "dim_municipality"}
