"""Write the site into a release: pages in Swedish at the top and in English under ``en/``, with style and script."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hogland_pipeline.publish_settings import SiteSettings
from hogland_pipeline.release_tables import Draft
from hogland_pipeline.site.indicators import DOMAIN_FILES, has_municipalities, indicator_pages
from hogland_pipeline.site.kpis import read_kpis
from hogland_pipeline.site.marts import read_marts
from hogland_pipeline.site.topics import topic_pages
from hogland_pipeline.site.view import DEFINITIONS, Gallery, View, sensor_file
from hogland_pipeline.site.words import LANGUAGES, Words

SITE_FOLDER = "site"
HERE = Path(__file__).parent
ASSETS = ("style.css", "site.js")
# Where the pages of a language are, below the site.
FOLDERS = {"sv": "", "en": "en/"}
# Sites that other writers put beside this one.
DOCS = {"dictionary": "docs/dictionary/index.html", "checks": "docs/checks/index.html", "dbt": "docs/dbt/index.html"}


def write_site(draft: Draft, settings: SiteSettings, timezone: ZoneInfo) -> list[str]:
    """Write the pages; returns the names of the files, relative to the release. Times are written in ``timezone``."""
    marts = read_marts(draft)
    kpis = read_kpis(marts)
    folder = draft.folder / SITE_FOLDER
    folder.mkdir(exist_ok=True)
    written = [Path(shutil.copy(HERE / "assets" / name, folder / name)) for name in ASSETS]
    gallery = Gallery()
    for language in LANGUAGES:
        words = Words.read(language, timezone)
        view = View(draft, marts, kpis, words, gallery)
        written += _write_language(view, settings, folder)
    return [path.relative_to(draft.folder).as_posix() for path in written]


def _write_language(view: View, settings: SiteSettings, site: Path) -> list[Path]:
    language = view.words.language
    folder = site / FOLDERS[language]
    folder.mkdir(exist_ok=True)
    root = "../" * FOLDERS[language].count("/")
    shared = {
        "view": view,
        "words": view.words,
        "t": view.words.texts,
        "language": language,
        "site_title": settings.title["en" if language == "en" else "sv"],
        "root": root,
        "published_at": view.draft.published_at,
        "docs": {name: root + path for name, path in DOCS.items() if (site / path).is_file()},
        "domain_files": DOMAIN_FILES,
        "definitions": DEFINITIONS,
        "has_municipalities": has_municipalities,
        "sensor_file": sensor_file,
    }
    written = []
    environment = _environment()
    for page in (*indicator_pages(view), *topic_pages(view)):
        other = f"{root}{page.file}" if language == "en" else f"en/{page.file}"
        template = environment.get_template(f"{page.template}.html.j2")
        html = template.render(shared | dict(page.context) | {"page": page, "other_language": other})
        path = folder / page.file
        path.write_text(html, encoding="utf-8")
        written.append(path)
    return written


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
