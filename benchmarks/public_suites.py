"""Check that the tests of public packages have the same outcomes with `--twin`, with `--twin -n 2`, and without.

    python benchmarks/public_suites.py --packages more-itertools click

Each package is downloaded from PyPI as a source distribution, which has the tests, and installed beside pytest-twin in
a temporary virtual environment. The outcome of each test is compared by name, from the JUnit reports.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

from _shared import show_one

ROOT = Path(__file__).parent.parent
NEEDS = {  # further requirements of the tests
    "attrs": ("cloudpickle", "hypothesis"),
    "click": (),
    "jinja2": ("trio",),
    "more-itertools": (),
    "packaging": ("hypothesis", "pretend", "tomli-w"),
}
WAYS = {"without": (), "--twin": ("--twin",), "--twin -n 2": ("--twin", "-n", "2")}
# the same order of sets in all runs; no byte code or paths of the user
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))} | {
    "PYTHONHASHSEED": "0"
}
OUTCOMES = {"failure", "error", "skipped"}  # an expected failure is a skip of type pytest.xfail
LONGEST_S = 1200


class Run(NamedTuple):
    """The outcomes of the tests in one run."""

    outcomes: Counter[tuple[str, str]]
    status: int
    rows: int
    took_s: float


class Suite:
    """A package that is unpacked and installed to run its tests."""

    def __init__(self, package: str, needs: Sequence[str], folder: Path) -> None:
        """Download and install it, and what its tests need.

        Raises:
            SystemExit: It cannot be downloaded or installed.
        """
        self.folder = folder
        _call("fetch it", sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "-d",
              folder / "fetched", package)  # fmt: skip
        (fetched,) = (folder / "fetched").iterdir()
        with tarfile.open(fetched) as archive:
            archive.extractall(folder / "source", filter="data")  # no member may leave the folder
        (self.source,) = (folder / "source").iterdir()
        venv.create(folder / "venv", with_pip=True)
        self.python = folder / "venv" / "bin" / "python"
        needed = (ROOT, self.source, "pytest-xdist", *needs)
        _call("install it", self.python, "-m", "pip", "install", "-q", *needed)

    def run(self, name: str, flags: Sequence[str]) -> Run:
        """Run the tests with these options, and read their outcomes."""
        report, recorded = self.folder / f"{name}.xml", self.folder / f"{name} report"
        began = time.perf_counter()
        done = self.call(f"--junitxml={report}", *flags, f"--twin-report-dir={recorded}")
        took_s = time.perf_counter() - began
        if not report.exists():
            raise SystemExit(f"{name}: no report\n{done.stdout[-1000:]}{done.stderr[-1000:]}")
        return Run(outcomes(report), done.returncode, _rows(recorded / "tests.csv"), took_s)

    def call(self, *flags: str) -> subprocess.CompletedProcess[str]:
        """Run pytest on the tests with these options."""
        command = [self.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *flags, "tests"]
        return subprocess.run(command, cwd=self.source, env=ENVIRONMENT, capture_output=True, text=True,
                              timeout=LONGEST_S, check=False)  # fmt: skip


def outcomes(report: Path) -> Counter[tuple[str, str]]:
    """Return the counts of the outcomes of each test; a test that passes and fails in its teardown has two."""
    found: Counter[tuple[str, str]] = Counter()
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - our pytest wrote it
        name = f"{case.get('classname')}::{case.get('name')}"
        told = [f"{each.tag} {each.get('type') or ''}".strip() for each in case if each.tag in OUTCOMES]
        found.update((name, outcome) for outcome in told or ["passed"])
    return found


def _rows(table: Path) -> int:
    if not table.exists():
        return 0
    with table.open(encoding="utf-8", newline="") as file:
        return sum(1 for _ in csv.DictReader(file))


def _call(what: str, *command: object) -> None:
    done = subprocess.run([str(each) for each in command], env=ENVIRONMENT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"cannot {what}: {' '.join(map(str, command))}\n{done.stderr[-1000:]}")


def differences(plain: Run, other: Run) -> list[str]:
    """Yield a line for each difference."""
    apart = [
        *(f"only without: {name}: {outcome}" for name, outcome in plain.outcomes - other.outcomes),
        *(f"only with: {name}: {outcome}" for name, outcome in other.outcomes - plain.outcomes),
    ]
    status = [f"exit status {other.status}, not {plain.status}"] if other.status != plain.status else []
    return [*status, *sorted(apart)]


def tell(package: str, runs: Mapping[str, Run]) -> bool:
    """Print the outcomes of the tests; return whether they are the same in all runs."""
    plain, same = runs["without"], True
    for name, run in runs.items():
        total = Counter(outcome for _, outcome in run.outcomes.elements())
        told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(total.items()))
        print(f"{package}, {name}: {told}; {run.rows} recorded; {run.took_s:.1f} s", flush=True)
        if run is not plain:
            apart = differences(plain, run)
            show_one(f"  {package}, {name}: differences", len(apart), "", "0")
            print("\n".join(f"    {line}" for line in apart[:20]), end="\n" if apart else "")
            same = same and not apart
    return same


def main() -> None:
    """Run all suites; the exit status is 0 if the outcomes are the same."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", nargs="+", choices=sorted(NEEDS), default=["more-itertools", "click"])
    same = True
    for package in parser.parse_args().packages:
        with tempfile.TemporaryDirectory() as folder:
            suite = Suite(package, NEEDS[package], Path(folder))
            same &= tell(package, {name: suite.run(name, flags) for name, flags in WAYS.items()})
    sys.exit(not same)


if __name__ == "__main__":
    main()
