"""Workbooks that are broken or look different: each ends in one clear sentence, or is read all the same."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hogland_pipeline.sources.survey_sheet import Columns, MalformedExport, match_columns, read_sheet
from hogland_pipeline.sources.survey_wave import load_wave

Response = Callable[..., dict[str, Any]]
WriteExport = Callable[..., Path]

DIRECTION = "Does your organisation have a direction for new technology?"
STRATEGY = "Does your organisation have a strategy for AI?"


@pytest.fixture
def headers(response: Response) -> dict[str, str]:
    return {header: header for header in response()}


def columns(path: Path) -> Columns:
    return match_columns(read_sheet(path), load_wave("ai_maturity_2024_25").columns)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"", r"empty \(0 bytes\)", id="empty_file"),
        pytest.param(b"PK\x03\x04 half of it", "no readable workbook", id="half_copied"),
        pytest.param(b"ID;Start time;Completion time", "no readable workbook", id="csv_called_xlsx"),
        pytest.param(bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 600, "password", id="protected_or_old"),
    ],
)
def test_a_file_that_is_no_workbook_says_so(drop: Path, content: bytes, reason: str) -> None:
    path = drop / "export.xlsx"
    path.write_bytes(content)
    with pytest.raises(MalformedExport, match=rf"export\.xlsx: .*{reason}"):
        read_sheet(path)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.99])
def test_a_half_copied_workbook_says_so(write_export: WriteExport, response: Response, share: float) -> None:
    path = write_export([response(1)])
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(MalformedExport, match="half copied, or damaged") as error:
        read_sheet(path)
    assert error.value.__cause__ is None and error.value.__suppress_context__


def test_damage_inside_the_workbook_says_so(write_export: WriteExport, response: Response) -> None:
    path = write_export([response(number) for number in range(1, 40)])
    content = bytearray(path.read_bytes())
    start = content.index(b"sheet1.xml") + 200
    content[start : start + 200] = bytes(200)
    path.write_bytes(bytes(content))
    with pytest.raises(MalformedExport):
        read_sheet(path)


def test_a_workbook_without_the_forms_header_is_the_wrong_sheet(
    write_export: WriteExport, response: Response, headers: dict[str, str]
) -> None:
    path = write_export([response(1)], headers=dict(list(headers.items())[5:]))
    with pytest.raises(MalformedExport, match="no sheet of 1 has a header row with 'ID' and 'Completion time'"):
        read_sheet(path)


def test_two_sheets_with_responses_are_not_guessed_between(write_export: WriteExport, response: Response) -> None:
    path = write_export([response(1)], other_sheets={"Copy": [list(response())]})
    with pytest.raises(MalformedExport, match="2 sheets have a header row"):
        read_sheet(path)


def test_an_export_without_responses_says_so(write_export: WriteExport) -> None:
    with pytest.raises(MalformedExport, match="header and no responses"):
        read_sheet(write_export([]))


def test_an_extra_sheet_and_a_title_above_do_no_harm(write_export: WriteExport, response: Response) -> None:
    path = write_export(
        [response(1)],
        above=["AI maturity", "export"],
        sheet="Form1",
        other_sheets={"Pivot": [["a", "b"]], "Empty": []},
    )
    sheet = read_sheet(path)
    assert sheet.cells["sheet_row"].to_list() == [4]
    assert sheet.other_sheets == 2
    assert columns(path).questions["tech_direction"] == "H"


def test_a_merged_header_cell_hides_a_question(
    write_export: WriteExport, response: Response, headers: dict[str, str]
) -> None:
    headers[STRATEGY] = ""  # Excel keeps only the first cell of a merged range
    with pytest.raises(MalformedExport, match="'ai_strategy' was not found by its text or in column 4") as error:
        columns(write_export([response(1)], headers=headers))
    assert "strategi för AI" in str(error.value)


def test_reordered_questions_are_found_by_their_text(
    write_export: WriteExport, response: Response, headers: dict[str, str]
) -> None:
    reordered = dict(reversed(headers.items()))
    found = columns(write_export([response(1)], headers=reordered))
    assert found.questions["ai_strategy"] == "G" and not found.remarks


def test_numbers_case_and_line_breaks_in_headers_do_not_matter(
    write_export: WriteExport, response: Response, headers: dict[str, str]
) -> None:
    headers[DIRECTION] = "5.  does your ORGANISATION have a\ndirection for new technology"
    found = columns(write_export([response(1)], headers=headers))
    assert found.questions["tech_direction"] == "H" and not found.remarks


def test_a_question_reworded_in_its_place_is_read_with_a_remark(
    write_export: WriteExport, response: Response, headers: dict[str, str]
) -> None:
    headers[STRATEGY] = "Does your organisation have a clear strategy for using AI?"
    found = columns(write_export([response(1)], headers=headers))
    assert found.questions["ai_strategy"] == "I"
    assert found.remarks == ("column I: question 'ai_strategy' is worded differently, found by its position",)


def test_a_question_renamed_beyond_recognition_is_missing(
    write_export: WriteExport, response: Response, headers: dict[str, str]
) -> None:
    headers[STRATEGY] = "How many colleagues do you have?"
    with pytest.raises(MalformedExport, match="ai_strategy"):
        columns(write_export([response(1)], headers=headers))


def test_two_columns_with_one_text_are_told_apart_by_position(
    write_export: WriteExport, response: Response, headers: dict[str, str]
) -> None:
    headers["follow-up"] = STRATEGY
    found = columns(write_export([response(1)], headers=headers))
    assert found.questions["ai_strategy"] == "I" and found.unmapped == ("P",)


def test_two_columns_with_one_text_and_none_in_its_place_are_not_guessed_between(
    write_export: WriteExport, response: Response, headers: dict[str, str]
) -> None:
    headers[STRATEGY] = "Something else"
    headers |= {"one": STRATEGY, "two": STRATEGY}
    with pytest.raises(MalformedExport, match="'ai_strategy' has the text of columns P, Q and none is column 4"):
        columns(write_export([response(1)], headers=headers))


def test_a_question_called_name_is_not_the_forms_name(
    write_export: WriteExport, response: Response, headers: dict[str, str]
) -> None:
    headers["nickname"] = "Name"
    found = columns(write_export([response(1)], headers=headers))
    assert found.form["name"] == "E" and found.unmapped == ("P",)
