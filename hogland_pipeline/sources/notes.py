"""Notes: what a source noticed and a person should look at, though it stops nothing."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SourceNote:
    """One warning: which source, which landed file (``address``, no secrets, nothing personal), and a
    sentence.
    """

    source: str
    address: str
    message: str
