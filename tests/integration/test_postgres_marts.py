"""What stands in PostgreSQL: types, comments, indexes, rights, row policies, and views of analysts over it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from hogland_pipeline.contracts import MartContract
from hogland_pipeline.publish_settings import PostgresSettings
from hogland_pipeline.releases import Target
from hogland_pipeline.targets.postgres import PostgresTarget
from hogland_pipeline.targets.postgres_copy import ROWS_WORTH_STREAMS
from tests.postgres_server import Server
from tests.unit.hogland_pipeline.small_release import NIGHT, build, release


def test_types_values_comments_and_indexes_arrive(server: Server, schema: str, tmp_path: Path) -> None:
    query = """
        select true as is_cold, 7::tinyint as tiny, 300::smallint as small, 1 as whole, 2::bigint as big,
               0.1::float as short, 0.1::double as long, 12.50::decimal(9, 2) as price, 'Nässjö ❄' as name,
               date '2026-02-01' as day, timestamp '2026-02-01 03:04:05' as local_at,
               timestamptz '2026-02-01 03:04:05.678901+01:00' as observed_at
        union all select null, null, null, null, null, null, null, null, null, null, null, null
    """
    contract = MartContract("daily_snow", "Snö. / Snow.", key=("day", "name"))
    target = PostgresTarget(server.settings(marts_schema=schema))
    release(build(tmp_path, daily_snow=query), Target(tmp_path / "data"), server=target,
            contracts={"daily_snow": contract})  # fmt: skip

    with psycopg.connect(server.uri) as connection:
        connection.execute("set timezone to 'UTC'")
        rows = connection.execute(f"select * from {schema}.daily_snow order by name nulls last").fetchall()
    assert [str(value) for value in rows[0]] == [
        "True", "7", "300", "1", "2", "0.1", "0.1", "12.50", "Nässjö ❄", "2026-02-01",
        "2026-02-01 03:04:05", "2026-02-01 02:04:05.678901+00:00",
    ]  # fmt: skip
    assert set(rows[1]) == {None}
    assert server.ask(f"select obj_description('{schema}.daily_snow'::regclass)") == [("Snö. / Snow.",)]
    [(definition,)] = server.ask(
        f"select indexdef from pg_indexes where schemaname = '{schema}__releases' and tablename like 'daily_snow%'"
    )
    assert definition.endswith("(day, name)")


@pytest.mark.parametrize("limit", [3, 30])
def test_a_large_table_arrives_whole_also_where_the_role_may_have_few_connections(
    server: Server, schema: str, tmp_path: Path, limit: int
) -> None:
    """One connection publishes and one or two copy; another may still be closing."""
    role = f"narrow_{limit}"
    server.ask(f"create role {role} login connection limit {limit}")
    server.ask(f"grant create on database postgres to {role}")
    rows = ROWS_WORTH_STREAMS + 1
    query = f"select range::integer as day, range % 7 as weekday, 'rad ' || range as name from range({rows})"
    publication = release(
        build(tmp_path, daily_snow=query),
        Target(tmp_path / "data"),
        server=PostgresTarget(server.settings(marts_schema=schema, user=role)),
        contracts={"daily_snow": MartContract("daily_snow", key=("day",))},
    )

    assert publication.failures == []
    weekdays = sum(range(7)) * (rows // 7) + sum(range(rows % 7))
    told = "count(*), count(distinct day), sum(weekday), count(*) filter (where name <> 'rad ' || day)"
    assert server.ask(f"select {told} from {schema}.daily_snow") == [(rows, rows, weekdays, 0)]
    server.ask(f"drop owned by {role} cascade; drop role {role}")


def test_the_reading_role_reads_and_nothing_else(server: Server, schema: str, tmp_path: Path) -> None:
    release(build(tmp_path), Target(tmp_path / "data"), server=PostgresTarget(server.settings(marts_schema=schema)))

    assert server.ask(f"select count(*) from {schema}.daily_snow", role="hogland_reader") == [(21,)]
    for forbidden in (
        f"delete from {schema}.daily_snow",
        f"insert into {schema}.dim_municipality values ('0', 'x')",
        f"update {schema}__releases.current_release set release_number = 0",
        f"create table {schema}.mine (a integer)",
        f"drop view {schema}.daily_snow",
        f"select count(*) from {schema}__releases.daily_snow__r1",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            server.ask(forbidden, role="hogland_reader")


def test_row_policies_hold_from_the_first_release_and_follow_the_settings(
    server: Server, schema: str, tmp_path: Path
) -> None:
    def settings(*codes: str) -> PostgresSettings:
        policy = {"column": "municipality_code", "values": codes, "whole_marts": ["publication"]}
        return server.settings(marts_schema=schema, row_policies={"nassjo_reader": policy})

    def seen(role: str) -> list[tuple[Any, ...]]:
        return server.ask(f"select municipality_code from {schema}.dim_municipality order by 1", role=role)

    files = Target(tmp_path / "data")
    release(build(tmp_path), files, server=PostgresTarget(settings("0682")))
    assert seen("nassjo_reader") == [("0682",)]
    assert seen("hogland_reader") == [("0682",), ("0686",)]
    assert len(server.ask(f"select mart from {schema}.publication", role="nassjo_reader")) == 2
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        server.ask(f"select * from {schema}.daily_snow", role="nassjo_reader")

    release(build(tmp_path), files, at=NIGHT + timedelta(1), server=PostgresTarget(settings("0686")))
    assert seen("nassjo_reader") == [("0686",)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        server.ask(f"select * from {schema}__releases.dim_municipality__r1", role="nassjo_reader")


def test_columns_are_added_under_the_views_of_analysts(server: Server, schema: str, tmp_path: Path) -> None:
    target, files = PostgresTarget(server.settings(marts_schema=schema)), Target(tmp_path / "data")
    release(build(tmp_path), files, server=target)
    server.ask(f"create view public.{schema}_own as select sum(snow_depth_cm) as s from {schema}.daily_snow")
    wider = "select range * 2.0 as snow_depth_cm, 'new' as site, range::integer as day from range(21)"
    wider = f"select day, cast(snow_depth_cm as decimal(21, 1)) as snow_depth_cm, site from ({wider})"
    release(build(tmp_path, daily_snow=wider), files, at=NIGHT + timedelta(1), server=target)

    assert server.ask(f"select s from public.{schema}_own") == [(420,)]
    assert server.ask(f"select distinct site from {schema}.daily_snow") == [("new",)]
    server.ask(f"drop view public.{schema}_own")


def test_a_new_version_leaves_the_views_of_analysts_on_the_old_one(server: Server, schema: str, tmp_path: Path) -> None:
    target, files = PostgresTarget(server.settings(marts_schema=schema)), Target(tmp_path / "data")
    release(build(tmp_path), files, server=target)
    server.ask(f"create view public.{schema}_own as select sum(snow_depth_cm) as s from {schema}.daily_snow")
    contracts = {
        "daily_snow": MartContract("daily_snow", version=2),
        "daily_snow_v1": MartContract("daily_snow_v1", deprecated_until=(NIGHT + timedelta(30)).date()),
    }
    old = "select range::integer as day, range * 0.5 as snow_depth_cm from range(21)"
    path = build(tmp_path, daily_snow="select 'deep' as snow_depth_cm", daily_snow_v1=old)
    marts = ["daily_snow", "daily_snow_v1", "dim_municipality"]
    assert release(path, files, marts=marts, at=NIGHT + timedelta(1), server=target, contracts=contracts).failures == []

    assert server.ask(f"select s from public.{schema}_own") == [(105,)]
    assert server.ask(f"select snow_depth_cm from {schema}.daily_snow") == [("deep",)]
    server.ask(f"drop view public.{schema}_own")
