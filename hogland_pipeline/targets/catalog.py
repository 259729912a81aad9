"""Metadata for data portals: DCAT-AP-SE 3.0.1, as Turtle and as JSON-LD, one dataset per mart.

Addresses are made from the configured `base_url`, where the release folder is expected to be served.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
from rdflib import DCAT, DCTERMS, FOAF, RDF, XSD, Graph, Literal, Namespace, URIRef

from hogland_pipeline.contracts import languages
from hogland_pipeline.publication_record import RECORD_NAMES
from hogland_pipeline.publish_settings import CatalogSettings
from hogland_pipeline.release_tables import Draft, WrittenTable, parquet_path, release_files

TURTLE_NAME = "catalog.ttl"
JSON_LD_NAME = "catalog.jsonld"
EU = "http://publications.europa.eu/resource/authority/"
IANA = "https://www.iana.org/assignments/media-types/"
ADMS = Namespace("http://www.w3.org/ns/adms#")
SKOS = Namespace("http://www.w3.org/2004/02/skos/core#")
VCARD = Namespace("http://www.w3.org/2006/vcard/ns#")
# Suffix of a file: its type among the EU's file types and among IANA's media types.
FORMATS = {
    "csv": ("CSV", "text/csv"),
    "xlsx": ("XLSX", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    "parquet": ("PARQUET", "application/vnd.apache.parquet"),
}
# Folder of the mart: its theme among the EU's, and a keyword in Swedish and English.
DOMAINS = {
    "climate": ("ENVI", "klimat", "climate"),
    "operations": ("TRAN", "drift", "operations"),
    "digitalisation": ("GOVE", "digitalisering", "digitalisation"),
    "twin": ("TECH", "tvillingomställning", "twin transition"),
    "shared": ("REGI", "nyckeltal", "indicators"),
}
AREA = {"sv": "Höglandet: Aneby, Eksjö, Nässjö, Sävsjö och Vetlanda", "en": "The five municipalities of Höglandet"}


def write_catalog(draft: Draft, settings: CatalogSettings) -> list[str]:
    """Write both forms of the catalogue; returns their names."""
    graph = catalog_graph(draft, settings)
    graph.serialize(draft.folder / TURTLE_NAME, format="turtle", encoding="utf-8")
    graph.serialize(draft.folder / JSON_LD_NAME, format="json-ld", encoding="utf-8", indent=2, auto_compact=True)
    return [TURTLE_NAME, JSON_LD_NAME]


def catalog_graph(draft: Draft, settings: CatalogSettings) -> Graph:
    """The catalogue with publisher, contact, datasets and distributions."""
    graph = Graph(bind_namespaces="none")
    for prefix, namespace in (("dcat", DCAT), ("dcterms", DCTERMS), ("foaf", FOAF), ("xsd", XSD), ("adms", ADMS),
                              ("skos", SKOS), ("vcard", VCARD)):  # fmt: skip
        graph.bind(prefix, namespace)
    catalog = URIRef(settings.base_url.rstrip("/") + "/")
    publisher = URIRef(settings.publisher_url)
    graph.add((publisher, RDF.type, FOAF.Agent))
    graph.add((publisher, FOAF.name, Literal(settings.publisher_name)))
    graph.add((publisher, DCTERMS.type, URIRef("http://purl.org/adms/publishertype/LocalAuthority")))
    contact = URIRef(f"{catalog}#contact")
    graph.add((contact, RDF.type, VCARD.Organization))
    graph.add((contact, VCARD.fn, Literal(settings.contact_name)))
    graph.add((contact, VCARD.hasEmail, URIRef(f"mailto:{settings.contact_email}")))
    area = URIRef(f"{catalog}#area")
    graph.add((area, RDF.type, DCTERMS.Location))
    graph.add((catalog, RDF.type, DCAT.Catalog))
    graph.add((catalog, DCTERMS.publisher, publisher))
    graph.add((catalog, DCTERMS.license, URIRef(settings.license_url)))
    graph.add((catalog, DCTERMS.modified, _time(draft)))
    for code in settings.title:
        graph.add((catalog, DCTERMS.language, URIRef(EU + "language/" + {"sv": "SWE", "en": "ENG"}[code])))
    texts: Mapping[Any, str]
    for subject, predicate, texts in ((catalog, DCTERMS.title, settings.title),
                                      (catalog, DCTERMS.description, settings.description),
                                      (area, SKOS.prefLabel, AREA)):  # fmt: skip
        for language, text in texts.items():
            graph.add((subject, predicate, Literal(text, lang=language)))
    files = release_files(draft.folder)
    for table in draft.tables:
        if table.name not in RECORD_NAMES:
            dataset = _add_dataset(graph, catalog, draft, table)
            graph.add((catalog, DCAT.dataset, dataset))
            graph.add((dataset, DCTERMS.publisher, publisher))
            graph.add((dataset, DCAT.contactPoint, contact))
            graph.add((dataset, DCTERMS.spatial, area))
            for name, path in files.items():
                if path.stem == table.name and path.suffix[1:] in FORMATS:
                    distribution = _add_distribution(graph, catalog, settings, name, path)
                    graph.add((dataset, DCAT.distribution, distribution))
    return graph


def _add_dataset(graph: Graph, catalog: URIRef, draft: Draft, table: WrittenTable) -> URIRef:
    contract = draft.contract(table.name)
    dataset = URIRef(f"{catalog}datasets/{table.name}")
    graph.add((dataset, RDF.type, DCAT.Dataset))
    graph.add((dataset, DCTERMS.identifier, Literal(str(dataset))))
    description = contract.description or table.comment or table.name
    for language, text in languages(description):
        graph.add((dataset, DCTERMS.title, Literal(text.partition(". ")[0].rstrip("."), lang=language)))
        graph.add((dataset, DCTERMS.description, Literal(text, lang=language)))
    theme, swedish, english = DOMAINS.get(contract.domain or "", DOMAINS["shared"])
    graph.add((dataset, DCAT.theme, URIRef(EU + "data-theme/" + theme)))
    graph.add((dataset, DCAT.keyword, Literal(swedish, lang="sv")))
    graph.add((dataset, DCAT.keyword, Literal(english, lang="en")))
    graph.add((dataset, DCTERMS.modified, _time(draft)))
    graph.add((dataset, DCTERMS.accessRights, URIRef(EU + "access-right/PUBLIC")))
    graph.add((dataset, DCTERMS.accrualPeriodicity, URIRef(EU + "frequency/DAILY")))
    graph.add((dataset, URIRef(f"{DCAT}version"), Literal(str(contract.version))))
    if period := _period(draft, table):
        temporal = URIRef(f"{dataset}#period")
        graph.add((dataset, DCTERMS.temporal, temporal))
        graph.add((temporal, RDF.type, DCTERMS.PeriodOfTime))
        graph.add((temporal, DCAT.startDate, Literal(period[0], datatype=XSD.date)))
        graph.add((temporal, DCAT.endDate, Literal(period[1], datatype=XSD.date)))
    return dataset


def _add_distribution(graph: Graph, catalog: URIRef, settings: CatalogSettings, name: str, path: Path) -> URIRef:
    file_type, media_type = FORMATS[path.suffix[1:]]
    address = URIRef(f"{catalog}{name}")
    distribution = URIRef(f"{address}#distribution")
    graph.add((distribution, RDF.type, DCAT.Distribution))
    graph.add((distribution, DCTERMS.title, Literal(f"{path.stem} ({file_type})", lang="en")))
    graph.add((distribution, DCAT.accessURL, address))
    graph.add((distribution, DCAT.downloadURL, address))
    graph.add((distribution, DCTERMS.format, URIRef(EU + "file-type/" + file_type)))
    graph.add((distribution, DCAT.mediaType, URIRef(IANA + media_type)))
    graph.add((distribution, DCTERMS.license, URIRef(settings.license_url)))
    graph.add((distribution, DCAT.byteSize, Literal(path.stat().st_size, datatype=XSD.nonNegativeInteger)))
    return distribution


def _period(draft: Draft, table: WrittenTable) -> tuple[str, str] | None:
    """First and last date of the mart, where a date is part of its key."""
    dates = [
        column.name
        for column in table.columns
        if column.type == "DATE" and column.name in draft.contract(table.name).key
    ]
    if not dates or not table.row_count:
        return None
    column = pl.col(dates[0])
    [first, last] = (
        (
            pl.scan_parquet(parquet_path(draft.folder, table.name)).select(
                column.min().alias("a"), column.max().alias("b")
            )
        )
        .collect()
        .row(0)
    )
    return (first.isoformat(), last.isoformat()) if first else None


def _time(draft: Draft) -> Literal:
    return Literal(draft.published_at)
