"""Search suites of which the truth is known for flaky tests, and compare the verdicts with the truth.

    python benchmarks/flaky_search.py --time 10m
    python benchmarks/flaky_search.py --time 10m --suite apscheduler tqdm

The seeded suite is in `flaky_suite/`: 20 tests that break under scarcity, 20 that hold though slow, and 4 that are
flaky by chance. `flaky_suite/truth.csv` has how often each fails under which condition, as `measure_truth.py` counted.
The other suites are downloaded from PyPI. pytest-flakefinder has the same time on the seeded suite. The design of "The
Effects of Computational Resources on Flaky Tests" (IEEE TSE 2024), 300 runs of each test in 27 configurations, is
simulated with the rates of the truth.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

from _shared import show_one
from public_suites import ENVIRONMENT, Suite

from pytest_twin.model.flaky_row import BREAKS, BY_CHANCE
from pytest_twin.model.quantity import parse_duration

SEEDED = Path(__file__).parent / "flaky_suite"
STEPS = {  # columns of the table of the truth: the family of conditions, and the position in it
    "cpus=1": ("cpus", 1),
    "load cpu=100%": ("cpu load", 1),
    "cpu=0.5": ("cpu quota", 1),
    "mem": ("memory", 1),
    "load disk=max": ("disk load", 1),
    "load cpu=4 per CPU": ("cpu load", 2),
    "cpu=0.25": ("cpu quota", 2),
    "cpu=0.25 load disk=max": ("combined", 1),
    "cpu=0.25 load cpu=100%": ("combined", 2),
    "cpu=0.1": ("cpu quota", 3),
    "cpu=0.05": ("cpu quota", 4),
}
COMMON = 0.2  # the least share of runs that fail under a condition that breaks a test, as in measure_truth.py
CONFIGURATIONS, REPEATS = 27, 300  # of the study
LEVEL = 0.05
REPETITIONS = (2, 3, 5, 10, 20, 50, 100, REPEATS)
LATEST = 1.5  # the longest time of a search, as a multiple of what it was given, before it is killed


class Public(NamedTuple):
    """A public package with tests that are known to break under a small quota of CPU time.

    Attributes:
        needs: Further requirements of its tests.
        arguments: Arguments of pytest.
        broken: Tests that break in a control group with 0.25 or 0.1 CPUs, by `measure_truth.py`; some rarely.
    """

    needs: Sequence[str]
    arguments: Sequence[str]
    broken: Sequence[str]


PUBLIC: Mapping[str, Public] = {
    "apscheduler==3.11.3": Public(
        needs=("anyio", "pytest-timeout", "pytz", "tornado", "twisted", "sqlalchemy"),
        arguments=["tests/test_executors.py"],
        broken=(
            "tests/test_executors.py::test_max_instances[pytz-processpool]",
            "tests/test_executors.py::test_max_instances[zoneinfo-processpool]",
            "tests/test_executors.py::test_submit_job[pytz-processpool-executed]",
            "tests/test_executors.py::test_submit_job[pytz-processpool-error]",
            "tests/test_executors.py::test_submit_job[zoneinfo-processpool-executed]",
            "tests/test_executors.py::test_submit_job[zoneinfo-processpool-error]",
            "tests/test_executors.py::test_run_job_error[processpool-pytz]",
            "tests/test_executors.py::test_broken_pool",
        ),
    ),
    "tqdm==4.70.1": Public(
        needs=("pytest-timeout", "pytest-asyncio"),
        arguments=["tests/tests_perf.py", "--timeout=30"],
        broken=(
            "tests/tests_perf.py::test_iter_basic_overhead",
            "tests/tests_perf.py::test_manual_basic_overhead",
            "tests/tests_perf.py::test_lock_args",
            "tests/tests_perf.py::test_iter_overhead_hard",
            "tests/tests_perf.py::test_manual_overhead_hard",
        ),
    ),
}


class Finding(NamedTuple):
    """The verdict of a search on a test, from the row of flaky.csv that it is about."""

    verdict: str
    condition: str
    step: tuple[str, int]
    counts: str
    command: str


class Search(NamedTuple):
    """The result of a search: the verdicts, the number of runs, and the seconds that it took."""

    findings: Mapping[str, Finding]
    runs: int
    took_s: float


def search(python: Path | str, folder: Path, arguments: Sequence[str], time_text: str) -> Search:
    """Run pytest with --twin-flaky in a folder, and read its verdicts."""
    with tempfile.TemporaryDirectory() as recorded:
        flags = ["--twin-flaky", f"--twin-flaky-time={time_text}", f"--twin-report-dir={recorded}/report"]
        began = time.perf_counter()
        done = run_pytest(python, folder, [*flags, *arguments], LATEST * parse_duration(time_text) + 60)
        took_s = time.perf_counter() - began
        table = Path(recorded) / "report" / "flaky.csv"
        if not table.exists():
            raise SystemExit(
                f"the search wrote no flaky.csv: exit status {done.returncode}\n{done.stdout}{done.stderr}"
            )
        with table.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    print("\n".join(line for line in done.stdout.splitlines() if line.startswith("not searched")), flush=True)
    findings = {}
    for row in rows:
        if row["is_decisive"] == "1" or row["nodeid"] not in findings:
            step = row["family"], int(row["severity"])
            counts = f"{row['failures']} of {row['runs']}"
            findings[row["nodeid"]] = Finding(row["verdict"], row["condition"], step, counts, row["command"])
    return Search(findings, sum(int(row["runs"] or 0) for row in rows), took_s)


def run_pytest(
    python: Path | str, folder: Path, arguments: Sequence[str], longest_s: float
) -> subprocess.CompletedProcess[str]:
    """Run pytest in a folder, with nothing of the environment that changes it."""
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=longest_s,
                          check=False)  # fmt: skip


def failing_commands(python: Path | str, folder: Path, found: Search, options: Sequence[str]) -> tuple[int, int]:
    """Run each printed command again; return how many failed at least once, and how many there are."""
    commands = [each.command for each in found.findings.values() if each.verdict == BREAKS]
    failing = 0
    for command in commands:
        arguments = shlex.split(command, comments=True)[1:]
        with tempfile.TemporaryDirectory() as recorded:
            flags = [*arguments, *options, f"--twin-report-dir={recorded}/report"]
            status = run_pytest(python, folder, flags, 1800).returncode
        has_failed = status == 1 or status < 0  # by a signal: under a limit of memory the kernel kills pytest
        failing += has_failed
        if not has_failed:
            print(f"did not fail again (exit status {status}): {command}", flush=True)
    return failing, len(commands)


class Truth(NamedTuple):
    """What is known about a test of the seeded suite.

    Attributes:
        kind: What breaks it.
        truth: "breaks", "holds" or "by chance".
        mildest: The mildest condition that breaks it.
        rates: The share of runs that failed for each condition, also "idle" and "busy neighbour".
    """

    kind: str
    truth: str
    mildest: str
    rates: Mapping[str, float]

    def is_within_a_step(self, step: tuple[str, int]) -> bool:
        """Return whether a condition is the mildest of its family that breaks the test, or next to that."""
        broken = [number for name, (family, number) in STEPS.items()
                  if family == step[0] and self.rates[name] >= COMMON]  # fmt: skip
        return bool(broken) and abs(min(broken) - step[1]) <= 1


def read_truth(path: Path) -> dict[str, Truth]:
    """Read the table of the truth."""
    found = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            rates = {}
            for name in ("idle", "busy neighbour", *STEPS):
                failures, _, runs = row[name].partition("/")
                rates[name] = int(failures) / int(runs)
            found[row["test"]] = Truth(row["kind"], row["truth"], row["mildest"], rates)
    return found


def compare(truth: Mapping[str, Truth], found: Search) -> Counter[str]:
    """Print the truth beside the verdicts; return the counts of what is right and wrong."""
    counts: Counter[str] = Counter()
    print(f"{'test':52} {'truth':24} verdict")
    for name, true in truth.items():
        finding = found.findings.get(name, Finding("no verdict", "", ("", 0), "", ""))
        breaks = finding.verdict == BREAKS
        if true.truth == "breaks":
            right = breaks
            counts["found"] += breaks
            counts["mildest"] += breaks and true.is_within_a_step(finding.step)
        elif true.truth == "holds":
            right = finding.verdict not in {BREAKS, BY_CHANCE}
            counts["accused"] += not right
        else:
            right = finding.verdict == BY_CHANCE
            counts["chance"] += right
            counts["chance accused"] += breaks
        where = f"{finding.condition}: {finding.counts}" if finding.condition else ""
        close = breaks and right and not true.is_within_a_step(finding.step)
        mark = "" if right and not close else "   (another condition)" if close else "   WRONG"
        short = name.partition("test_")[2]
        print(f"{short:52} {f'{true.truth} {true.mildest}':24} {finding.verdict} {where}{mark}", flush=True)
    return counts


def show_counts(truth: Mapping[str, Truth], counts: Mapping[str, int]) -> None:
    """Print the counts with their goals."""
    total = Counter(true.truth for true in truth.values())
    show_one(f"found, of {total['breaks']}", counts["found"], "", "at least 18")
    show_one("mildest condition right within one step", counts["mildest"], "", "as many as found")
    show_one(f"wrongly accused, of {total['holds']} that hold", counts["accused"], "", "0")
    show_one(f"said to be flaky by chance, of {total['by chance']}", counts["chance"], "", f"{total['by chance']}")
    show_one("flaky by chance, but said to break", counts["chance accused"], "", "0")


def flakefinder(python: Path, folder: Path, seconds: float, truth: Mapping[str, Truth]) -> None:
    """Print what pytest-flakefinder finds in the same time."""
    began = time.perf_counter()
    run_pytest(python, folder, ["."], 600)
    once_s = time.perf_counter() - began
    runs = max(2, int(seconds / once_s))
    report = folder / "flakefinder.xml"
    flags = ["--flake-finder", f"--flake-runs={runs}", f"--flake-max-minutes={math.ceil(seconds / 60)}"]
    run_pytest(python, folder, [*flags, f"--junitxml={report}", "."], 2 * seconds + 600)
    failed: Counter[str] = Counter()
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - our pytest wrote it
        bare = re.sub(r"\[\d+-?", "[", case.get("name", "")).removesuffix("[]")  # its number is a parameter
        failed[bare] += case.find("failure") is not None
    named = {name.rpartition("::")[2]: true.truth for name, true in truth.items()}
    found = Counter(truth for name, truth in named.items() if failed[name])
    show_one("pytest-flakefinder, runs of a test", runs)
    for truth_text, count in Counter(named.values()).items():
        show_one(f"  found, of {count}: {truth_text}", found[truth_text])


def environment_with_flakefinder(folder: Path) -> Path:
    """Return the Python of a virtual environment that has pytest-flakefinder, and not pytest-twin."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "pytest", "pytest-flakefinder"], check=True, env=ENVIRONMENT)
    return python


def simulate_design(truth: Mapping[str, Truth], repeats: int, source: random.Random) -> int:
    """Return how many of the tests that break are found by a fixed number of runs in each configuration.

    The configurations are idle and the conditions of the truth in turn, up to the number in the study. A test is found
    if it fails significantly more often than idle (Fisher, one-sided; Benjamini and Hochberg over all).
    """
    names = [name for _, name in zip(range(CONFIGURATIONS - 1), list(STEPS) * CONFIGURATIONS, strict=False)]
    values = []
    for test, true in truth.items():
        idle = draw(true.rates["idle"], repeats, source)
        values += [(fisher(draw(true.rates[name], repeats, source), idle, repeats), test) for name in names]
    accepted = 0
    values.sort()
    for rank, (value, _) in enumerate(values, 1):
        if value <= LEVEL * rank / len(values):
            accepted = rank
    found = {test for _, test in values[:accepted]}
    return sum(truth[test].truth == "breaks" for test in found)


def draw(rate: float, runs: int, source: random.Random) -> int:
    """Return a random number of failures."""
    return sum(source.random() < rate for _ in range(runs))


def fisher(failures: int, base_failures: int, runs: int) -> float:
    """Return the one-sided p-value of Fisher's exact test, for the same number of runs on both sides."""
    total = failures + base_failures
    if failures <= base_failures:
        return 1.0
    ways = sum(math.comb(runs, each) * math.comb(runs, total - each) for each in range(failures, min(runs, total) + 1))
    return ways / math.comb(2 * runs, total)


def show_designs(truth: Mapping[str, Truth], found: int, runs: int) -> None:
    """Print how many runs the design of the study needs, and the same design with the fewest repetitions."""
    of_study = CONFIGURATIONS * REPEATS * len(truth)
    show_one("runs of the search", runs)
    show_one(f"runs of the study's design, {CONFIGURATIONS} x {REPEATS} x {len(truth)}", of_study)
    show_one("  the study's design / the search", of_study / max(1, runs), "x", "at least 10")
    for repeats in REPETITIONS:
        if sum(simulate_design(truth, repeats, random.Random(seed)) for seed in range(20)) / 20 >= found:
            total = CONFIGURATIONS * repeats * len(truth)
            show_one(f"  fewest that find as many, {CONFIGURATIONS} x {repeats} x {len(truth)}", total)
            show_one("  the same design / the search", total / max(1, runs), "x")
            return
    print(f"  {REPEATS} repetitions in each configuration do not find as many")


def search_seeded(given: argparse.Namespace) -> None:
    """Search the seeded suite, and print everything that is known about the result."""
    truth = read_truth(given.truth)
    options = ["-c", os.devnull, "--rootdir=."]
    total: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "suite"
        shutil.copytree(SEEDED, folder, ignore=shutil.ignore_patterns("__pycache__", "*.csv", "measure_truth.py"))
        for number in range(given.repeat):
            found = search(sys.executable, folder, [*options, "."], given.time)
            print(f"\nsearch {number + 1} of {given.repeat}: {found.runs} runs in {found.took_s:.0f} s")
            counts = compare(truth, found)
            show_counts(truth, counts)
            total.update(counts)
            show_designs(truth, counts["found"], found.runs)
            if not given.no_commands:
                failing, commands = failing_commands(sys.executable, folder, found, options)
                total["failing"] += failing
                total["commands"] += commands
                show_one(f"printed commands that fail again, of {commands}", failing, "", "at least 95 %")
        if given.repeat > 1:
            print(f"\nin all {given.repeat} searches together: {dict(total)}")
        if not given.no_peer:
            python = given.peers_python or environment_with_flakefinder(Path(name) / "venv")
            flakefinder(python, folder, parse_duration(given.time), truth)


def search_public(package: str, given: argparse.Namespace) -> None:
    """Search the suite of a public package."""
    public = PUBLIC[package]
    with tempfile.TemporaryDirectory() as name:
        suite = Suite(package, public.needs, Path(name))
        for number in range(given.repeat):
            found = search(suite.python, suite.source, public.arguments, given.time)
            print(f"\n{package}, search {number + 1}: {found.runs} runs in {found.took_s:.0f} s")
            for nodeid, finding in found.findings.items():
                known = "breaks" if nodeid in public.broken else ""
                print(f"{nodeid:76} {known:8} {finding.verdict} {finding.condition}: {finding.counts}", flush=True)
            accused = {nodeid for nodeid, finding in found.findings.items() if finding.verdict == BREAKS}
            show_one(f"found, of {len(public.broken)}", len(accused & set(public.broken)))
            show_one("others said to break", len(accused - set(public.broken)), "", "0")
            if not given.no_commands:
                options = [each for each in public.arguments if each.startswith("-")]
                failing, commands = failing_commands(suite.python, suite.source, found, options)
                show_one(f"printed commands that fail again, of {commands}", failing, "", "at least 95 %")


def suites(names: Sequence[str]) -> Iterator[str]:
    """Yield the full names of suites."""
    for name in names:
        yield next((package for package in PUBLIC if package.startswith(f"{name}==")), name)


def main() -> None:
    """Search the suites that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--time", default="10m", help="time of a search (default: %(default)s)")
    parser.add_argument("--repeat", type=int, default=1, help="number of searches (default: %(default)s)")
    choices = ["seeded", *(package.partition("==")[0] for package in PUBLIC)]
    parser.add_argument("--suite", nargs="+", choices=choices, default=["seeded"], help="(default: seeded)")
    parser.add_argument("--truth", type=Path, default=SEEDED / "truth.csv", help="another table of the truth")
    parser.add_argument("--peers-python", type=Path, help="a Python that has pytest-flakefinder, and not pytest-twin")
    parser.add_argument("--no-peer", action="store_true", help="do not run pytest-flakefinder")
    parser.add_argument("--no-commands", action="store_true", help="do not run the printed commands again")
    given = parser.parse_args()
    for name in suites(given.suite):
        if name == "seeded":
            search_seeded(given)
        else:
            search_public(name, given)


if __name__ == "__main__":
    main()
