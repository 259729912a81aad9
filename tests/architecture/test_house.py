"""House rules for every tracked file: nothing of one machine, no registry, and a lock that is complete."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MACHINE_PATH = re.compile(r"(?<![\w.:/-])/(?:home|Users|root|work|mnt|srv)/[\w.-]+")
# Written in two halves so that this file keeps the rule it states.
REGISTRIES = (
    "pypi" + ".org",
    "files.python" + "hosted.org",
    "registry." + "npmjs",
    "regis" + "try.yarnpkg",
    "anaconda" + ".org",
)
# Another registry name hides behind these words; an address in a requirements file is one too.
INDEX_OPTION = re.compile(r"--(?:extra-)?index-url[ =]\S*:|--find-links[ =]\S")
REQUIREMENT = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?(?P<version>==\S+)?")


def tracked_text() -> dict[str, str]:
    """Tracked and new files that are text, by path; data and lock included."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    texts = {}
    for name in filter(None, names):
        content = (ROOT / name).read_bytes() if (ROOT / name).is_file() else b""
        if b"\0" not in content[:8192]:
            texts[name] = content.decode("utf-8", errors="replace")
    return texts


def faults(text: str) -> list[str]:
    """Paths of one machine and addresses of registries in a text."""
    found = MACHINE_PATH.findall(text) + INDEX_OPTION.findall(text)
    return found + [host for host in REGISTRIES if host in text]


def locked(lock: str) -> dict[str, str]:
    """Name → the whole entry of the lock, with its hashes."""
    entries = re.split(r"\n(?=[A-Za-z0-9])", lock.strip())
    return {normal(re.split(r"[=<>\[ ;]", entry, maxsplit=1)[0]): entry for entry in entries}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]


def unmet(requirement: str, entries: dict[str, str]) -> bool:
    """Whether the lock lacks a requirement of pyproject.toml, or locks another version than it pins."""
    match = REQUIREMENT.match(requirement.replace(" ", ""))
    assert match, requirement
    entry = entries.get(normal(match["name"]))
    if entry is None:
        return True
    pin = match["version"]
    if pin is None:
        return False
    version = re.escape(pin).replace(r"\*", r"[\w.]+")
    return re.search(rf"{version}(?=[\s;\\]|$)", entry) is None


def test_no_file_names_a_machine_or_a_registry() -> None:
    assert {name: found for name, text in tracked_text().items() if (found := faults(text))} == {}


@pytest.mark.parametrize(
    "text",
    [
        "open('/" + "home/anna/hogland/data.csv')",
        "see /" + "work/main",
        "url = 'https://" + REGISTRIES[0] + "/simple'",
        "--extra-" + "index-url https://packages.example/simple",
        "--find-" + "links wheels",
    ],
)
def test_a_machine_path_or_registry_is_found(text: str) -> None:
    assert faults(text)


@pytest.mark.parametrize("text", ["data/published", "https://example.org/work/main", "a/home/b", "/usr/bin/env"])
def test_other_paths_are_no_fault(text: str) -> None:
    assert faults(text) == []


def test_every_package_in_the_lock_is_pinned_and_hashed() -> None:
    entries = locked((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    assert len(entries) > 100
    bad = [
        name
        for name, entry in entries.items()
        if not re.match(r"[\w.-]+(\[[\w,-]+\])?==[\w.]+", entry) or "--hash=sha256:" not in entry or "://" in entry
    ]
    assert bad == []


def test_every_requirement_is_locked_at_its_pin() -> None:
    entries = locked((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    assert [requirement for requirement in requirements() if unmet(requirement, entries)] == []


@pytest.mark.parametrize("requirement", ["duckdb==1.5.5", "polars", "pyarrow==25.*", "duckdb==1.5"])
def test_a_requirement_that_is_not_locked_is_found(requirement: str) -> None:
    assert unmet(requirement, locked("duckdb==1.5.6 \\\n    --hash=sha256:00\npyarrow==26.0.1 ; x\n"))


@pytest.mark.parametrize("requirement", ["DuckDB==1.5.6", "pyarrow==26.*", "great_expectations"])
def test_a_requirement_that_is_locked_is_met(requirement: str) -> None:
    assert not unmet(
        requirement, locked("duckdb==1.5.6 \\\n  --hash\npyarrow==26.0.1 ; x\ngreat-expectations==1.24.1\n")
    )


def test_modules_stay_small() -> None:
    packages = ("hogland_pipeline", "sensors_ingest", "expectations")
    lines = {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8").count("\n")
        for package in packages
        for path in (ROOT / package).rglob("*.py")
    }
    assert {name: count for name, count in lines.items() if count > 400} == {}
