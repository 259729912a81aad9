"""The gate's auditing half: one versioned suite of checks per table, run by Great Expectations on DuckDB."""
