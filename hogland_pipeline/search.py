"""Full-text search over the solutions of the catalogue, in the published search index (``kpi_twin__solution_term``)."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Final, Literal

import snowballstemmer  # type: ignore[import-untyped]

from hogland_pipeline.overview import Answer, QueryFailed, ask
from hogland_pipeline.settings import Settings

_SHORTEST_PART: Final = 4  # of a compound: "ai" is a part of too many words
_OUR_LETTERS: Final = {"å", "ä", "ö"}
_SAME_LETTERS: Final = str.maketrans({"æ": "ä", "ø": "ö", "\u00ad": ""})

Column = Literal["stage", "transition_area", "effect_quantity", "effect_unit"]


def search(settings: Settings, words: str, limits: Mapping[Column, str | None]) -> Answer:
    """Solutions that hold any of ``words``, the best first: relevance, title, stage, area, effect, address.

    A word is found as itself, by its stem in Swedish or English, and, from four letters on, as a part of a compound.
    ``limits`` narrows by column (an effect's by any of the solution's effects); None does not. Withdrawn solutions are
    left out. Raises ``NothingPublished``, and ``QueryFailed`` for a limit that no solution has.
    """
    matches = " or ".join(match for word in folded(words) for match in _matches(word)) or "false"
    narrowed = " and ".join(_limit(column, value) for column, value in limits.items() if value) or "true"
    answer = ask(
        settings,
        f"""
        with hits as (
            select url, sum(weight) as relevance from kpi_twin__solution_term as term where {matches} group by url
        )
        select round(hits.relevance, 1) as relevance, solution.title, solution.stage, solution.transition_area,
               solution.effect_qualifier, solution.effect_value, solution.effect_unit, solution.url
        from hits inner join kpi_twin__solution as solution using (url)
        where not solution.is_withdrawn and {narrowed}
        order by hits.relevance desc, solution.title
        """,  # noqa: S608 - words are letters and digits only, values are quoted
    )
    if not answer.rows:
        _refuse_unknown(settings, limits)
    return answer


def folded(words: str) -> list[str]:
    """The words as the index spells them: lower case, without accents other than those of å, ä and ö."""
    letters = (_plain(letter) for letter in unicodedata.normalize("NFC", words.lower().translate(_SAME_LETTERS)))
    return re.findall(r"[a-z0-9åäö]{2,}", "".join(letters))


def _plain(letter: str) -> str:
    return letter if letter in _OUR_LETTERS else unicodedata.normalize("NFD", letter)[0]


def _matches(word: str) -> Iterator[str]:
    yield f"term.term = '{word}'"
    for column, language in (("stem_sv", "swedish"), ("stem_en", "english")):
        stem = snowballstemmer.stemmer(language).stemWord(word)
        yield f"term.{column} = '{stem}'"
        if column == "stem_sv" and len(stem) >= _SHORTEST_PART:
            yield f"contains(term.term, '{stem}')"


def _refuse_unknown(settings: Settings, limits: Mapping[Column, str | None]) -> None:
    """Nothing was found: a limit that is misspelt is the better answer."""
    for column, value in limits.items():
        query = f"select distinct {column} from {_table_of(column)} where {column} is not null order by 1"  # noqa: S608 - ours
        known = [str(row[0]) for row in ask(settings, query).rows] if value else []
        if value and value not in known:
            raise QueryFailed(f"No solution has the {column} '{value}'; there are: {', '.join(known) or 'none'}.")


def _table_of(column: Column) -> str:
    return "kpi_twin__solution_effect" if column in ("effect_quantity", "effect_unit") else "kpi_twin__solution"


def _limit(column: Column, value: str) -> str:
    literal = "'" + value.replace("'", "''") + "'"
    if (table := _table_of(column)) != "kpi_twin__solution":
        return f"url in (select url from {table} where {column} = {literal})"  # noqa: S608 - quoted
    return f"solution.{column} = {literal}"
