"""Whole lines of a landing file as Arrow strings, in batches, with their line numbers. Never a Python object
a line.
"""

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

NEWLINE: Final = ord("\n")
# Big enough that a batch costs little besides its rows, small enough to stay in the processor's cache.
BATCH_BYTES: Final = 1 << 24
# SQL, of a column ``line``. Looking at the first character first spares nearly every line the trimming, which costs
# as much as reading its JSON.
IS_NOT_BLANK: Final = "CASE WHEN ascii(line) > 32 THEN true ELSE trim(line, E' \\t\\r\\n') <> '' END"

NOT_JSON: Final = "line is not valid JSON"


def checked(text: str, picked: str, *, are_checked: bool) -> str:
    """SQL: ``picked``, which has a ``try`` for a ``text`` that is no JSON; with ``are_checked`` none comes to that.

    One such text sends ``try`` row by row through the 2,048 it looks at together, 20 ms. Asking ``json_valid`` first
    spares that and costs every text a fourteenth: worth it where the batch before had one (``has_broken``).
    """
    return f"CASE WHEN json_valid({text}) THEN {picked} END" if are_checked else picked


def has_broken(reject_reasons: pa.ChunkedArray | pa.Array) -> bool:
    """Whether a line was no JSON."""
    is_any = reject_reasons.null_count < len(reject_reasons)
    return is_any and bool(pc.any(pc.equal(reject_reasons, NOT_JSON)).as_py())


@dataclass(frozen=True)
class LineBatch:
    """Consecutive lines; ``first_row`` is the 1-based number of the first. ``text`` is Arrow
    ``large_string``.
    """

    first_row: int
    text: pa.Array

    def numbered(self) -> pa.Table:
        """``landing_row`` and ``line``, for SQL."""
        numbers = np.arange(self.first_row, self.first_row + len(self.text))
        return pa.table({"landing_row": pa.array(numbers), "line": self.text})


def line_batches(chunks: Iterable[bytes], batch_bytes: int = BATCH_BYTES) -> Iterator[LineBatch]:
    """Split a stream of bytes at line feeds; blank lines count, and the last line needs no line feed.

    Bytes that are not UTF-8 become U+FFFD, so that one damaged line cannot cost its neighbours. A byte order mark is
    left out: with it the first line of NDJSON would not be JSON.
    """
    first_row = 1
    for block in _blocks_of_whole_lines(chunks, batch_bytes):
        is_marked = first_row == 1 and bytes(block[: len(BOM_UTF8)]) == BOM_UTF8
        text = _split(block[len(BOM_UTF8) :] if is_marked else block)
        yield LineBatch(first_row, text)
        first_row += len(text)


def _blocks_of_whole_lines(chunks: Iterable[bytes], block_bytes: int) -> Iterator[memoryview]:
    pending: list[bytes] = []
    size = 0
    for chunk in chunks:
        pending.append(chunk)
        size += len(chunk)
        if size >= block_bytes:
            block = b"".join(pending)
            end = block.rfind(b"\n") + 1
            if end:
                yield memoryview(block)[:end]
            pending, size = [block[end:]], len(block) - end
    rest = b"".join(pending)
    if rest:
        yield memoryview(rest if rest.endswith(b"\n") else rest + b"\n")


def _split(block: memoryview) -> pa.Array:
    block = _valid_utf8(block)
    ends = np.flatnonzero(np.frombuffer(block, np.uint8) == NEWLINE)
    # Each line keeps its line feed, so that one offset array serves: nobody minds white space at an end.
    offsets = np.concatenate(([0], ends + 1)).astype(np.int64)
    return pa.LargeStringArray.from_buffers(len(ends), pa.py_buffer(offsets), pa.py_buffer(block))


def _valid_utf8(block: memoryview) -> memoryview:
    whole = pa.array([0, len(block)], pa.int64()).buffers()[1]
    try:
        pa.LargeStringArray.from_buffers(1, whole, pa.py_buffer(block)).validate(full=True)
    except pa.ArrowInvalid:
        return memoryview(str(block, "utf-8", errors="replace").encode("utf-8"))
    return block
