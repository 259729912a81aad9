"""Targets that need a build say so where there is none."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Taken as made, so that no environment and no manifest is made here.
READY = ("-o", "dbt_project/target/manifest.json")


@pytest.mark.parametrize("target", ["unit", "check-history"])
def test_before_the_first_build_a_target_says_what_to_do(tmp_path: Path, target: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    ended = subprocess.run(
        ["make", *READY, target, f"DATA_DIR={tmp_path}"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode != 0
    assert ended.stdout == ""
    assert ended.stderr.splitlines()[0] == f"No mart has been built in {tmp_path} yet: run 'make run' first."
