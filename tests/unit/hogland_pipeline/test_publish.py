"""One release at a time: complete, audited; on any failure what was published stays as it was."""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from expectations.runner import CheckResult
from hogland_pipeline.publication_record import PublishedMart, SourceState
from hogland_pipeline.publish import PublicationRefused, Staleness
from hogland_pipeline.releases import PublicationFailed, Target, current_release, release_ids
from tests.unit.hogland_pipeline.small_release import MARTS, NIGHT, SNOW, ask, build, check, release, tree


def test_a_release_holds_every_mart_in_duckdb_and_in_parquet(tmp_path: Path, target: Target) -> None:
    publication = release(build(tmp_path), target)

    assert target.published.resolve() == publication.folder
    assert ask(target.database, "select sum(snow_depth_cm) from daily_snow") == [(105.0,)]
    parquet = target.published / "parquet" / "daily_snow.parquet"
    assert duckdb.sql(f"select sum(snow_depth_cm) from '{parquet}'").fetchall() == [(105.0,)]
    assert sorted(path.name for path in (target.published / "parquet").iterdir()) == [
        "daily_snow.parquet",
        "dim_municipality.parquet",
        "publication.parquet",
        "publication_source.parquet",
        "publication_target.parquet",
    ]


def test_parquet_is_compressed_with_zstd(tmp_path: Path, target: Target) -> None:
    folder = release(build(tmp_path), target).folder
    for path in (folder / "parquet").iterdir():
        codecs = duckdb.sql(f"select distinct compression from parquet_metadata('{path}')").fetchall()
        assert codecs in ([("ZSTD",)], []), path.name


def test_the_file_has_the_oldest_storage_format_and_only_plain_tables(tmp_path: Path, target: Target) -> None:
    release(build(tmp_path), target)

    [(tags,)] = ask(target.database, "select tags from duckdb_databases() where database_name = 'hogland'")
    assert tags == {"storage_version": "v1.0.0+"}
    assert ask(target.database, "select count(*) from duckdb_views() where not internal") == [(0,)]
    assert ask(target.database, "select distinct schema_name from duckdb_tables()") == [("main",)]
    header = target.database.read_bytes()[:20]
    assert header[8:12] == b"DUCK"
    # 64 is the storage number of DuckDB 0.10 to 1.1, the oldest that a current DuckDB can write
    assert int.from_bytes(header[12:20], "little") == 64


def test_nothing_but_the_listed_files_is_in_a_release(tmp_path: Path, target: Target) -> None:
    folder = release(build(tmp_path), target).folder
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    files = {name: content for name, content in tree(folder).items() if name != "manifest.json"}

    assert manifest["files"] == {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()} for name, content in files.items()
    }
    assert manifest["tables"]["daily_snow"]["rows"] == 21
    assert manifest["tables"]["daily_snow"]["columns"][0] == {
        "name": "day",
        "type": "INTEGER",
        "comment": None,
    }
    assert not list(folder.rglob("*.wal"))
    assert not list(tmp_path.rglob("spill"))


def test_descriptions_travel_with_tables_and_columns(tmp_path: Path, target: Target) -> None:
    path = build(tmp_path)
    with duckdb.connect(path) as connection:
        connection.execute("comment on table daily_snow is 'One row per day; the station''s own'")
        connection.execute("comment on column daily_snow.snow_depth_cm is 'Depth, cm'")
    release(path, target)

    assert ask(target.database, "select comment from duckdb_tables() where table_name = 'daily_snow'") == [
        ("One row per day; the station's own",)
    ]
    assert ask(target.database, "select comment from duckdb_columns() where column_name = 'snow_depth_cm'") == [
        ("Depth, cm",)
    ]


def test_the_publication_table_says_run_time_rows_checks_and_staleness(tmp_path: Path, target: Target) -> None:
    since = NIGHT - timedelta(days=3)

    def audit(_: duckdb.DuckDBPyConnection, mart: str) -> Sequence[CheckResult]:
        return [check("a"), check("b"), check("c", passed=mart != "daily_snow", severity="warning")]

    publication = release(
        build(tmp_path),
        target,
        audit=audit,
        stale={"daily_snow": Staleness(since, ("smhi", "tts_hogland"))},
        sources=[SourceState("smhi", "failed", since, NIGHT, "answered 503", 10, 7, 3, 25, 1, 2)],
    )

    size = (target.published / "parquet" / "daily_snow.parquet").stat().st_size
    [snow, municipality] = publication.marts
    fingerprint = snow.content_fingerprint
    assert snow == PublishedMart("daily_snow", 21, size, 2, 1, 0, True, since, "smhi, tts_hogland", fingerprint, True)
    assert (municipality.is_stale, municipality.stale_since, municipality.stale_sources) == (
        False,
        None,
        None,
    )
    assert ask(target.database, "from publication where mart = 'daily_snow'") == [
        ("1f6c2a9e-7f11", NIGHT, *vars(snow).values())
    ]
    told = ("smhi", "failed", since, NIGHT, "answered 503", 10, 7, 3, 25, 1, 2)
    assert ask(target.database, "from publication_source") == [told]
    assert publication.total_bytes == sum(map(len, tree(target.published).values()))


def test_a_source_that_never_was_good_has_no_time(tmp_path: Path, target: Target) -> None:
    release(
        build(tmp_path),
        target,
        stale={"daily_snow": Staleness(None, ("smhi",))},
        sources=[SourceState("smhi", "failed", None, None)],
    )
    assert ask(target.database, "select is_stale, stale_since from publication where is_stale") == [(True, None)]
    columns = "source, status, last_good_at, rows_read, checks_passed"
    assert ask(target.database, f"from publication_source select {columns}") == [("smhi", "failed", None, None, None)]


def test_a_failed_error_refuses_and_leaves_the_old_bytes(tmp_path: Path, target: Target) -> None:
    release(build(tmp_path), target)
    before = tree(target.published)

    def audit(_: duckdb.DuckDBPyConnection, mart: str) -> Sequence[CheckResult]:
        return [check("has_rows"), check("snow_depth_is_not_negative", passed=mart != "daily_snow")]

    with pytest.raises(PublicationRefused) as refused:
        release(build(tmp_path, daily_snow=f"{SNOW} limit 3"), target, at=NIGHT + timedelta(1), audit=audit)

    assert str(refused.value) == (
        "nothing was published, the last audit failed: mart daily_snow: snow_depth_is_not_negative"
    )
    assert refused.value.failures == (("daily_snow", "snow_depth_is_not_negative"),)
    assert set(refused.value.checks) == set(MARTS)
    assert tree(target.published) == before
    assert release_ids(target) == [current_release(target)]
    assert {path.name for path in target.releases.iterdir()} == {".lock", "history.jsonl", current_release(target)}


def test_an_audit_that_raises_refuses(tmp_path: Path, target: Target) -> None:
    def audit(connection: duckdb.DuckDBPyConnection, mart: str) -> Sequence[CheckResult]:
        connection.execute("select no_such_column from daily_snow")
        return []

    with pytest.raises(PublicationRefused, match="mart daily_snow: the audit raised BinderException"):
        release(build(tmp_path), target, audit=audit)
    assert not target.published.exists()


def test_the_audit_sees_what_was_written_and_cannot_change_it(tmp_path: Path, target: Target) -> None:
    seen: list[tuple[Any, ...]] = []

    def audit(connection: duckdb.DuckDBPyConnection, mart: str) -> Sequence[CheckResult]:
        seen.extend(connection.cursor().execute(f"select count(*) from main.{mart}").fetchall())
        with pytest.raises(duckdb.InvalidInputException, match="read-only"):
            connection.execute(f"delete from {mart}")
        return [check("sound")]

    release(build(tmp_path), target, audit=audit)
    assert seen == [(21,), (2,), (2,)]  # the record of the publication is audited too


@pytest.mark.parametrize(
    ("query", "column_type"),
    [
        ("select [1, 2] as effects", r"INTEGER\[\]"),
        ("select 'a'::enum('a', 'b') as effects", "ENUM"),
        ("select {'a': 1} as effects", "STRUCT"),
        ("select sum(1) as effects", "HUGEINT"),
    ],
)
def test_a_column_type_that_not_every_reader_knows_is_named(
    tmp_path: Path, target: Target, query: str, column_type: str
) -> None:
    with pytest.raises(PublicationFailed, match=rf"mart daily_snow: column effects has type {column_type}"):
        release(build(tmp_path, daily_snow=query), target)


def test_a_missing_mart_and_a_missing_build_are_named(tmp_path: Path, target: Target) -> None:
    with pytest.raises(PublicationFailed, match="mart fct_kpi_value is not in the build database"):
        release(build(tmp_path), target, marts=[*MARTS, "fct_kpi_value"])
    with pytest.raises(PublicationFailed, match=r"there is no build database .*absent\.duckdb"):
        release(tmp_path / "absent.duckdb", target)


def test_a_build_that_is_no_database_fails_with_a_reason(tmp_path: Path, target: Target) -> None:
    release(build(tmp_path), target)
    broken = tmp_path / "broken.duckdb"
    broken.write_bytes(b"not a database" * 1000)
    with pytest.raises(PublicationFailed, match=r"could not be written.*not a valid DuckDB") as failed:
        release(broken, target, at=NIGHT + timedelta(days=1))
    assert str(failed.value).endswith(f"published is still {current_release(target)}")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"at": datetime(2026, 2, 1)}, "time zone"),  # noqa: DTZ001
        ({"marts": []}, "at least one"),
        ({"marts": ["daily_snow", "daily_snow"]}, "once each"),
        ({"marts": ["publication"]}, "cannot be named 'publication'"),
        ({"marts": ["x; drop table y"]}, "cannot be named"),
        ({"stale": {"elsewhere": Staleness(None, ())}}, "stale are not published: elsewhere"),
    ],
)
def test_wrong_arguments_are_refused(tmp_path: Path, target: Target, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        release(build(tmp_path), target, **change)
