"""Privacy: people become keyed hashes, and texts that could name a person are withheld before anything is
written.
"""

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

WITHHELD: Final = "(withheld)"

_SHORTEST_KEY_BYTES: Final = 16
_HASH_CHARACTERS: Final = 32  # 128 bits: no two people of a survey meet
LONGEST_ANSWER: Final = 60  # an option's label is short; a longer text was typed by somebody
_SHORTEST_NAME_PART: Final = 2  # Bo, Li
_NUMBER_OF_A_PERSON: Final = re.compile(r"\d(?:[\s-]?\d){5,}")  # telephone, personal identity number


@dataclass(frozen=True)
class RespondentKey:
    """The secret that turns a person into a respondent (HMAC-SHA256). Raises ``ValueError`` for a short
    secret.

    Without the secret nobody can try out addresses; with another secret every respondent is another one,
    which ``key_id`` makes visible without telling the secret.
    """

    secret: bytes = field(repr=False)
    is_development: bool = False

    def __post_init__(self) -> None:
        if len(self.secret) < _SHORTEST_KEY_BYTES:
            raise ValueError(f"the respondent key needs at least {_SHORTEST_KEY_BYTES} bytes")

    def respondent(self, *identity: str) -> str:
        """32 hexadecimal characters for one person; the same parts always give the same."""
        return self._digest("respondent", *identity)

    @property
    def key_id(self) -> str:
        """Eight characters that differ between secrets."""
        return self._digest("key")[:8]

    def _digest(self, *parts: str) -> str:
        message = "\x1f".join(parts).encode()
        return hmac.new(self.secret, message, hashlib.sha256).hexdigest()[:_HASH_CHARACTERS]


class PersonalValues:
    """The personal values of one export, to recognise them where they do not belong."""

    def __init__(self, values: Iterable[str]) -> None:
        """``values`` are the addresses and names of the export's personal columns."""
        self._words = {
            word for value in values for word in _words(value.partition("@")[0]) if len(word) >= _SHORTEST_NAME_PART
        }

    def withhold(self, text: str, longest: int = LONGEST_ANSWER) -> str:
        """``text``, or ``(withheld)`` when it may be personal.

        That is: it holds an address, a name or part of a name of anybody in the export or a long number, or
        it is longer than ``longest`` characters.
        """
        is_personal = (
            len(text) > longest
            or "@" in text
            or _NUMBER_OF_A_PERSON.search(text) is not None
            or not self._words.isdisjoint(_words(text))
        )
        return WITHHELD if is_personal else text


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", unicodedata.normalize("NFKC", text).casefold())
