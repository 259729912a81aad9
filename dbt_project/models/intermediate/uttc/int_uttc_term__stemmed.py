"""Stems of the terms, Swedish and English (Snowball): DuckDB has a stemmer only in an extension that it downloads."""

import pyarrow as pa
import snowballstemmer


def model(dbt, session):
    """Columns term, stem_sv, stem_en; one row per distinct term, stemmed once."""
    dbt.config(materialized="table")
    terms = dbt.ref("int_uttc_term__found").project("term").distinct().order("term").to_arrow_table()["term"]
    words = terms.to_pylist()
    stems = {
        column: pa.array(snowballstemmer.stemmer(language).stemWords(words), pa.string())
        for column, language in (("stem_sv", "swedish"), ("stem_en", "english"))
    }
    return pa.table({"term": terms, **stems})
