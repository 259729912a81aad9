"""``python -m hogland_pipeline``, which ``./hogland`` calls."""

from hogland_pipeline.cli import app

if __name__ == "__main__":
    app(prog_name="hogland")
