"""Mistakes in ``[indicators]`` end as one sentence that names the key; each source is optional."""

from datetime import date
from pathlib import Path

import pytest

from hogland_pipeline.resources import bind_sources
from hogland_pipeline.settings import PROJECT_ROOT, Settings, SettingsError, load_settings
from hogland_pipeline.sources.kolada import Kolada
from hogland_pipeline.sources.scb_pxweb import ScbPxWeb

WITHOUT_INDICATORS = (PROJECT_ROOT / "hogland.toml").read_text(encoding="utf-8").split("[indicators.ned]")[0]
KOLADA = '[indicators.kolada]\nfolder = "k"\nareas = ["0682"]\nfirst_year = 2024\nkpis = { N01951 = "antal" }\n'
SCB = """
[indicators.scb]
url = "https://example.org/api/v2"
[[indicators.scb.tables]]
id = "TAB638"
selection = { Region = ["0682"], Tid = ["from(2010)"] }
units = { BE0101N1 = "antal" }
"""


def load(folder: Path, sections: str) -> Settings:
    (folder / "hogland.toml").write_text(WITHOUT_INDICATORS + sections, encoding="utf-8")
    return load_settings(folder / "hogland.toml", {})


def test_every_indicator_source_is_optional(tmp_path: Path) -> None:
    names = {bound.source.name for bound in bind_sources(load(tmp_path, ""))}
    assert not names & {"ned", "kolada", "kolada_series", "kolada_groups", "scb"}


def test_kolada_is_asked_up_to_this_year(tmp_path: Path) -> None:
    settings = load(tmp_path, KOLADA)
    (kolada,) = [bound.source for bound in bind_sources(settings) if isinstance(bound.source, Kolada)]
    assert settings.today() == date(2026, 2, 1)
    assert kolada.years == (2024, 2025, 2026)
    assert settings.indicators.kolada and settings.indicators.kolada.folder == tmp_path / "k"


def test_groups_are_read_where_there_are_groups_among_the_areas(tmp_path: Path) -> None:
    def names(sections: str) -> set[str]:
        return {bound.source.name for bound in bind_sources(load(tmp_path, sections))}

    assert "kolada_groups" not in names(KOLADA)
    assert "kolada_groups" in names(KOLADA.replace('["0682"]', '["0682", "G37487"]'))


def test_statistics_sweden_is_bound_with_its_tables(tmp_path: Path) -> None:
    (bound,) = [bound for bound in bind_sources(load(tmp_path, SCB)) if bound.source.name == "scb"]
    assert isinstance(bound.source, ScbPxWeb) and bound.is_remote
    assert [table.id for table in bound.source.tables] == ["TAB638"]


@pytest.mark.parametrize(
    ("sections", "sentence"),
    [
        (KOLADA.replace("N01951", "N1951"), "indicators.kolada.kpis.N1951"),
        (KOLADA.replace('"0682"', '"682"'), "indicators.kolada.areas.0"),
        (KOLADA.replace('{ N01951 = "antal" }', "{}"), "indicators.kolada.kpis"),
        (KOLADA.replace("first_year", "first_years"), "did you mean 'first_year'?"),
        (KOLADA.replace('folder = "k"', ""), "indicators.kolada: needs either a folder or a url"),
        (KOLADA + 'token = "secret"\n', "kolada.token is a secret"),
        ('[indicators.ned]\nfolder = "n"\nsubstances = ["CH4"]\n', "indicators.ned.substances.0"),
        (SCB.replace('["0682"]', "[]"), "indicators.scb.tables.0.selection.Region"),
        ("[indicators.kolda]\n", "did you mean 'kolada'?"),
    ],
)
def test_a_mistake_is_one_sentence_that_names_its_key(tmp_path: Path, sections: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as error:
        load(tmp_path, sections)
    assert str(error.value).startswith("hogland.toml: ") and sentence in str(error.value)
    assert "\n" not in str(error.value) and '"secret"' not in str(error.value)


@pytest.mark.parametrize("name", ["kolada", "kolada_series", "kolada_groups", "scb", "ned"])
def test_a_feed_cannot_take_the_name_of_an_indicator_source(tmp_path: Path, name: str) -> None:
    feed = f'[feeds.{name}]\nkind = "smhi_metobs"\nfolder = "s"\nseries = [{{ parameter = 1, station = 74180 }}]\n'
    with pytest.raises(SettingsError, match=f"'{name}' is the name of another source"):
        load(tmp_path, feed)
