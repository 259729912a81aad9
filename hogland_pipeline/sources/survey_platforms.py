"""What the survey platforms add to an export of their own: how their columns are called and what they leave out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from hogland_pipeline.sources.survey_wave import answer_key

_HEADER_SEARCH_ROWS: Final = 10


@dataclass(frozen=True)
class Platform:
    """One platform's export.

    ``columns`` maps what a column is to the headers it may have; the ``required`` ones tell the platform. Columns of
    ``ignored`` are the platform's own and never kept. ``separator`` parts the choices of one cell.
    ``lists_unsubmitted`` says that responses nobody sent in are in the export too, without a completion time.
    """

    name: str
    columns: Mapping[str, tuple[str, ...]]
    required: tuple[str, ...]
    ignored: tuple[str, ...] = ()
    separator: str = ";"
    lists_unsubmitted: bool = False

    def form_columns(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Letters of the platform's own columns, by what they are; a second "Name" is a question of the form."""
        names = {answer_key(alias): column for column, aliases in self.columns.items() for alias in aliases}
        names |= {answer_key(alias): f"ignored {alias}" for alias in self.ignored}
        found: dict[str, str] = {}
        for letters, header in headers.items():
            column = names.get(answer_key(header))
            if column is not None:
                found.setdefault(column, letters)
        return found


# Email, names and tokens are only ever hashed.
MICROSOFT_FORMS: Final = Platform(
    "Microsoft Forms",
    {
        "response_id": ("ID",),
        "started_at": ("Start time", "Starttid"),
        "completed_at": ("Completion time", "Slutförandetid", "Tid för slutförande"),
        "email": ("Email", "E-mail", "E-post", "E-postadress"),
        "name": ("Name", "Namn"),
        "modified_at": ("Last modified time", "Senast ändrad", "Tid för senaste ändring", "Senaste ändringstid"),
    },
    required=("response_id", "completed_at"),
)
LIMESURVEY: Final = Platform(
    "LimeSurvey",
    {
        "response_id": ("id", "response_id", "Response ID", "Svars-ID"),
        "started_at": ("startdate", "Date started", "Startdatum"),
        "completed_at": ("submitdate", "Date submitted", "Datum inskickat"),
        "modified_at": ("datestamp", "Date last action", "Datum för senaste åtgärd"),
        "email": ("email", "Email address", "E-postadress"),
        "token": ("token", "Access code", "Åtkomstkod"),
        "name": ("firstname", "First name", "Förnamn"),
        "last_name": ("lastname", "Last name", "Efternamn"),
    },
    required=("response_id", "completed_at"),
    ignored=(
        "lastpage", "Last page", "Sista sidan", "startlanguage", "Start language", "Startspråk", "seed", "Seed",
        "ipaddr", "IP address", "IP-adress", "refurl", "Referrer URL", "Hänvisnings-URL",
    ),
    lists_unsubmitted=True,
)  # fmt: skip
GOOGLE_FORMS: Final = Platform(
    "Google Forms",
    {
        "completed_at": ("Timestamp", "Tidstämpel"),
        "email": ("Email Address", "E-postadress", "Username", "Användarnamn"),
    },
    required=("completed_at",),
    separator=",",
)
PLATFORMS: Final = (MICROSOFT_FORMS, LIMESURVEY, GOOGLE_FORMS)


def find_header(grid: pl.DataFrame) -> tuple[Platform, int] | None:
    """The platform and the index of the first row that names its own columns: a title above it does no harm."""
    for index, cells in enumerate(grid.select(pl.col(pl.String)).head(_HEADER_SEARCH_ROWS).iter_rows()):
        keys = {answer_key(cell) for cell in cells if cell}
        for platform in PLATFORMS:
            if all(keys.intersection(map(answer_key, platform.columns[column])) for column in platform.required):
                return platform, index
    return None


def known_headers() -> str:
    """For an error's sentence: how each platform's header row is told."""
    return "; ".join(
        f"{' and '.join(repr(platform.columns[column][0]) for column in platform.required)} ({platform.name})"
        for platform in PLATFORMS
    )
