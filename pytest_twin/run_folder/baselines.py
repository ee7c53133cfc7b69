"""Baselines: saved runs to compare with.

A baseline is a folder in the directory of baselines. Each run that is saved under its name is a numbered folder in it
with tests.csv, fingerprint.json, and ``baseline.json``, which has the time of saving and the commit. A new directory
gets a ``.gitignore``, so that baselines are not committed by accident.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from pytest_twin._system.private_files import write_atomic
from pytest_twin.model.csv_text import records
from pytest_twin.model.version import __version__
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.run_folder.layout import FINGERPRINT, TESTS
from pytest_twin.settings.parsers import LAST

MANIFEST = "baseline.json"
VERSION = 1
DIGITS = 4
COMMIT_OF_CI = ("GITHUB_SHA", "CI_COMMIT_SHA")


class BaselineError(OSError):
    """A baseline cannot be found, read or written; the message, one line, is for the user."""


class SavedRun(NamedTuple):
    """One saved run.

    Attributes:
        path: Its folder.
        name: Its baseline.
        saved: Time of saving, as ISO 8601 in UTC; empty if unknown.
        commit: Its commit; empty if unknown.
    """

    path: Path
    name: str
    saved: str
    commit: str


class RunSet(NamedTuple):
    """Runs to compare with.

    Attributes:
        name: Their name for people.
        paths: Their folders, oldest first.
    """

    name: str
    paths: list[Path]


def save(folder: RunFolder, directory: Path, name: str, at: datetime) -> Path:
    """Save a run as one more run of a baseline, completely or not at all.

    Args:
        folder: The run.
        directory: The directory of baselines.
        name: The baseline.
        at: The current time.

    Returns:
        The folder that it was saved in.

    Raises:
        BaselineError: It cannot be written, or the run has no tests.
    """
    tests = folder.text(TESTS)
    if not records(tests):
        raise BaselineError(f"{folder.path} has no tests; nothing was saved as {name}")
    try:
        is_new = not directory.exists()
        (directory / name).mkdir(parents=True, exist_ok=True)
        if is_new:  # only then: whoever keeps baselines in git has removed it
            write_atomic(directory / ".gitignore", "*\n")
        with tempfile.TemporaryDirectory(dir=directory / name, prefix=".saving-", ignore_cleanup_errors=True) as made:
            kept = Path(made) / "run"
            kept.mkdir()
            write_atomic(kept / TESTS, tests)
            if (folder / FINGERPRINT).exists():
                shutil.copyfile(folder / FINGERPRINT, kept / FINGERPRINT)
            manifest = {"version": VERSION, "name": name, "saved": at.isoformat(timespec="milliseconds")}
            manifest |= {"commit": commit_of(folder.path.parent), "pytest_twin": __version__}
            write_atomic(kept / MANIFEST, json.dumps(manifest, indent=2) + "\n")
            return _move_to_next_number(kept, directory / name)
    except OSError as error:
        raise BaselineError(f"{directory / name} cannot be written: {error.strerror or error}") from None


def _move_to_next_number(kept: Path, baseline: Path) -> Path:
    """Rename the folder to the next free number: another process may save at the same time."""
    number = max((int(path.name) for path in baseline.iterdir() if path.name.isdecimal()), default=0)
    while True:
        number += 1
        place = baseline / f"{number:0{DIGITS}}"
        try:
            os.rename(kept, place)
        except OSError:
            if not place.exists():
                raise
        else:
            return place


def commit_of(place: Path) -> str:
    """Return the commit that is checked out in a directory, from CI or git; empty if neither knows it."""
    for variable in COMMIT_OF_CI:
        if os.environ.get(variable):
            return os.environ[variable]
    git = shutil.which("git")
    if git is None:
        return ""
    command = [git, "-C", str(place), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def saved_runs(directory: Path) -> list[SavedRun]:
    """Return all saved runs, oldest first."""
    found = (run for baseline in _folders(directory) for run in _runs(baseline))
    return sorted(found, key=lambda run: (run.saved, run.path.name))


def find(word: str, directory: Path, base_dir: Path) -> RunSet:
    """Return the runs that a word refers to.

    Args:
        word: ``last`` for the run that was saved last, whatever its name; the name of a baseline for all of its runs;
            or the path of a run folder, or of a folder with several.
        directory: The directory of baselines.
        base_dir: The directory that a path is relative to.

    Raises:
        BaselineError: There are no such runs.
    """
    runs = saved_runs(directory)
    if word == LAST:
        if not runs:
            raise BaselineError(f"{LAST}: no baseline is saved in {directory}; save a run with pytest --twin-save NAME")
        return RunSet(f"{runs[-1].name}/{runs[-1].path.name}", [runs[-1].path])
    if named := [run.path for run in runs if run.name == word]:
        return RunSet(word, named)
    path = base_dir / word
    paths = [path] if (path / TESTS).is_file() else [run.path for run in _runs(path)]
    if not paths:
        names = ", ".join(dict.fromkeys(run.name for run in runs))
        known = f"saved: {names}" if names else "none saved; --twin-save NAME saves one"
        raise BaselineError(f"{word}: neither a baseline in {directory} ({known}) nor a folder with {TESTS}")
    return RunSet(word, paths)


def _folders(directory: Path) -> Iterator[Path]:
    try:
        yield from sorted(path for path in directory.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError:  # there is no such directory
        return


def _runs(baseline: Path) -> list[SavedRun]:
    """Return the runs in a folder, in the order in which they were saved."""
    runs = []
    for path in _folders(baseline):
        if (path / TESTS).is_file():
            manifest = _manifest(path / MANIFEST)
            runs.append(SavedRun(path, baseline.name, manifest.get("saved", ""), manifest.get("commit", "")))
    return sorted(runs, key=lambda run: (run.saved, run.path.name))


def _manifest(path: Path) -> dict[str, str]:
    """Return the texts in a manifest; empty if it cannot be read."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return (
        {key: value for key, value in document.items() if isinstance(value, str)} if isinstance(document, dict) else {}
    )
