"""The committed samples are what their scripts make."""

import runpy
from pathlib import Path

from hogland_pipeline.sources.survey_sheet import read_sheet

SAMPLES = Path(__file__).parents[4] / "samples"


def test_the_survey_sample_is_what_its_script_makes(tmp_path: Path) -> None:
    runpy.run_path(str(SAMPLES / "make_survey_sample.py"))["main"](tmp_path)
    (made,), (kept,) = (sorted(folder.glob("*.xlsx")) for folder in (tmp_path, SAMPLES / "survey"))
    # Cells, not bytes: another version of zlib may pack the same workbook differently.
    assert made.name == kept.name
    assert read_sheet(made).headers == read_sheet(kept).headers
    assert read_sheet(made).cells.equals(read_sheet(kept).cells)


def test_the_people_of_the_survey_sample_are_at_example_org() -> None:
    (path,) = (SAMPLES / "survey").glob("*.xlsx")
    emails = read_sheet(path).cells["D"].to_list()
    assert len(emails) == 41
    assert all(email == "anonymous" or email.endswith("@example.org") for email in emails)


def test_the_catalogue_sample_is_what_its_script_makes(tmp_path: Path) -> None:
    runpy.run_path(str(SAMPLES / "make_uttc_sample.py"))["main"](tmp_path)
    made, kept = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (tmp_path, SAMPLES / "uttc_catalogue")
    )
    assert made == kept
