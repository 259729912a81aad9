"""The national emission database (SMHI): territorial emissions by municipality, sector and year.

Two forms. The workbook that the database exports (one substance a file, a header of two rows, counts in tonnes) and CSV
series as others publish them (``municipality, county, year, emissions_tonnes_co2[e]``). From the workbook come the
country, the counties and the municipalities, each with the nine main sectors and their total; subsectors stay in
landing. Every publication restates earlier years, so each file belongs to a vintage: the ``YYYY-MM`` in its name, or
else the month of the report that the workbook states. Source: nationella emissionsdatabasen, SMHI, CC BY 4.0.
"""

import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow as pa

from hogland_pipeline.sources.emission_workbook import Cells, read_workbook
from hogland_pipeline.sources.indicators import (
    CONFIDENTIAL,
    INDICATOR_VALUE_SCHEMA,
    MISSING,
    OBSERVED,
    TOTAL,
    MalformedAnswer,
)
from sensors_ingest import http
from sensors_ingest.landing import LandedFile, Landing

EXPORT_PATH: Final = "/api/getexcelfile/"
SUBSTANCES: Final = ("GGT", "CO2")
AREAS_FILE: Final = Path(__file__).with_name("swedish_areas.csv")

# Stable names of the nine main sectors; their spelling drifts between vintages (one says "uppärmning").
SECTORS: Final[Mapping[str, tuple[str, ...]]] = {
    TOTAL: ("Alla",),
    "agriculture": ("Jordbruk",),
    "industry": ("Industri (energi + processer)", "Industri"),
    "international_transport": ("Utrikes transporter",),
    "machinery": ("Arbetsmaskiner",),
    "own_heating": (
        "Egen uppvärmning av bostäder och lokaler",
        "Egen uppärmning av bostäder och lokaler",
        "Egen uppvärmning",
    ),
    "power_and_district_heating": ("El och fjärrvärme", "El- och fjärrvärme"),
    "product_use": ("Produktanvändning (inkl. lösningsmedel)", "Produktanvändning"),
    "transport": ("Transporter",),
    "waste": ("Avfall (inkl. avlopp)", "Avfall"),
}
# A number column may hold these instead of a number. Confidential is "··", missing "..": two characters each.
SYMBOLS: Final = {
    "": MISSING,
    ".": MISSING,
    "..": MISSING,
    "…": MISSING,
    "-": MISSING,
    "–": MISSING,
    "··": CONFIDENTIAL,
}
CSV_COLUMNS: Final = {"emissions_tonnes_co2e": "GGT", "emissions_tonnes_co2": "CO2"}

_VINTAGE: Final = re.compile(r"(?<!\d)(20\d\d-(?:0[1-9]|1[0-2]))(?![\d])")
_SECTOR_KEYS: Final = {re.sub(r"\W", "", name.casefold()): slug for slug, names in SECTORS.items() for name in names}


@dataclass(frozen=True)
class EmissionDatabase:
    """Every workbook and CSV of a folder, or the workbooks of ``substances`` at the database's address."""

    origin: http.Origin
    substances: tuple[str, ...] = SUBSTANCES
    name: str = "ned"
    decoder_version: str = "1"

    def fetch(self, landing: Landing, days: Sequence[date] = ()) -> list[LandedFile]:
        """Land each file as it is. Raises ``SourceUnreachable``, also for a folder without any."""
        match self.origin:
            case http.Folder():
                return self._land_files(landing, http.folder_path(self.name, self.origin))
            case http.HttpOrigin():
                return self._land_exports(landing, self.origin)

    def decode(self, landing: Landing, files: Iterable[LandedFile]) -> Iterator[pa.RecordBatch]:
        """Emissions in tonnes a year as ``INDICATOR_VALUE_SCHEMA``, rejects among them.

        Raises ``MalformedAnswer`` for a file that shows no emission table, no substance or no vintage.
        """
        for file in files:
            is_csv = file.path.name.endswith(".csv.zst")
            cells = (_read_csv if is_csv else read_workbook)(file.address, landing.read(file))
            _check_substance(file.address, cells)
            yield from _complete(self.name, file, cells, _vintage(file.address, cells)).to_batches()

    def _land_files(self, landing: Landing, folder: Path) -> list[LandedFile]:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".xlsx", ".csv"))
        if not paths:
            raise http.SourceUnreachable(self.name, folder.name, "the folder holds no .xlsx and no .csv file")
        return [
            landing.write(self.name, [path.read_bytes()], address=path.name, suffix=path.suffix.lower().lstrip("."))
            for path in paths
        ]

    def _land_exports(self, landing: Landing, origin: http.HttpOrigin) -> list[LandedFile]:
        landed = []
        url = origin.url.rstrip("/") + EXPORT_PATH
        with http.open_session(origin.token) as session:
            for substance in self.substances:
                params = {"county": "0", "municipality": "0", "sub": substance}
                with http.get(session, self.name, url, params=params) as answer:
                    landed.append(
                        landing.write(
                            self.name,
                            http.body(answer),
                            address=f"{http.without_secrets(url)}?sub={substance}",
                            suffix="xlsx",
                            source_time=http.last_modified(answer),
                        )
                    )
        return landed


def sector_slug(name: str) -> str | None:
    """The stable name of a main sector, however it is spelt; None for one that is not known."""
    return _SECTOR_KEYS.get(re.sub(r"\W", "", name.casefold()))


def _read_csv(address: str, content: bytes) -> Cells:
    """A published series: one row a municipality and year, the total only."""
    try:
        table = pl.read_csv(io.BytesIO(content), infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise MalformedAnswer(address, f"it is no readable CSV ({str(error).splitlines()[0]})") from None
    table.columns = [column.strip().removeprefix("\ufeff") for column in table.columns]
    figures = [column for column in table.columns if column in CSV_COLUMNS]
    if len(figures) != 1 or not {"municipality", "year"} <= set(table.columns):
        wanted = " or ".join(CSV_COLUMNS)
        raise MalformedAnswer(address, f"its header needs municipality, year and either {wanted}: {table.columns}")
    cells = table.with_row_index("landing_row", 2).select(
        pl.col("landing_row").cast(pl.Int64),
        pl.lit("Alla").alias("sector"),
        pl.lit(None, pl.String).alias("county"),
        pl.col("municipality"),
        pl.col("year"),
        pl.col(figures[0]).alias("cell"),
    )
    return Cells(cells, CSV_COLUMNS[figures[0]], report_date=None)


def _check_substance(address: str, cells: Cells) -> None:
    asked = re.search(r"[?&]sub=(\w+)", address)
    if cells.substance not in SUBSTANCES or (asked and asked[1] != cells.substance):
        known = asked[1] if asked else " or ".join(SUBSTANCES)
        raise MalformedAnswer(address, f"it is of substance {cells.substance}, not {known}")


def _vintage(address: str, cells: Cells) -> str:
    named = _VINTAGE.search(address)
    if named:
        return named[1]
    if cells.report_date:
        return f"{cells.report_date:%Y-%m}"
    raise MalformedAnswer(address, "no vintage: its name holds no YYYY-MM and it states no report date")


def _area_ids() -> dict[str, str]:
    """Ids by name: the country (Riket), the counties (… län) and the municipalities."""
    return dict(pl.read_csv(AREAS_FILE, infer_schema=False).select("name", "area_id").rows())


def _area_id() -> pl.Expr:
    """The workbook says Alla for a sum: of the country, or of the county that it names."""
    county = pl.when(pl.col("county") == "Alla").then(pl.lit("Riket")).otherwise(pl.col("county"))
    area = pl.when(pl.col("municipality") == "Alla").then(county).otherwise(pl.col("municipality"))
    return area.replace_strict(_area_ids(), default=None, return_dtype=pl.String)


def _complete(source: str, file: LandedFile, cells: Cells, vintage: str) -> pa.Table:
    """Ids, numbers, symbols and rejects."""
    said = pl.col("cell").fill_null("").str.strip_chars()
    number = said.str.replace_all(r"[\s\u00a0]", "").str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
    symbol = said.replace_strict(SYMBOLS, default=None, return_dtype=pl.String)
    slugs = {name: sector_slug(name) for name in cells.rows["sector"].unique() if name}
    rows = cells.rows.with_columns(
        pl.col("sector").replace_strict(slugs, default=None, return_dtype=pl.String).alias("breakdown"),
        _area_id().alias("area_id"),
        pl.when(number.is_finite()).then(number).alias("value"),
        pl.when(number.is_finite()).then(pl.lit(OBSERVED)).otherwise(symbol).alias("value_status"),
        said.alias("said"),
    ).with_columns(_reject_reason().alias("reject_reason"))
    is_reject = pl.col("reject_reason").is_not_null()
    told = pl.concat_str("sector", "county", "municipality", "year", "cell", separator=" | ", ignore_nulls=True)
    complete = rows.with_columns(
        pl.lit(source).alias("source"),
        pl.lit(cells.substance).alias("series_id"),
        pl.col("year").alias("period"),
        pl.lit("t").alias("unit"),
        pl.lit(vintage).alias("vintage"),
        pl.lit(cells.report_date).cast(pl.Datetime("us")).dt.replace_time_zone("UTC").alias("released_at"),
        pl.lit(file.received_at).alias("received_at"),
        pl.lit(file.landing_id).alias("landing_id"),
        pl.when(is_reject).then(told).alias("source_row"),
    )
    return complete.select(INDICATOR_VALUE_SCHEMA.names).to_arrow().cast(INDICATOR_VALUE_SCHEMA)


def _reject_reason() -> pl.Expr:
    def unless_known(column: str, name: str, what: str) -> pl.Expr:
        return pl.when(pl.col(column).is_null()).then(
            pl.format(f"{what} '{{}}' is not known", pl.col(name).fill_null(""))
        )

    return pl.coalesce(
        unless_known("breakdown", "sector", "sector"),
        pl.when(pl.col("area_id").is_null()).then(
            pl.format(
                "area '{}' is not known", pl.concat_str("county", "municipality", separator=", ", ignore_nulls=True)
            )
        ),
        unless_known("value_status", "said", "value"),
    )
