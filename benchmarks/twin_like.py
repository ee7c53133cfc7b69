"""Reproduce a run on a small, busy machine by its files alone: how close durations and failures are.

    python benchmarks/twin_like.py --rounds 3

Run A is constrained and runs beside a load of another program, as on the runner of a CI. The same tests then run on the
whole machine, alternately without anything and with ``--twin-like`` and the run folder of A. Ratios are those of the
duration of a test's body to that in run A; a second run A shows how much of a difference is chance.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from _shared import show_one

GOAL = 0.10  # relative difference of a duration
SUITE = """
import time, zlib
import pytest

def spin(seconds):
    '''Burn CPU time of this thread.'''
    began = time.thread_time()
    while time.thread_time() - began < seconds:
        zlib.crc32(b"." * 4096)

@pytest.mark.parametrize("seconds", [0.3, 0.6, 1.2])
def test_bound_by_cpu(seconds):
    spin(seconds)

def test_bound_by_cpu_and_sleeping():
    for _ in range(3):
        spin(0.2)
        time.sleep(0.1)

def test_is_done_in_time():
    began = time.monotonic()
    spin(0.6)
    assert time.monotonic() - began < 0.9

def test_sleeps():
    time.sleep(0.5)

def test_needs_little_memory():
    assert bytearray(200 << 20)

def test_needs_much_memory():
    '''In a process of its own, which is what is killed.'''
    import subprocess, sys
    code = "held = bytearray(3 << 30)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
"""
BOUND = "bound_by_cpu"


class Result(NamedTuple):
    """What a run of the suite came to: the duration of each body in seconds, and the tests that failed."""

    durations: Mapping[str, float]
    failed: frozenset[str]


def run(folder: Path, name: str, *flags: str) -> Result:
    """Run the suite and return what its files say."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--twin", f"--twin-report-dir={name}"]
    done = subprocess.run([*command, *flags], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode not in {0, 1}:
        sys.exit(done.stdout + done.stderr)
    with (folder / name / "tests.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = {row["nodeid"]: row["nodeid"].partition("::test_")[2] for row in rows}
    failed = frozenset(names[row["nodeid"]] for row in rows if row["outcome"] != "passed")
    return Result({names[row["nodeid"]]: float(row["call_s"]) for row in rows}, failed)


@contextlib.contextmanager
def beside(load: str, folder: Path) -> Iterator[None]:
    """Run another program that applies a load."""
    if not load:
        yield
        return
    command = [sys.executable, "-m", "pytest_twin", "stress", "--duration=10m", f"--report-dir={folder / 'load'}"]
    words = [f"--{word}" for word in load.split()]
    process = subprocess.Popen([*command, *words], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        rows = folder / "load" / "annotations.csv"
        while not (rows.exists() and ",start," in rows.read_text()) and process.poll() is None:
            time.sleep(0.1)
        time.sleep(0.5)
        yield
    finally:
        process.terminate()
        process.wait()


def compare(given: argparse.Namespace, folder: Path) -> None:
    """Print a row for each test."""
    (folder / "test_suite.py").write_text(SUITE)
    constrained = f"--twin-constrain={given.constrain}"
    print(f"run A: constrained to {given.constrain}, beside {given.load or 'no load'}", flush=True)
    with beside(given.load, folder):
        recorded = run(folder, "A", constrained)
        again = run(folder, "again", constrained)
    kinds = {"plain": (), "like": ("--twin-like=A", f"--twin-like-scale={given.scale}")}
    found: dict[str, list[Result]] = {name: [] for name in kinds}
    for _ in range(given.rounds):
        for name, flags in kinds.items():
            found[name].append(run(folder, name, *flags))
    print(f"{'test':32}{'run A':>9}{'again':>9}{'plain':>9}{'like':>9}  range of like", flush=True)
    errors: dict[str, list[float]] = {"again": [], **{name: [] for name in kinds}}
    for test, seconds in recorded.durations.items():
        ratios = {name: [each.durations[test] / seconds for each in results] for name, results in found.items()}
        ratios["again"] = [again.durations[test] / seconds]
        medians = {name: statistics.median(values) for name, values in ratios.items()}
        cells = "".join(f"{medians[name]:9.2f}" for name in ("again", "plain", "like"))
        print(f"{test:32}{seconds:7.2f} s{cells}  {min(ratios['like']):.2f} to {max(ratios['like']):.2f}", flush=True)
        for name, median in medians.items():
            errors[name] += [abs(median - 1)] if test.startswith(BOUND) else []
    for name, of in errors.items():
        goal = f"at most {100 * GOAL:g}" if name == "like" else ""
        show_one(f"largest error of a CPU-bound test, {name}", 100 * max(of), "%", goal)
    print(f"failed in run A: {', '.join(sorted(recorded.failed)) or 'none'}; again: {_other(recorded, [again])}")
    for name, results in found.items():
        print(f"failed, {name}: {_other(recorded, results)}")


def _other(recorded: Result, results: list[Result]) -> str:
    """Return whether the same tests failed in each of these runs, or which others."""
    others = [sorted(each.failed ^ recorded.failed) for each in results]
    same = sum(not each for each in others)
    more = f" ({'; '.join(dict.fromkeys(', '.join(each) for each in others if each))})" if same < len(others) else ""
    return f"the same tests in {same} of {len(others)} runs{more and f', otherwise different:{more}'}"


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="number of runs without and with --twin-like")
    parser.add_argument("--constrain", default="cpus=1 mem=2GiB", help="constraint of run A")
    parser.add_argument("--load", default="cpu=60%", help="load of another program beside run A; empty for none")
    parser.add_argument("--scale", default="share", help="scale of --twin-like")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        compare(given, Path(folder))


if __name__ == "__main__":
    main()
