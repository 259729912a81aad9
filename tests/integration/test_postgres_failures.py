"""PostgreSQL that crashes, is cut off, refuses or is busy: old data stays, and the sentence says what to do."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest

from expectations.runner import CheckResult
from hogland_pipeline.release_tables import Draft
from hogland_pipeline.releases import Target, current_release
from hogland_pipeline.targets.postgres import PostgresTarget, TargetFailed
from tests.integration.postgres_nights import publish_night
from tests.postgres_server import Server, postgres_server
from tests.unit.hogland_pipeline.small_release import ask, build, one_pass, release


@pytest.fixture
def fragile() -> Iterator[Server]:
    """A server that is killed."""
    with postgres_server() as running:
        yield running


def shown(server: Server) -> int:
    return int(server.ask("select max(night) from marts.daily_snow")[0][0])


def test_a_server_that_crashes_before_during_or_after_keeps_old_data_and_is_mended(
    fragile: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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

    right_before = publish_night(tmp_path, target, 3, writers={"last": crash_in_writer})
    assert len(right_before.failures) == 1
    fragile.start()
    assert shown(fragile) == 0
    assert ask(files.database, "select max(night) from daily_snow") == [(3,)]

    def crash_in_swap(*arguments: Any) -> None:
        point_at(*arguments)
        fragile.kill()

    point_at = target.structure.point_at
    with monkeypatch.context() as patch:
        patch.setattr(target.structure, "point_at", crash_in_swap)
        swapping = publish_night(tmp_path, target, 4)
    assert len(swapping.failures) == 1
    fragile.start()
    assert shown(fragile) == 0

    mended = publish_night(tmp_path, target, 5)
    assert mended.failures == []
    fragile.kill()
    fragile.start()
    assert shown(fragile) == 5
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
    publish_night(tmp_path, PostgresTarget(server.settings(marts_schema=schema)), 0)
    target = PostgresTarget(server.settings(user="poor", marts_schema=schema))
    [failure] = publish_night(tmp_path, target, 1).failures
    assert "let an administrator say: GRANT CREATE ON DATABASE postgres TO poor" in failure

    target = PostgresTarget(server.settings(user="poor", marts_schema=schema, readers=["nobody_yet"]))
    [failure] = publish_night(tmp_path, target, 2).failures
    assert "CREATE ROLE nobody_yet NOLOGIN" in failure
    assert ask(Target(tmp_path / "data").database, "select max(night) from daily_snow") == [(2,)]
    assert server.ask(f"select max(night) from {schema}.daily_snow", role="hogland_reader") == [(0,)]


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


def test_releases_that_were_never_shown_do_not_pile_up(server: Server, schema: str, tmp_path: Path) -> None:
    """Night after night a reader holds the mart whose columns change, after the others were given their partitions."""
    target = PostgresTarget(server.settings(marts_schema=schema, lock_wait_seconds=0.2))
    rows = "select range as number from range(100)"

    def publish(number: int, changed: str = rows) -> Sequence[str]:
        return release(
            build(tmp_path, daily_snow=changed, fct_kpi_value=rows),
            Target(tmp_path / "data"),
            marts=("daily_snow", "fct_kpi_value"),
            server=target,
            run_id=f"{number}",
        ).failures

    def parts() -> int:
        parent = f"'{schema}__releases.fct_kpi_value'::regclass"
        return len(server.ask(f"select 1 from pg_inherits where inhparent = {parent}"))

    assert not publish(0)
    wider = "select range as number, 1 as added from range(100)"
    with psycopg.connect(server.uri) as holder:
        holder.execute(f"select * from {schema}.daily_snow")
        for number in range(1, 5):
            [failure] = publish(number, wider)
            assert "open transactions of readers hold a table" in failure
    assert parts() == 2, "the release that is shown, and the last that was not"
    assert not publish(5, wider)
    assert parts() == 2
