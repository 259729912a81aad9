"""Bad indicator input from the source to the warehouse: what is refused, what closes the gate, what is only shown."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from hogland_pipeline.gate import Batch, Load, pass_gate
from hogland_pipeline.loads import files_to_load
from hogland_pipeline.resources import Source
from hogland_pipeline.sources.emission_database import EmissionDatabase
from hogland_pipeline.sources.kolada import Kolada, KoladaSeries
from hogland_pipeline.sources.kolada_groups import KoladaGroups
from hogland_pipeline.sources.scb_pxweb import ScbPxWeb, Table
from hogland_pipeline.spool import spool_candidate
from hogland_pipeline.warehouse import AREA_GROUP, INDICATOR_SERIES, INDICATOR_VALUE, Warehouse
from sensors_ingest.http import Folder, HttpOrigin
from sensors_ingest.landing import Landing
from tests.emission_workbooks import write_workbook
from tests.servers import serve
from tests.servers_indicators import KoladaServer, PxWebServer, kolada_row

FIVE = ("Aneby", "Nässjö", "Sävsjö", "Vetlanda", "Eksjö")
TITLES = {"N01951": "Invånare totalt, antal", "N07945": "Elbilar i trafik, andel (%)"}
KPIS = {"N01951": "antal", "N07945": "andel (%)"}
CODES = ("0604", "0682", "0684", "0685", "0686")

TABLES = {"kolada_series": INDICATOR_SERIES, "kolada_groups": AREA_GROUP}

Run = Callable[[Source], Load]


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "warehouse.duckdb")


@pytest.fixture
def run(tmp_path: Path, warehouse: Warehouse) -> Run:
    """One night of one source."""
    landing = Landing(tmp_path / "landing")

    def night(source: Source) -> Load:
        table = TABLES.get(source.name, INDICATOR_VALUE)
        landing.note_sent(source.name, [], source.fetch(landing, []))
        files = files_to_load(warehouse, landing, source.name, source.decoder_version)
        candidate = tmp_path / "candidate.parquet"
        spool_candidate(source.decode(landing, files), table, candidate)
        batch = Batch(source.name, candidate, files, source.decoder_version, "run")
        return pass_gate(warehouse, table, batch, "Europe/Stockholm")

    return night


def write_series(folder: Path, rows: Sequence[tuple[str, int, str]], vintage: str = "2026-06") -> EmissionDatabase:
    lines = [f"{municipality},Jönköpings län,{year},{value}" for municipality, year, value in rows]
    text = "\n".join(["municipality,county,year,emissions_tonnes_co2e", *lines, ""])
    folder.mkdir(exist_ok=True)
    (folder / f"ghg_{vintage}.csv").write_text(text, encoding="utf-8")
    return EmissionDatabase(Folder(folder))


def emissions(**changed: str) -> list[tuple[str, int, str]]:
    """Two years of the five; keyword arguments replace values of 2024."""
    rows = [(municipality, 2023, "100") for municipality in FIVE]
    return rows + [(municipality, 2024, changed.get(municipality, "90")) for municipality in FIVE]


def failed(load: Load) -> dict[str, str]:
    return {check.name: check.severity for check in load.checks if not check.passed}


def query(warehouse: Warehouse, sql: str) -> list[Any]:
    with warehouse.read() as connection:
        return connection.execute(sql).fetchall()


def test_good_series_load_once(run: Run, warehouse: Warehouse, tmp_path: Path) -> None:
    source = write_series(tmp_path / "ned", emissions())
    assert (run(source).inserted, run(source).inserted) == (10, 0)
    assert query(warehouse, "SELECT count(*), count(DISTINCT area_id) FROM raw.indicator_value") == [(10, 5)]


def test_a_negative_emission_waits_in_quarantine_with_its_row(run: Run, warehouse: Warehouse, tmp_path: Path) -> None:
    load = run(write_series(tmp_path / "ned", emissions(Eksjö="-90")))
    assert (load.status, load.inserted, load.quarantined) == ("passed", 9, 1)
    assert failed(load) == {"emission_is_not_negative": "error"}
    rows = query(
        warehouse, "SELECT source, area_id, period, value, landing_row, check_name FROM quarantine.indicator_value"
    )
    assert rows == [("ned", "0686", "2024", -90.0, 11, "emission_is_not_negative")]


@pytest.mark.parametrize(
    ("rows", "check"),
    [
        ([*emissions(), ("Nässjö", 2024, "91")], "figure_is_stated_once"),
        (emissions()[:-1], "emissions_cover_the_five_municipalities"),
        (emissions(**dict.fromkeys(FIVE, "..")), "emission_years_have_figures"),
    ],
)
def test_a_doubled_or_missing_municipality_or_empty_year_closes_the_gate(
    run: Run, warehouse: Warehouse, tmp_path: Path, rows: Sequence[tuple[str, int, str]], check: str
) -> None:
    run(write_series(tmp_path / "ned", emissions(), vintage="2026-02"))
    load = run(write_series(tmp_path / "ned", rows))
    assert load.status == "closed"
    assert failed(load) == {check: "error"}
    assert query(warehouse, "SELECT DISTINCT vintage FROM raw.indicator_value") == [("2026-02",)]


AREAS = [("Alla", "Alla"), *(("Jönköpings län", municipality) for municipality in FIVE)]


@pytest.mark.parametrize(
    ("cells", "outcome"),
    [
        ({}, ("passed", 0, {})),
        ({("Transporter", "Nässjö"): 2.0}, ("closed", 0, {"emission_sectors_add_up_to_the_total": "error"})),
        ({("Jordbruk", "Eksjö"): "··"}, ("closed", 0, {"emission_sectors_add_up_to_the_total": "error"})),
        (
            {("Transporter", "Nässjö"): -1.0, ("Alla", "Nässjö"): 7.0},
            ("passed", 1, {"emission_is_not_negative": "error"}),
        ),
    ],
)
def test_a_workbook_whose_sectors_do_not_add_up_closes_the_gate(
    run: Run, tmp_path: Path, cells: Mapping[tuple[str, str], Any], outcome: tuple[str, int, dict[str, str]]
) -> None:
    (tmp_path / "ned").mkdir()
    write_workbook(tmp_path / "ned" / "export.xlsx", areas=AREAS, cells=cells)
    load = run(EmissionDatabase(Folder(tmp_path / "ned")))
    assert (load.status, load.quarantined, failed(load)) == outcome


def test_vintages_stand_beside_each_other_and_corrections_are_revisions(
    run: Run, warehouse: Warehouse, tmp_path: Path
) -> None:
    run(write_series(tmp_path / "ned", emissions(), vintage="2026-02"))
    restated = run(write_series(tmp_path / "ned", emissions(Nässjö="85")))
    corrected = run(write_series(tmp_path / "ned", emissions(Nässjö="86")))
    assert (restated.inserted, corrected.inserted, corrected.revised, corrected.unchanged) == (10, 0, 1, 9)
    values = (
        "SELECT vintage, value, revision FROM raw.indicator_value WHERE area_id = '0682' AND period = '2024' ORDER BY 1"
    )
    assert query(warehouse, values) == [("2026-02", 90.0, 1), ("2026-06", 86.0, 2)]


def kolada(run: Run, titles: Mapping[str, str], rows: Sequence[Mapping[str, Any]], kpis: Mapping[str, str]) -> Load:
    with serve(KoladaServer(titles, rows)) as url:
        return run(Kolada(HttpOrigin(url), kpis, CODES, (2023, 2024)))


ROWS = [kolada_row(kpi, area, year, 10.0) for kpi in KPIS for area in CODES for year in (2023, 2024)]


def test_a_key_figure_that_changes_unit_closes_or_waits_until_it_is_registered(run: Run, warehouse: Warehouse) -> None:
    assert kolada(run, TITLES, ROWS, KPIS).inserted == 20
    changed = TITLES | {"N01951": "Invånare totalt, tusental"}
    load = kolada(run, changed, ROWS, KPIS)
    assert load.status == "closed"
    assert "payload_is_decoded" in failed(load) and "quarantined_share_is_within_limit" in load.message
    assert query(warehouse, "SELECT DISTINCT reject_reason FROM stage.kolada WHERE series_id = 'N01951'") == [
        ("the unit is 'tusental' and not 'antal' as registered",)
    ]
    registered = kolada(run, changed, ROWS, KPIS | {"N01951": "tusental"})
    assert (registered.status, registered.revised) == ("passed", 10)
    assert query(warehouse, "SELECT DISTINCT unit FROM raw.indicator_value ORDER BY 1") == [
        ("andel (%)",),
        ("tusental",),
    ]


def test_registering_a_key_figure_later_does_not_judge_old_units_again(run: Run, warehouse: Warehouse) -> None:
    kolada(run, TITLES, ROWS, {"N01951": "antal"})
    changed, registered = TITLES | {"N01951": "Invånare totalt, tusental"}, {"N01951": "tusental"}
    assert kolada(run, changed, ROWS, registered).status == "passed"
    load = kolada(run, changed, ROWS, registered | {"N07945": "andel (%)"})
    assert (load.status, load.inserted, load.quarantined, failed(load)) == ("passed", 10, 0, {})
    assert query(warehouse, "SELECT DISTINCT unit FROM raw.indicator_value WHERE series_id = 'N01951'") == [
        ("tusental",)
    ]
    assert query(warehouse, "SELECT DISTINCT unit FROM raw.indicator_value_history") == [("antal",)]


def test_a_register_that_is_wrong_closes_the_gate_with_what_the_source_sends_now(
    run: Run, warehouse: Warehouse
) -> None:
    kolada(run, TITLES, ROWS, KPIS)
    load = kolada(run, TITLES, ROWS, KPIS | {"N01951": "tusental"})
    assert (load.status, failed(load)["payload_is_decoded"]) == ("closed", "error")
    assert query(warehouse, "SELECT count(*) FROM stage.kolada WHERE reject_reason IS NOT NULL") == [(10,)]
    assert kolada(run, TITLES, ROWS, KPIS).status == "passed"


def scb(run: Run, told: str, registered: str, decoder_version: str = "1") -> Load:
    """A night on which Statistics Sweden tells a figure in one unit, and it is registered with another or the same."""
    selection = {"Region": ("00", *CODES), "ContentsCode": ("C1",), "Tid": ("2023", "2024")}
    table = Table("TAB1", selection, {"C1": registered})
    with serve(PxWebServer(contents={"C1": told})) as url:
        return run(ScbPxWeb(HttpOrigin(f"{url}/api/v2"), (table,), seconds_per_call=0, decoder_version=decoder_version))


def test_a_table_that_changes_unit_closes_until_it_is_registered_and_never_by_its_past(
    run: Run, warehouse: Warehouse
) -> None:
    assert scb(run, "antal", "antal").inserted == 12
    assert failed(scb(run, "tusental", "antal"))["payload_is_decoded"] == "error"
    assert (scb(run, "tusental", "tusental").status, scb(run, "tusental", "tusental").staged) == ("passed", 0)
    load = scb(run, "tusental", "tusental", decoder_version="2")  # reads every snapshot again
    assert (load.status, load.staged, load.quarantined) == ("passed", 12, 0)
    assert query(warehouse, "SELECT DISTINCT unit FROM raw.indicator_value") == [("tusental",)]


def test_an_unknown_status_is_refused(run: Run, warehouse: Warehouse) -> None:
    rows = [*ROWS[1:], kolada_row("N01951", "0604", 2023, 10.0, status="Guessed")]
    assert failed(kolada(run, TITLES, rows, KPIS)) == {"value_status_is_known": "error"}
    assert query(warehouse, "SELECT value_status FROM quarantine.indicator_value") == [("guessed",)]


def test_a_key_figure_without_one_municipality_is_shown(run: Run) -> None:
    rows = [row for row in ROWS if (row["kpi"], row["municipality"], row["period"]) != ("N07945", "0685", 2024)]
    load = kolada(run, TITLES, rows, KPIS)
    assert (load.status, failed(load)) == ("passed", {"latest_key_figures_cover_the_five_municipalities": "warning"})


@pytest.mark.parametrize(
    ("titles", "checks"),
    [
        ({"N01951": "Folkmängd, antal"}, {"title_is_that_of_the_last_run"}),
        ({"N01951": "Invånare totalt, tusental"}, {"title_is_that_of_the_last_run", "unit_is_that_of_the_last_run"}),
        ({"N01951": ""}, {"registered_series_is_not_withdrawn"}),
    ],
)
def test_a_renamed_or_withdrawn_key_figure_is_a_visible_warning(
    run: Run, warehouse: Warehouse, titles: Mapping[str, str], checks: set[str]
) -> None:
    def night(listed: Mapping[str, str]) -> Load:
        with serve(KoladaServer({kpi: title for kpi, title in listed.items() if title})) as url:
            return run(KoladaSeries(HttpOrigin(url), KPIS))

    assert failed(night(TITLES)) == {}
    load = night(TITLES | titles)
    assert (load.status, load.revised) == ("passed", 1)
    assert failed(load) == dict.fromkeys(checks, "warning")
    assert query(warehouse, "SELECT title FROM raw.indicator_series_history") == [(TITLES["N01951"],)]


def groups(run: Run, listed: Mapping[str, Sequence[str]]) -> Load:
    with serve(KoladaServer({}, groups=listed)) as url:
        return run(KoladaGroups(HttpOrigin(url), ("G168177", "G37487", "G37577")))


GROUPS = {"G168177": CODES, "G37487": ("0617", "0642"), "G37577": ("0683",)}


def test_new_members_of_a_group_are_loaded_and_shown_and_the_old_ones_kept(run: Run, warehouse: Warehouse) -> None:
    assert failed(groups(run, GROUPS)) == {}
    assert groups(run, GROUPS).revised == 0
    load = groups(run, GROUPS | {"G37487": ("0642", "0687")})
    assert (load.revised, failed(load)) == (1, {"members_are_those_of_the_last_run": "warning"})
    sql = "SELECT members FROM raw.area_group{} WHERE group_id = 'G37487'"
    assert query(warehouse, sql.format("")) == [(["0642", "0687"],)]
    assert query(warehouse, sql.format("_history")) == [(["0617", "0642"],)]


def test_a_group_that_is_no_longer_listed_keeps_its_last_members(run: Run, warehouse: Warehouse) -> None:
    groups(run, GROUPS)
    load = groups(run, {group: members for group, members in GROUPS.items() if group != "G37487"})
    assert (load.status, load.quarantined, failed(load)) == ("passed", 1, {"payload_is_decoded": "error"})
    assert query(warehouse, "SELECT source_row, reason FROM quarantine.area_group")[0][0] == "G37487"
    assert query(warehouse, "SELECT count(*) FROM raw.area_group") == [(3,)]


def test_a_member_without_its_leading_zero_waits_in_quarantine(run: Run, warehouse: Warehouse) -> None:
    load = groups(run, GROUPS | {"G37487": ("617", "0642")})
    assert (load.quarantined, failed(load)) == (1, {"group_has_members_with_municipality_codes": "error"})
