"""Whole lines with their numbers, however the bytes are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors_ingest.lines import line_batches


def numbered(chunks: list[bytes], batch_bytes: int = 1 << 20) -> list[tuple[int, str]]:
    return [
        (batch.first_row + index, line)
        for batch in line_batches(chunks, batch_bytes)
        for index, line in enumerate(batch.text.to_pylist())
    ]


def test_blank_lines_count_and_the_last_needs_no_line_feed() -> None:
    assert numbered([b"a\n\nb"]) == [(1, "a\n"), (2, "\n"), (3, "b\n")]


def test_nothing() -> None:
    assert numbered([]) == numbered([b""]) == []


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    marked = "\ufeffa\n\ufeffb\n".encode()
    assert numbered([marked]) == numbered([marked[:1], marked[1:]], 1) == [(1, "a\n"), (2, "\ufeffb\n")]


def test_bytes_that_are_not_utf8_cost_only_themselves() -> None:
    assert numbered(["räv\n".encode() + b"\xff\xfe\nand on\n"]) == [
        (1, "räv\n"),
        (2, "��\n"),
        (3, "and on\n"),
    ]


@given(st.text(alphabet="aå\n€", max_size=60), st.integers(1, 9), st.integers(1, 40))
def test_cuts_and_batches_do_not_matter(text: str, chunk: int, batch_bytes: int) -> None:
    content = text.encode()
    chunks = [content[start : start + chunk] for start in range(0, len(content), chunk)]
    lines = content.decode().split("\n")
    expected = [line + "\n" for line in (lines if lines[-1] else lines[:-1])]
    assert numbered(chunks, batch_bytes) == list(enumerate(expected, 1))


@pytest.mark.parametrize("batch_bytes", [1, 5, 1000])
def test_line_longer_than_a_batch(batch_bytes: int) -> None:
    assert numbered([b"x" * 300 + b"\n", b"y"], batch_bytes) == [(1, "x" * 300 + "\n"), (2, "y\n")]
