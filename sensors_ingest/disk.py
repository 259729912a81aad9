"""Files and folders that a power cut leaves as they are."""

import os
from pathlib import Path


def make_folder(path: Path) -> None:
    """Make ``path`` and what is missing above it; their names are on disk."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        sync(path.parent)


def sync(path: Path) -> None:
    """Have the content of a file, or the names in a folder, on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
