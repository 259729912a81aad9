"""Where releases go beside the DuckDB file and Parquet: a PostgreSQL server, extracts, descriptions for catalogues."""
