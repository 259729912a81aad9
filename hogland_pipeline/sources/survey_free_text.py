"""Free text is dropped, or kept in one restricted folder outside the data folder, where one is configured."""

import hashlib
import os
import uuid
from pathlib import Path

import polars as pl


def keep_free_texts(folder: Path, wave: str, texts: pl.DataFrame) -> None:
    """Write ``texts`` (respondent, question_id, text) to ``<folder>/<wave>/<digest>.csv``, readable for its owner only.

    Nothing is written when there is no text; the same texts again are the same file.
    """
    if texts.is_empty():
        return
    content = texts.sort("question_id", "respondent", "text").write_csv().encode()
    place = folder / wave
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    incoming = place / f".incoming-{uuid.uuid4().hex}"
    descriptor = os.open(incoming, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    incoming.replace(place / f"{hashlib.sha256(content).hexdigest()}.csv")
