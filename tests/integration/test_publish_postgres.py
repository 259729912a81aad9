"""PostgreSQL as readers and the night meet it: a real server, readers at work, crashes, and roles without rights."""

import threading
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest

from expectations.runner import CheckResult
from hogland_pipeline.assets.published import published_key
from hogland_pipeline.contracts import MartContract
from hogland_pipeline.jobs import MARTS_JOB
from hogland_pipeline.nightly import _failures
from hogland_pipeline.publish import Publication
from hogland_pipeline.publish_settings import PostgresSettings
from hogland_pipeline.release_tables import Draft
from hogland_pipeline.releases import Target, current_release
from hogland_pipeline.targets.postgres import PostgresTarget, TargetFailed
from tests.integration.conftest import Platform
from tests.integration.test_night import run_job
from tests.postgres_server import Server, postgres_server
from tests.unit.hogland_pipeline.test_publish import NIGHT, ask, build, one_pass, release

SWAPS = 20
ROWS = 2_000
MARTS = ("daily_snow", "dim_municipality", "fct_kpi_value")
JOINED = (
    "select (select max(night) from marts.daily_snow), (select min(night) from marts.dim_municipality),"
    " (select max(night) from marts.fct_kpi_value), (select night from anna.latest),"
    " (select max(row_count) - 2000 + max(run_id::integer) from marts.publication)"
)
schemas = (f"marts_{number}" for number in count())


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with postgres_server() as running:
        yield running


@pytest.fixture
def schema(server: Server) -> Iterator[str]:
    """A schema of the test's own on the shared server."""
    name = next(schemas)
    yield name
    for suffix in ("", "__releases", "__next"):
        server.ask(f"drop schema if exists {name}{suffix} cascade")


def night(folder: Path, number: int) -> Path:
    query = f"select {number} as night, range as number, 'rad ' || range as name from range({ROWS})"
    return build(folder, **dict.fromkeys(MARTS, query))


def publish_night(folder: Path, server: PostgresTarget, number: int, **options: Any) -> Publication:
    return release(
        night(folder, number),
        Target(folder / "data"),
        marts=MARTS,
        at=NIGHT + timedelta(days=number),
        server=server,
        run_id=f"{number}",
        **options,
    )


class Reader(threading.Thread):
    """Reads all marts again and again; keeps every set of nights it saw together, and every error."""

    def __init__(self, uri: str, *, repeatable: bool) -> None:
        super().__init__()
        self.uri, self.repeatable = uri, repeatable
        self.seen: list[set[int]] = []
        self.errors: list[str] = []
        self.slowest = 0.0
        self.is_stopped = threading.Event()

    def run(self) -> None:
        with psycopg.connect(self.uri, autocommit=not self.repeatable) as connection:
            connection.execute("set role anna")
            connection.commit()
            while not self.is_stopped.is_set():
                started = time.perf_counter()
                try:
                    self.seen.append(self._statements(connection) if self.repeatable else self._one(connection))
                except Exception as error:
                    self.errors.append(str(error))
                    connection.rollback()
                self.slowest = max(self.slowest, time.perf_counter() - started)

    def _one(self, connection: psycopg.Connection[Any]) -> set[int]:
        return set(connection.execute(JOINED).fetchone() or ())

    def _statements(self, connection: psycopg.Connection[Any]) -> set[int]:
        connection.execute("set transaction isolation level repeatable read")
        nights: set[int] = set()
        for mart in MARTS:
            rows = connection.execute(f"select min(night), max(night), count(*) from marts.{mart}").fetchone()
            assert rows is not None
            nights |= {rows[0], rows[1], rows[0] if rows[2] == ROWS else -1}
        connection.rollback()
        return nights


def test_readers_through_many_swaps_meet_no_error_and_no_mixture(server: Server, tmp_path: Path) -> None:
    target = PostgresTarget(server.settings(kept_releases=1))
    publish_night(tmp_path, target, 0)
    server.ask("create role anna login in role hogland_reader; create schema anna authorization anna")
    server.ask("create view anna.latest as select max(night) as night from marts.daily_snow", role="anna")
    readers = [Reader(server.uri, repeatable=kind) for kind in (False, False, True)]
    for reader in readers:
        reader.start()
    publications = [publish_night(tmp_path, target, number) for number in range(1, SWAPS + 1)]
    for reader in readers:
        reader.is_stopped.set()
        reader.join()

    assert [publication.failures for publication in publications] == [[]] * SWAPS
    assert [reader.errors for reader in readers] == [[], [], []]
    for reader in readers:
        assert len(reader.seen) > 2 * SWAPS, "too few reads to prove anything"
        assert {len(nights) for nights in reader.seen} == {1}
        assert len({night for nights in reader.seen for night in nights}) > SWAPS // 2
        assert reader.slowest < 2
    assert server.ask("select night from anna.latest") == [(SWAPS,)]
    parts = server.ask("select count(*) from pg_inherits where inhparent = 'marts__releases.daily_snow'::regclass")
    assert parts[0][0] <= 3, "old releases pile up"


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


def test_a_reader_that_holds_on_delays_nobody_but_the_tidying(server: Server, schema: str, tmp_path: Path) -> None:
    target = PostgresTarget(server.settings(marts_schema=schema, kept_releases=1))
    publish_night(tmp_path, target, 0)
    with psycopg.connect(server.uri) as holder:
        holder.execute("set transaction isolation level repeatable read")
        assert holder.execute(f"select max(night) from {schema}.daily_snow").fetchone() == (0,)
        for number in (1, 2, 3):
            assert publish_night(tmp_path, target, number).failures == []
        assert server.ask(f"select max(night) from {schema}.daily_snow") == [(3,)]
        # Also a table that it had not touched is still there as it was.
        assert holder.execute(f"select max(night), count(*) from {schema}.fct_kpi_value").fetchone() == (0, ROWS)
    publish_night(tmp_path, target, 4)
    assert (
        len(server.ask(f"select 1 from pg_inherits where inhparent = '{schema}__releases.daily_snow'::regclass")) == 1
    )


def test_a_roll_back_is_instant_while_the_server_has_the_release(server: Server, schema: str, tmp_path: Path) -> None:
    target = PostgresTarget(server.settings(marts_schema=schema))
    first, *_ = [publish_night(tmp_path, target, number).release_id for number in (0, 1, 2)]
    kept = target.state().kept

    assert len(kept) == 2
    assert target.switch_to(kept[0])
    assert server.ask(f"select distinct night from {schema}.daily_snow") == [(1,)]
    assert target.state().current == kept[0]
    assert not target.switch_to(first)


@pytest.fixture
def fragile() -> Iterator[Server]:
    """A server that is killed."""
    with postgres_server() as running:
        yield running


def shown(server: Server) -> int:
    return int(server.ask("select max(night) from marts.daily_snow")[0][0])


def test_a_server_that_crashes_before_during_or_after_keeps_old_data_and_is_mended(
    fragile: Server, tmp_path: Path
) -> None:
    target = PostgresTarget(fragile.settings())
    files = Target(tmp_path / "data")
    publish_night(tmp_path, target, 0)

    fragile.kill()
    before = publish_night(tmp_path, target, 1)
    assert len(before.failures) == 1
    assert "publish again when the server can be reached" in before.failures[0]
    assert ask(files.database, "select max(night) from daily_snow") == [(1,)]
    assert ask(files.database, "select status from publication_target where target = 'postgres'") == [("failed",)]
    fragile.start()
    assert shown(fragile) == 0

    def crash_in_audit(_: Any, mart: str) -> Sequence[CheckResult]:
        if mart == "publication":
            fragile.kill()
        return one_pass(_, mart)

    during = publish_night(tmp_path, target, 2, audit=crash_in_audit)
    assert len(during.failures) == 1
    fragile.start()
    assert shown(fragile) == 0

    def crash_in_writer(_: Draft) -> Sequence[str]:
        fragile.kill()
        return ()

    swapping = publish_night(tmp_path, target, 3, writers={"last": crash_in_writer})
    assert len(swapping.failures) == 1
    fragile.start()
    assert shown(fragile) == 0
    assert ask(files.database, "select max(night) from daily_snow") == [(3,)]

    mended = publish_night(tmp_path, target, 4)
    assert mended.failures == []
    fragile.kill()
    fragile.start()
    assert shown(fragile) == 4
    assert target.state().current == mended.release_id == current_release(files)


def test_a_connection_cut_in_the_middle_of_loading_is_told_and_leaves_nothing(
    server: Server, schema: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = PostgresTarget(server.settings(marts_schema=schema))
    publish_night(tmp_path, target, 0)

    def cut(*_: Any) -> Sequence[CheckResult]:
        server.ask(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'hogland_publisher'"
        )
        return ()

    broken = publish_night(tmp_path, target, 1, writers={"last": cut})
    assert len(broken.failures) == 1
    assert server.ask(f"select max(night) from {schema}.daily_snow") == [(0,)]
    publish_night(tmp_path, target, 2)
    assert server.ask(f"select nspname from pg_namespace where nspname = '{schema}__next'") == []


def test_a_role_without_rights_is_told_what_to_ask_for(server: Server, schema: str, tmp_path: Path) -> None:
    server.ask("create role poor login")
    target = PostgresTarget(server.settings(user="poor", marts_schema=schema))
    publication = publish_night(tmp_path, target, 0)
    [failure] = publication.failures
    assert "let an administrator say: GRANT CREATE ON DATABASE postgres TO poor" in failure

    target = PostgresTarget(server.settings(user="poor", marts_schema=schema, readers=["nobody_yet"]))
    [failure] = publish_night(tmp_path, target, 1).failures
    assert "CREATE ROLE nobody_yet NOLOGIN" in failure
    assert ask(Target(tmp_path / "data").database, "select max(night) from daily_snow") == [(1,)]


def test_a_password_is_never_shown(server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    server.require_password("careful", "right-and-secret")
    settings = server.settings(user="careful", password="wrong-but-secret", password_env="X")
    publication = publish_night(tmp_path, PostgresTarget(settings), 0)

    [failure] = publication.failures
    assert "password authentication failed" in failure
    everything = failure + caplog.text + repr(settings) + str(settings.model_dump())
    everything += "".join(path.read_text("utf-8", errors="replace") for path in tmp_path.rglob("*") if path.is_file())
    assert "but-secret" not in everything


def test_only_one_publisher_at_a_time(server: Server, schema: str) -> None:
    target = PostgresTarget(server.settings(marts_schema=schema))
    preparation = target.prepare("one")
    with pytest.raises(TargetFailed, match="another publication is at work there"):
        target.prepare("two")
    preparation.close()
    target.prepare("three").close()


def test_a_value_that_postgres_cannot_hold_names_the_table(server: Server, schema: str, tmp_path: Path) -> None:
    target = PostgresTarget(server.settings(marts_schema=schema))
    publication = release(
        build(tmp_path, daily_snow="select 'a' || chr(0) || 'b' as name"), Target(tmp_path / "data"), server=target
    )
    [failure] = publication.failures
    assert "daily_snow" in failure


def test_the_publication_of_a_night_reaches_the_configured_server_and_says_when_it_does_not(
    platform: Platform, server: Server, schema: str
) -> None:
    config = platform.root / "hogland.toml"
    host = server.settings().host
    section = (
        f'\n[publish.postgres]\nhost = "{host}"\ndatabase = "postgres"\nuser = "postgres"\nsslmode = "disable"\n'
        f'marts_schema = "{schema}"\n'
    )
    config.write_text(config.read_text("utf-8") + section, "utf-8")
    marts = [published_key(mart) for mart in platform.figures()]
    with dg.DagsterInstance.ephemeral() as instance:
        assert run_job(platform, instance, MARTS_JOB, asset_selection=marts).success
    release = platform.published.resolve().parent.name
    target = PostgresTarget(server.settings(marts_schema=schema))
    assert target.state().current == release
    for mart in ("fct_kpi_value", "kpi_operations__daily_snow", "publication"):
        counted = f"select count(*) from {{}}{mart}"
        assert server.ask(counted.format(f"{schema}.")) == platform.query(counted.format(""))

    config.write_text(config.read_text("utf-8").replace(f'host = "{host}"', 'host = "127.0.0.1"\nport = 9'), "utf-8")
    with dg.DagsterInstance.ephemeral() as instance:
        result = run_job(platform, instance, MARTS_JOB, asset_selection=marts)
    assert not result.success
    newer = platform.published.resolve().parent.name
    [failure] = _failures(result)
    assert failure.startswith(f"postgres shows an unknown release, not {newer}: PostgreSQL 127.0.0.1:9/postgres: ")
    assert failure.endswith("publish again when the server can be reached.")
    assert newer > release
    assert target.state().current == release
