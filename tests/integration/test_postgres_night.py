"""The publication of a night reaches the server that the settings name."""

import dagster as dg

from hogland_pipeline.assets.published import published_key
from hogland_pipeline.jobs import MARTS_JOB
from hogland_pipeline.nightly import _failures
from hogland_pipeline.targets.postgres import PostgresTarget
from tests.integration.conftest import Platform
from tests.integration.test_night import run_job
from tests.postgres_server import Server


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
