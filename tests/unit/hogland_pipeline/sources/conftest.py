"""Workbooks and catalogues to break, made from the bundled samples' own shape."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from sensors_ingest.landing import Landing

HEADERS = (
    "ID",
    "Start time",
    "Completion time",
    "Email",
    "Name",
    "Which municipality do you work in?",
    "What is your role?",
    "Does your organisation have a direction for new technology?",
    "Does your organisation have a strategy for AI?",
    "Where is AI used in your organisation today?",
    "Is there a data strategy?",
    "Do you explore new technology across functions?",
    "Have your staff been trained in AI?",
    "I am ready to lead the work with AI",
    "What is the largest obstacle, in your own words?",
)

WriteExport = Callable[..., Path]


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path / "landing")


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    folder = tmp_path / "drop"
    folder.mkdir()
    return folder


@pytest.fixture
def response() -> Callable[..., dict[str, Any]]:
    """One answered form; keyword arguments replace cells by header."""

    def make(number: int = 1, **cells: Any) -> dict[str, Any]:
        start = datetime(2025, 1, 14, 8, number)  # noqa: DTZ001 - Excel knows no time zones
        values = (
            number,
            start,
            start.replace(hour=9),
            f"tuva.{number}@example.org",
            f"Tuva Provlund{number}",
            "Nässjö",
            "Unit manager",
            "Yes",
            "No",
            "Analysis and forecasts;Service to citizens;",
            "Don't know",
            "No",
            "Yes",
            "Agree",
            "Tuva vill ha mer tid, ring 0701234567",
        )
        by_name = {
            "email": "Email",
            "name": "Name",
            "completed": "Completion time",
            "municipality": HEADERS[5],
            "direction": HEADERS[7],
            "strategy": HEADERS[8],
            "use": HEADERS[9],
        }
        return dict(zip(HEADERS, values, strict=True)) | {by_name[name]: value for name, value in cells.items()}

    return make


@pytest.fixture
def write_export(drop: Path) -> WriteExport:
    """Write responses as a Forms workbook; ``headers`` renames and reorders, ``above`` are rows before it."""

    def write(
        responses: Sequence[dict[str, Any]],
        name: str = "AI maturity(1-2).xlsx",
        *,
        headers: dict[str, str] | None = None,
        above: Sequence[str] = (),
        sheet: str = "Sheet1",
        other_sheets: dict[str, list[list[str]]] | None = None,
    ) -> Path:
        shown = headers if headers is not None else {header: header for header in HEADERS}
        path = drop / name
        with xlsxwriter.Workbook(path, {"default_date_format": "m/d/yy h:mm:ss"}) as workbook:
            worksheet = workbook.add_worksheet(sheet)
            for row, title in enumerate(above):
                worksheet.merge_range(row, 0, row, 5, title)
            worksheet.write_row(len(above), 0, list(shown.values()))
            for row, cells in enumerate(responses, start=len(above) + 1):
                for column, header in enumerate(shown):
                    worksheet.write(row, column, cells.get(header, ""))
            for other, lines in (other_sheets or {}).items():
                other_sheet = workbook.add_worksheet(other)
                for row, line in enumerate(lines):
                    other_sheet.write_row(row, 0, line)
        return path

    return write
