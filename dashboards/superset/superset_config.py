"""Settings of Superset as `make superset` runs it: for one person, on this machine, on the published file."""

import os
from pathlib import Path

HOME = Path(os.environ["SUPERSET_HOME"])
SECRET_KEY = (HOME / "secret_key").read_text(encoding="utf-8")
SQLALCHEMY_DATABASE_URI = f"sqlite:///{HOME / 'superset.db'}"
# Superset takes DuckDB for a danger, as it takes SQLite: a file of the server's. Here the file is the point.
PREVENT_UNSAFE_DB_CONNECTIONS = False
# Without workers: every question is asked at once, of the newest release.
RESULTS_BACKEND = None
DATA_CACHE_CONFIG = {"CACHE_TYPE": "NullCache"}
D3_FORMAT = {"decimal": ",", "thousands": "\u00a0", "grouping": [3], "currency": ["", " kr"]}
TALISMAN_ENABLED = False
WTF_CSRF_ENABLED = True
