"""For every test."""

# Its plugin imports it when a run ends. CPython 3.11 can give up on parsing a module while it collects what dbt left.
import hypothesis  # noqa: F401
