"""Makes ``samples/uttc_catalogue``: nine solutions as saved pages and as JSON. The same bytes every time.

    python samples/make_uttc_sample.py [folder]

Stage, date, effect and number of objects are what the public catalogue says; titles, summaries, transition
paths and addresses are ours (see samples/README.md).
"""

import json
import sys
from html import escape
from pathlib import Path
from typing import Any, Final

SITE: Final = "https://uttc.example.org"

SOLUTIONS: Final[list[dict[str, Any]]] = [
    {
        "path": "2025/11/04/ai-analys-av-byggnaders-kostnad-och-energi",
        "title": "AI läser av vad byggnader kostar och drar",
        "short_title": "AI-analys av byggnaders kostnad och energi",
        "stage": "IDENTIFIERADE",
        "published": "November 4, 2025",
        "summary": "Fakturor, mätvärden och ritningar läses ihop så att en fastighetsägare ser vilka hus som "
        "kostar mest och var en åtgärd ger mest energi för pengarna.",
        "transition_path": ["Byggnader", "Fastighetsförvaltning", "Energianalys"],
    },
    {
        "path": "2025/11/04/oppen-plattform-for-samlastning",
        "title": "Samlastning på en plattform som är öppen för alla",
        "short_title": "Öppen plattform för samlastning av gods",
        "stage": "IDENTIFIERADE",
        "published": "November 4, 2025",
        "summary": "Transportörer delar lediga utrymmen med varandra. Färre halvtomma bilar kör samma gata.",
        "transition_path": ["Transporter", "Godstransporter", "Samlastning"],
        "effects": [
            {
                "printed": ("Samlastade leveranser", "Mer än 20 % av leveranserna", "annat", "angiven"),
                "value": 20,
                "unit": "percent",
                "qualifier": "more_than",
                "description": "Andel av leveranserna som kan samlastas.",
            }
        ],
    },
    {
        "path": "2025/08/20/digital-varmestyrning-hammarby-sjostad",
        "title": "Värmen styrs digitalt i Hammarby Sjöstad",
        "short_title": "Digital värmestyrning, Hammarby Sjöstad",
        "stage": "ANALYSERADE",
        "published": "August 20, 2025",
        "summary": "Bostadshusens värme styrs efter väder och behov, så att årets högsta effekt sjunker.",
        "transition_path": ["Byggnader", "Bostäder", "Värmestyrning"],
        "effects": [
            {
                "printed": ("Årets högsta effekt", "−38 %", "annat", "angiven"),
                "value": -38,
                "unit": "percent",
                "description": "Förändring av årets högsta effektuttag.",
            }
        ],
    },
    {
        "path": "2025/07/02/ai-styrd-uppvarmning-orebrobostader",
        "title": "AI styr uppvärmningen hos ÖrebroBostäder",
        "short_title": "AI-styrd uppvärmning, ÖrebroBostäder",
        "stage": "ANALYSERADE",
        "published": "July 2, 2025",
        "summary": "En modell lär sig hur varje hus håller värmen och sänker framledningen när det går.",
        "transition_path": ["Byggnader", "Bostäder", "Värmestyrning"],
        "owner": "ÖrebroBostäder",
        "effects": [
            {
                "printed": (
                    "Minskade utsläpp av växthusgaser",
                    "Cirka 1 400 ton CO2 per år",
                    "brutto",
                    "angiven",
                ),
                "value": 1400,
                "unit": "t CO2/yr",
                "qualifier": "about",
                "description": "Minskade utsläpp per år.",
            }
        ],
    },
    {
        "path": "2025/06/10/vagskick-med-ai-fran-sopbilar-helsingborg",
        "title": "Sopbilar fotograferar vägen, AI hittar skadorna",
        "short_title": "Vägskick med AI från sopbilar, Helsingborg",
        "stage": "ANALYSERADE",
        "published": None,
        "summary": "Kameror på sopbilar som ändå kör varje gata ger en färsk bild av beläggningens skick, så "
        "att underhållet görs där det behövs.",
        "transition_path": ["Infrastruktur", "Vägar", "Underhåll"],
        "owner": "Helsingborgs stad",
        "effects": [
            {
                "printed": ("Underhållsskuld i beläggning", "Cirka 300 miljoner kronor", "annat", "angiven"),
                "value": 300,
                "unit": "MSEK",
                "qualifier": "about",
                "description": "Skuld i beläggningen som arbetssättet gäller.",
            },
            {
                "printed": ("Tid för inspektion", "Från 20 till 1 timme per vecka", "annat", "angiven"),
                "value": -19,
                "unit": "h/week",
                "description": "Från 20 timmar till 1 timme i veckan.",
            },
        ],
    },
    {
        "path": "2025/05/06/delade-elbilar-och-elcyklar",
        "title": "Elbilar och elcyklar i gemensamma pooler",
        "short_title": "Delade pooler av elbilar och elcyklar",
        "stage": "IDENTIFIERADE",
        "published": "May 6, 2025",
        "summary": "Kommunen och invånarna delar på elfordonen, på dagen i tjänsten och på kvällen hemma.",
        "transition_path": ["Transporter", "Persontransporter", "Delning"],
    },
    {
        "path": "2025/05/06/app-for-samakning",
        "title": "Samåkning i en app",
        "short_title": "Samåkningsapp",
        "stage": "IDENTIFIERADE",
        "published": "May 6, 2025",
        "summary": "Den som ändå ska köra erbjuder sina lediga platser till grannar och arbetskamrater.",
        "transition_path": ["Transporter", "Persontransporter", "Delning"],
    },
    {
        "path": "2025/05/06/sjalvkorande-eldrivna-godstransporter",
        "title": "Gods på el, utan förare",
        "short_title": "Självkörande eldrivna godstransporter",
        "stage": "IDENTIFIERADE",
        "published": "May 6, 2025",
        "summary": "Eldrivna fordon utan förarhytt kör fasta rutter mellan lager och terminal.",
        "transition_path": ["Transporter", "Godstransporter", "Självkörande fordon"],
    },
    {
        "path": "2025/04/07/ai-energianalys-familjebostader-goteborg",
        "title": "AI letar energi i Familjebostäders hus",
        "short_title": "AI-analys av energi, Familjebostäder Göteborg",
        "stage": "ANALYSERADE",
        "published": "April 7, 2025",
        "summary": "Mätvärden från hela beståndet jämförs löpande, och hus som avviker åtgärdas först.",
        "transition_path": ["Byggnader", "Bostäder", "Energianalys"],
        "owner": "Familjebostäder i Göteborg",
        "objects": "500+",
        "effects": [
            {
                "printed": (
                    "Minskade utsläpp av växthusgaser",
                    "Upp till 50 ton CO2e per år",
                    "brutto",
                    "angiven",
                ),
                "value": 50,
                "unit": "t CO2e/yr",
                "qualifier": "up_to",
                "description": "Minskade utsläpp per år.",
            }
        ],
    },
]


def main(folder: Path) -> None:
    """Write the listing, the pages and the document into ``folder``."""
    for solution in SOLUTIONS:
        path = folder / solution["path"] / "index.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(detail_page(solution), encoding="utf-8", newline="\n")
    (folder / "listing.html").write_text(listing_page(), encoding="utf-8", newline="\n")
    document = {
        "source": f"{SITE}/losningar/",
        "solutions": [document_entry(solution) for solution in SOLUTIONS],
    }
    text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    (folder / "catalogue.json").write_text(text, encoding="utf-8", newline="\n")


def listing_page() -> str:
    """The listing with a card per solution, as a WordPress theme prints its archive."""
    cards = "\n".join(
        f'''<article class="post type-post">
  <h2 class="entry-title">
    <a href="{SITE}/{solution["path"]}/" rel="bookmark">{escape(solution["title"])}</a>
  </h2>
  <span class="cat-links"><a href="#" rel="category tag">{solution["stage"]}</a></span>
  {_date(solution)}
</article>'''
        for solution in SOLUTIONS
    )
    return _page("Lösningar", f"{SITE}/losningar/", cards)


def detail_page(solution: dict[str, Any]) -> str:
    """One solution's page."""
    steps = "".join(f"<li>{escape(step)}</li>" for step in solution["transition_path"])
    facts = "".join(
        f'<dt>{label}</dt><dd class="{name}">{escape(solution[key])}</dd>'
        for label, name, key in (
            ("Ägare", "solution-owner", "owner"),
            ("Omfattning", "solution-objects", "objects"),
        )
        if key in solution
    )
    article = f"""<article class="post type-post">
  <span class="cat-links"><a href="#" rel="category tag">{solution["stage"]}</a></span>
  <h1 class="entry-title">{escape(solution["title"])}</h1>
  <p class="entry-subtitle">{escape(solution["short_title"])}</p>
  {_date(solution)}
  <div class="entry-summary"><p>{escape(solution["summary"])}</p></div>
  <ol class="transition-path">{steps}</ol>
  <dl class="solution-facts">{facts}</dl>
  <ul class="effects">{"".join(_effect_item(effect) for effect in solution.get("effects", []))}</ul>
</article>"""
    return _page(solution["title"], f"{SITE}/{solution['path']}/", article)


def document_entry(solution: dict[str, Any]) -> dict[str, Any]:
    """One solution of the JSON document."""
    area, sector, kind = solution["transition_path"]
    return {
        "url": f"{SITE}/{solution['path']}/",
        "title": solution["title"],
        "short_title": solution["short_title"],
        "stage": solution["stage"],
        "published": solution["published"],
        "summary": solution["summary"],
        "transition_path": {"area": area, "sector": sector, "kind": kind},
        "owner": solution.get("owner"),
        "effects": [
            {
                "quantity": effect["printed"][0],
                "value": effect["value"],
                "unit": effect["unit"],
                "kind": "gross" if effect["printed"][2] == "brutto" else "other",
                "claim": "claimed",
                "qualifier": effect.get("qualifier"),
                "description": effect["description"],
            }
            for effect in solution.get("effects", [])
        ],
        "baseline_period": None,
        "objects": solution.get("objects"),
    }


def _effect_item(effect: dict[str, Any]) -> str:
    quantity, value, kind, claim = map(escape, effect["printed"])
    return f"""
    <li class="effect"><span class="effect-quantity">{quantity}</span>:
      <strong class="effect-value">{value}</strong>
      (<span class="effect-kind">{kind}</span>, <span class="effect-claim">{claim}</span>)
      <span class="effect-description">{escape(effect["description"])}</span></li>"""


def _date(solution: dict[str, Any]) -> str:
    return f'<time class="entry-date published">{solution["published"]}</time>' if solution["published"] else ""


def _page(title: str, address: str, content: str) -> str:
    return f"""<!DOCTYPE html>
<html lang="sv">
<head>
<meta charset="utf-8">
<title>{escape(title)}</title>
<link rel="canonical" href="{address}">
</head>
<body>
<main id="primary" class="site-main">
{content}
</main>
</body>
</html>
"""


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "uttc_catalogue")
