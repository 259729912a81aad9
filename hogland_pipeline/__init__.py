"""The Högland data platform: Dagster definitions and everything that meets in them."""
