"""Pages and documents of the UTTC catalogue become entries: one shape, whether it came as HTML or as JSON."""

import json
import re
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError
from selectolax.lexbor import LexborHTMLParser, LexborNode

from hogland_pipeline.sources.uttc_words import CLAIMS, KINDS, look_up, quantity_code, read_amount

# Where things are on a page: when the site changes, this is what has to change.
ENTRY_LINK: Final = "article .entry-title a"
NEXT_PAGE: Final = "a.next"
TITLE: Final = "article h1.entry-title"
SHORT_TITLE: Final = "article .entry-subtitle"
STAGE: Final = "article .cat-links a"
DATE: Final = "article time.entry-date"
SUMMARY: Final = "article .entry-summary"
TRANSITION: Final = "article .transition-path li"
OWNER: Final = "article .solution-owner"
BASELINE: Final = "article .solution-baseline"
OBJECTS: Final = "article .solution-objects"
EFFECTS: Final = "article .effects"
EFFECT: Final = ".effect"
EFFECT_QUANTITY: Final = ".effect-quantity"
EFFECT_VALUE: Final = ".effect-value"
EFFECT_KIND: Final = ".effect-kind"
EFFECT_CLAIM: Final = ".effect-claim"
EFFECT_DESCRIPTION: Final = ".effect-description"

SOLUTION_PATH: Final = re.compile(r"^/\d{4}/\d{2}/\d{2}/(?P<slug>[^/]+)/?$")


class MalformedPage(Exception):
    """A page or document does not look as it should; names the page and the selector or key that found
    nothing.
    """

    def __init__(self, page: str, reason: str) -> None:
        super().__init__(f"UTTC catalogue, {page}: {reason}.")
        self.page = page
        self.reason = reason


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True)


class Effect(_Entry):
    """One stated effect; ``value`` and ``unit`` are null where the catalogue gives no number."""

    quantity: str
    value: float | None = None
    unit: str | None = None
    kind: str
    claim: str
    qualifier: str | None = None
    description: str | None = None


class TransitionPath(_Entry):
    """Where a solution belongs, from wide to narrow."""

    area: str
    sector: str
    kind: str


class CatalogueEntry(_Entry):
    """One solution in the catalogue's own words (stage, date and number of objects as printed)."""

    url: str
    title: str
    short_title: str | None = None
    stage: str
    published: str | None = None
    summary: str
    transition_path: TransitionPath
    owner: str | None = None
    effects: tuple[Effect, ...] = ()
    baseline_period: str | None = None
    objects: str | None = None


def listed_solutions(page: str, url: str, html: str) -> list[str]:
    """Addresses of the solutions on a listing page, each once, in order. Raises ``MalformedPage`` when there
    is none.

    Only addresses of the listing's own origin count.
    """
    tree = LexborHTMLParser(html)
    links = [urljoin(url, link.attributes.get("href") or "") for link in tree.css(ENTRY_LINK)]
    if not links:
        raise MalformedPage(page, f"selector '{ENTRY_LINK}' found nothing, the catalogue cannot be empty")
    solutions = [link for link in links if same_origin(link, url) and SOLUTION_PATH.match(urlsplit(link).path)]
    if not solutions:
        raise MalformedPage(page, f"none of {len(links)} links of '{ENTRY_LINK}' is /YYYY/MM/DD/slug on its own site")
    return list(dict.fromkeys(solutions))


def next_listing(url: str, html: str) -> str | None:
    """The listing's next page on the same origin, if it has one."""
    link = LexborHTMLParser(html).css_first(NEXT_PAGE)
    address = urljoin(url, link.attributes.get("href") or "") if link else None
    return address if address and address != url and same_origin(address, url) else None


def canonical_address(page: str, html: str) -> str:
    """What a saved listing says its address is: its links start from there. Raises ``MalformedPage``."""
    link = LexborHTMLParser(html).css_first("link[rel=canonical]")
    address = link.attributes.get("href") if link else None
    if not address or not urlsplit(address).netloc:
        raise MalformedPage(page, "selector 'link[rel=canonical]' found no address to start from")
    return address


def same_origin(address: str, other: str) -> bool:
    """Whether two addresses have scheme and host in common."""
    one, two = urlsplit(address), urlsplit(other)
    return (one.scheme, one.netloc) == (two.scheme, two.netloc)


def read_solution_page(url: str, html: str) -> CatalogueEntry:
    """A detail page as an entry. Raises ``MalformedPage`` and ``UnknownWord``."""
    tree = LexborHTMLParser(html)
    effects = tree.css_first(EFFECTS)
    if effects is None:
        raise MalformedPage(url, f"selector '{EFFECTS}' found nothing (a solution without effects has an empty list)")
    path = [_text(node) for node in tree.css(TRANSITION)]
    if len(path) != 3:
        raise MalformedPage(url, f"selector '{TRANSITION}' found {len(path)} of 3 steps (area, sector, kind)")
    return CatalogueEntry(
        url=url,
        title=_required(tree, url, TITLE),
        short_title=_optional(tree, SHORT_TITLE),
        stage=_required(tree, url, STAGE),
        published=_optional(tree, DATE),
        summary=_required(tree, url, SUMMARY),
        transition_path=TransitionPath(area=path[0], sector=path[1], kind=path[2]),
        owner=_optional(tree, OWNER),
        effects=tuple(_effect(node, url) for node in effects.css(EFFECT)),
        baseline_period=_optional(tree, BASELINE),
        objects=_optional(tree, OBJECTS),
    )


def read_document(page: str, content: bytes) -> list[Any]:
    """The raw entries of a JSON catalogue. Raises ``MalformedPage`` when it is no JSON, or has none."""
    try:
        document = json.loads(content)
    except ValueError:
        raise MalformedPage(page, "it is not valid JSON (broken off, or another page)") from None
    solutions = document.get("solutions") if isinstance(document, dict) else None
    if not isinstance(solutions, list) or not solutions:
        raise MalformedPage(page, "key 'solutions' holds no entries, the catalogue cannot be empty")
    return solutions


def read_document_entry(page: str, record: object) -> CatalogueEntry:
    """One raw entry of a JSON catalogue. Raises ``MalformedPage``."""
    try:
        return CatalogueEntry.model_validate(record)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the entry"
        raise MalformedPage(page, f"key '{key}': {first['msg']}") from None


def _effect(node: LexborNode, url: str) -> Effect:
    amount = read_amount(_required(node, url, EFFECT_VALUE))
    return Effect(
        quantity=quantity_code(_required(node, url, EFFECT_QUANTITY)),
        value=amount.value if amount else None,
        unit=amount.unit or None if amount else None,
        kind=look_up(KINDS, _required(node, url, EFFECT_KIND), "effect kind"),
        claim=look_up(CLAIMS, _required(node, url, EFFECT_CLAIM), "effect claim"),
        qualifier=amount.qualifier if amount else None,
        description=_optional(node, EFFECT_DESCRIPTION),
    )


def _required(tree: LexborHTMLParser | LexborNode, url: str, selector: str) -> str:
    text = _optional(tree, selector)
    if text is None:
        raise MalformedPage(url, f"selector '{selector}' found nothing")
    return text


def _optional(tree: LexborHTMLParser | LexborNode, selector: str) -> str | None:
    node = tree.css_first(selector)
    return (_text(node) or None) if node else None


def _text(node: LexborNode) -> str:
    return " ".join(node.text().split())
