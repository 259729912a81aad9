"""Sensor feeds: fetch what a source sends into landing, decode it into readings. Knows nothing of Dagster."""
