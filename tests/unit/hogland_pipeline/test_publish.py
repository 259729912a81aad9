"""One release at a time: complete, audited, immutable; on any failure what was published stays as it was."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from expectations.runner import CheckResult
from hogland_pipeline import release_tables
from hogland_pipeline.publication_record import PublishedMart, SourceState
from hogland_pipeline.publish import Publication, PublicationRefused, Staleness, publish
from hogland_pipeline.releases import (
    PublicationFailed,
    Target,
    current_release,
    only_publisher,
    release_ids,
    roll_back,
)

NIGHT = datetime(2026, 2, 1, 1, tzinfo=UTC)
MARTS = ("daily_snow", "dim_municipality")
SNOW = "select range::integer as day, range * 0.5 as snow_depth_cm from range(21)"
MUNICIPALITIES = "select * from (values ('0682', 'Nässjö'), ('0686', 'Eksjö')) as t(municipality_code, name)"


def build(folder: Path, **tables: str) -> Path:
    path = folder / "marts.duckdb"
    path.unlink(missing_ok=True)
    with duckdb.connect(path) as connection:
        for name, query in ({"daily_snow": SNOW, "dim_municipality": MUNICIPALITIES} | tables).items():
            connection.execute(f"create table main.{name} as {query}")
    return path


def check(name: str, *, passed: bool = True, severity: Any = "error") -> CheckResult:
    return CheckResult(
        name=name,
        column=None,
        severity=severity,
        scope="table",
        passed=passed,
        evaluated_rows=21,
        failing_rows=0 if passed else 1,
        failing_share=0.0 if passed else 1 / 21,
        description="",
        threshold_reason="",
    )


def one_pass(_: duckdb.DuckDBPyConnection, mart: str) -> Sequence[CheckResult]:
    return [check(f"{mart}_is_sound")]


def release(
    build_db: Path,
    target: Target,
    *,
    marts: Sequence[str] = MARTS,
    at: datetime = NIGHT,
    audit: Callable[[duckdb.DuckDBPyConnection, str], Sequence[CheckResult]] = one_pass,
    stale: Mapping[str, Staleness] | None = None,
    sources: Sequence[SourceState] = (),
    run_id: str = "1f6c2a9e-7f11",
    **options: Any,
) -> Publication:
    return publish(
        build_db,
        target,
        marts,
        run_id=run_id,
        sources=sources,
        stale=stale or {},
        audit=audit,
        published_at=at,
        **options,
    )


def ask(database: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(database, read_only=True) as connection:
        return connection.execute(query).fetchall()


def tree(folder: Path) -> dict[str, bytes]:
    real = folder.resolve()
    return {str(path.relative_to(real)): path.read_bytes() for path in real.rglob("*") if path.is_file()}


@pytest.fixture
def target(tmp_path: Path) -> Target:
    return Target(tmp_path / "data")


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


def test_the_same_rows_in_another_order_are_no_change(tmp_path: Path, target: Target) -> None:
    first = release(build(tmp_path), target)
    again = release(build(tmp_path, daily_snow=f"{SNOW} order by day desc"), target, at=NIGHT + timedelta(days=1))
    assert first.is_changed
    assert not again.is_changed
    assert [mart.content_fingerprint for mart in first.marts] == [mart.content_fingerprint for mart in again.marts]


@pytest.mark.parametrize(
    "changed",
    [
        "select range::integer as day, range * 0.5 + (range = 20)::integer as snow_depth_cm from range(21)",
        "select range::integer as day, nullif(range * 0.5, 0) as snow_depth_cm from range(21)",
        f"{SNOW} union all ({SNOW} limit 1)",
        f"{SNOW} limit 20",
        "select range::integer as day, range * 0.5 as snow_depth_mm from range(21)",
        "select range::bigint as day, range * 0.5 as snow_depth_cm from range(21)",
    ],
    ids=["value", "null", "duplicate row", "missing row", "renamed column", "other type"],
)
def test_any_change_of_rows_or_columns_changes_the_fingerprint(tmp_path: Path, target: Target, changed: str) -> None:
    release(build(tmp_path), target)
    publication = release(
        build(tmp_path, daily_snow=changed), target, at=NIGHT + timedelta(days=1), may_break_contracts=True
    )
    assert [mart.is_changed for mart in publication.marts] == [True, False]


def test_two_equal_rows_that_come_or_go_change_the_fingerprint(tmp_path: Path, target: Target) -> None:
    pair = f"{SNOW} union all (select 1, 0.5) union all (select 1, 0.5)"
    release(build(tmp_path), target)
    publication = release(build(tmp_path, daily_snow=pair), target, at=NIGHT + timedelta(days=1))
    assert publication.marts[0].is_changed


def test_an_unreadable_manifest_makes_every_mart_count_as_changed(tmp_path: Path, target: Target) -> None:
    folder = release(build(tmp_path), target).folder
    (folder / "manifest.json").write_text("{broken", encoding="utf-8")
    assert all(mart.is_changed for mart in release(build(tmp_path), target, at=NIGHT + timedelta(1)).marts)


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


def test_an_interrupt_leaves_no_candidate(tmp_path: Path, target: Target) -> None:
    def audit(_: duckdb.DuckDBPyConnection, mart: str) -> Sequence[CheckResult]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        release(build(tmp_path), target, audit=audit)
    assert [path.name for path in target.releases.iterdir()] == [".lock"]


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


def test_old_releases_retire_and_the_current_one_never_does(tmp_path: Path) -> None:
    target = Target(tmp_path / "data", keep=2)
    path = build(tmp_path)
    ids = [release(path, target, at=NIGHT + timedelta(days=day)).release_id for day in range(4)]
    assert release_ids(target) == ids[2:]

    late = release(path, target, at=NIGHT - timedelta(days=1)).release_id
    assert current_release(target) == late
    assert late in release_ids(target)

    with pytest.raises(ValueError, match="at least one release"):
        Target(tmp_path, keep=0)


def test_a_rollback_points_at_a_kept_release(tmp_path: Path, target: Target) -> None:
    path = build(tmp_path)
    first = release(path, target)
    before = tree(target.published)
    release(build(tmp_path, daily_snow=f"{SNOW} limit 3"), target, at=NIGHT + timedelta(days=1))

    roll_back(target, first.release_id)
    assert tree(target.published) == before
    with pytest.raises(PublicationFailed, match=rf"no release nowhere .*kept: {first.release_id}, "):
        roll_back(target, "nowhere")


def test_a_published_release_is_never_written_again(tmp_path: Path, target: Target) -> None:
    path = build(tmp_path)
    release(path, target)
    before = tree(target.published)
    with pytest.raises(PublicationFailed, match="published already and releases are immutable"):
        release(path, target)
    assert tree(target.published) == before


def test_what_a_killed_publication_left_is_cleared(tmp_path: Path, target: Target) -> None:
    candidate = target.releases / "candidate-20260131T010000000000Z-dead"
    (candidate / "parquet").mkdir(parents=True)
    (candidate / "hogland.duckdb").write_bytes(b"half")
    never_current = release(build(tmp_path), target)
    target.published.unlink()
    (target.root / ".published-next").symlink_to("releases/nowhere")

    publication = release(build(tmp_path), target)

    assert publication.release_id == never_current.release_id
    assert not candidate.exists()
    assert sorted(path.name for path in target.root.iterdir()) == ["published", "releases"]
    assert ask(target.database, "select count(*) from daily_snow") == [(21,)]


def test_something_else_in_the_place_of_the_link_is_left_alone(tmp_path: Path, target: Target) -> None:
    target.published.mkdir(parents=True)
    (target.published / "precious.txt").write_text("keep", encoding="utf-8")
    with pytest.raises(PublicationFailed, match="could not be written"):
        release(build(tmp_path), target)
    assert (target.published / "precious.txt").read_text(encoding="utf-8") == "keep"
    assert release_ids(target) == []


def test_two_publications_at_once_wait_for_each_other(
    tmp_path: Path, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hogland_pipeline.releases.LOCK_TIMEOUT_SECONDS", 0.1)
    with (
        only_publisher(target),
        pytest.raises(PublicationFailed, match=r"another publication has held .* for 0\.1 s"),
    ):
        release(build(tmp_path), target)


def test_a_data_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(PublicationFailed, match=r"cannot write releases under .*data"):
        release(build(tmp_path), Target(tmp_path / "data"))


FULL_DISK = """
import resource, sys
from pathlib import Path
from datetime import UTC, datetime
from hogland_pipeline.publish import publish
from hogland_pipeline.releases import Target

build_db, root, limit = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), resource.RLIM_INFINITY))
at = datetime(2026, 2, 2, 1, tzinfo=UTC)
nothing = dict(sources=[], stale={}, audit=lambda *_: [])
publish(Path(build_db), Target(Path(root)), ["daily_snow"], run_id="full", published_at=at, **nothing)
"""


@pytest.mark.parametrize("limit", [1_000, 300_000])
def test_a_full_disk_is_explained_and_the_old_release_stays(tmp_path: Path, target: Target, limit: int) -> None:
    """A limit on the size of files stands in for the full disk: the writes fail half-way."""
    path = build(tmp_path, daily_snow="select range as day, hash(range)::varchar as noise from range(200000)")
    release(path, target, marts=["daily_snow"])
    before = tree(target.published)

    outcome = subprocess.run(
        [sys.executable, "-c", FULL_DISK, path, target.root, str(limit)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[3],
    )

    last_line = outcome.stderr.strip().splitlines()[-1]
    assert "PublicationFailed: release 20260202T010000000000Z-full could not be written" in last_line
    assert last_line.endswith(f"published is still {current_release(target)}")
    assert tree(target.published) == before
    assert release_ids(target) == [current_release(target)]


FULL_DISK_IN_EXTRACT = """
import resource, sys
from pathlib import Path
from hogland_pipeline.publish_settings import ExtractSettings
from hogland_pipeline.releases import PublicationFailed, Target
from hogland_pipeline.targets.extracts import write_extracts
from tests.unit.hogland_pipeline.test_publish import NIGHT, release
from datetime import timedelta
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
writers = {"extracts": lambda draft: write_extracts(draft, ExtractSettings())}
try:
    release(Path(sys.argv[1]), Target(Path(sys.argv[2])), at=NIGHT + timedelta(1), writers=writers)
except PublicationFailed as failed:
    print(failed)
"""


def test_a_disk_that_fills_in_an_extract_leaves_the_old_release(tmp_path: Path, target: Target) -> None:
    """Texts that compress well make a small database and a CSV file that does not fit."""
    release(build(tmp_path), target)
    before = tree(target.published)
    large = "select range::integer as day, (range * 0.5)::decimal(21, 1) as snow_depth_cm, repeat('snow', 50) as note"
    path = build(tmp_path, daily_snow=f"{large} from range(20000)")
    command = [sys.executable, "-c", FULL_DISK_IN_EXTRACT, str(path), str(target.root), "1500000"]
    outcome = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False)

    assert f"published is still {current_release(target)}" in outcome.stdout, outcome.stderr
    assert tree(target.published) == before
    assert list(target.releases.glob("candidate-*")) == []


@pytest.mark.parametrize(
    ("number", "is_same"),
    [
        ("55.33570041784493", True),
        ("55.335700418", False),
        ("'nan'::DOUBLE", False),
        ("0.0", False),
        ("NULL::DOUBLE", False),
    ],
)
def test_the_order_of_a_sum_is_no_change_but_the_twelfth_digit_is(tmp_path: Path, number: str, is_same: bool) -> None:
    fingerprints = []
    for release, value in enumerate(("55.33570041784494", number)):
        with duckdb.connect() as connection:
            connection.execute("ATTACH ':memory:' AS hogland")
            connection.execute(f"CREATE TABLE hogland.main.mart AS SELECT {value} AS mean")
            connection.execute("ALTER TABLE hogland.main.mart ALTER mean TYPE DOUBLE")
            (tmp_path / str(release) / "parquet").mkdir(parents=True)
            fingerprints.append(release_tables._write_table(connection, tmp_path / str(release), "mart").fingerprint)
    assert (fingerprints[0] == fingerprints[1]) is is_same
