"""Three snapshots of the catalogue through landing and gate: what ``raw`` then knows of stages, and after a reload."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hogland_pipeline.gate import pass_gate
from hogland_pipeline.loads import Batch, Load, files_to_load
from hogland_pipeline.sources.uttc_catalogue import UttcCatalogue
from hogland_pipeline.spool import spool_candidate
from hogland_pipeline.warehouse import UTTC_SOLUTION, Warehouse
from sensors_ingest import landing as landing_module
from sensors_ingest.http import Folder
from sensors_ingest.landing import Landing

SAMPLE = Path(__file__).parents[3] / "samples" / "uttc_catalogue"
HAMMARBY = "2025/08/20/digital-varmestyrning-hammarby-sjostad"
HELSINGBORG = "2025/06/10/vagskick-med-ai-fran-sopbilar-helsingborg"


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SAMPLE, tmp_path / "catalogue"))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def load(source: UttcCatalogue, landing: Landing, warehouse: Warehouse, folder: Path) -> Load:
    files = files_to_load(warehouse, landing, source.name, source.decoder_version)
    candidate = folder / "candidate.parquet"
    spool_candidate(source.decode(landing, files), UTTC_SOLUTION, candidate)
    return pass_gate(
        warehouse,
        UTTC_SOLUTION,
        Batch(source.name, candidate, files, source.decoder_version, "run"),
        "Europe/Stockholm",
    )


def stages(warehouse: Warehouse, slug: str) -> list[str | None]:
    """The stage of a solution in each snapshot of the catalogue, None where it is not in it."""
    with warehouse.read() as connection:
        rows = connection.execute(
            "SELECT any_value(stage) FILTER (contains(url, ?)) FROM raw.uttc_solution GROUP BY snapshot_at"
            " ORDER BY snapshot_at",
            [slug],
        ).fetchall()
    return [row[0] for row in rows]


def three_snapshots(source: UttcCatalogue, catalogue: Path, landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hammarby Sjöstad is validated in the second; Helsingborg is gone from the third, where Hammarby is back."""
    clock = datetime(2026, 1, 10, 2, tzinfo=UTC)

    class Clock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return clock

    monkeypatch.setattr(landing_module, "datetime", Clock)
    source.fetch(landing)
    edit(catalogue / HAMMARBY / "index.html", "ANALYSERADE", "VALIDERADE")
    clock += timedelta(days=1)
    source.fetch(landing)
    edit(catalogue / HAMMARBY / "index.html", "VALIDERADE", "ANALYSERADE")
    edit(catalogue / "listing.html", f"https://uttc.example.org/{HELSINGBORG}/", "https://other.example.org/")
    clock += timedelta(days=1)
    source.fetch(landing)


def test_three_snapshots_give_a_history_of_stages_withdrawals_and_returns_however_they_are_loaded(
    tmp_path: Path, catalogue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, landing = UttcCatalogue(Folder(catalogue)), Landing(tmp_path / "landing")
    three_snapshots(source, catalogue, landing, monkeypatch)
    assert len(landing.files(source.name)) == 3
    for name in ("first", "rebuilt from landing"):
        warehouse = Warehouse(tmp_path / f"{name}.duckdb")
        assert load(source, landing, warehouse, tmp_path).status == "passed"
        again = load(source, landing, warehouse, tmp_path)
        assert (again.inserted, again.revised) == (0, 0)
        assert stages(warehouse, "hammarby") == ["analysed", "validated", "analysed"]
        assert stages(warehouse, "helsingborg") == ["analysed", "analysed", None]
