"""Compare every figure of tests.csv, of the dataset and of the loads with another counter of the kernel.

    python benchmarks/truth.py --seconds 3

Tests of known cost run once with ``--twin`` in a process of their own. Each reads counters before and after its work
that pytest-twin does not read, or reads in another way: wait4(2), schedstat, /proc/PID/io, statm, smaps, diskstats. Our
figure, the true value and the error are printed. The true value is taken within the test, so the work of pytest between
two readings is in our figure only: about 0.3 ms and some KiB.

Memory bandwidth (`membw`) is not covered: only hardware counters show it, and virtual machines rarely have them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

import pytest_twin
from pytest_twin.model.run import Run

FOLDER = Path(__file__).parent
Figures = Mapping[str, Callable[[pd.Series], float]]

ROWS: Figures = {"cpu_s": lambda row: row["cpu_user_s"] + row["cpu_system_s"]}  # further columns by their names
LOADS: Figures = {
    "cpu_s a second": lambda said: said["cpu_s"] / said["held_s"],
    "MiB": lambda said: said["resident_bytes"] / (1 << 20),
    "MB a second": lambda said: next(
        said[name] for name in ("written_bytes", "read_bytes", "sent_bytes") if name in said
    ) / 1e6 / said["held_s"],
    "operations a second": lambda said: said["operations"] / said["held_s"],
    "open files": lambda said: said["open_files"],
    "threads": lambda said: said["threads"],
}  # fmt: skip


def run_suite(folder: Path, seconds: float) -> Path:
    """Run the tests; return the file with their true values."""
    truth = folder / "truth.jsonl"
    suite = folder / "test_truth.py"
    suite.write_text((FOLDER / "_truth_suite.py").read_text())
    environment = {
        **os.environ, "PYTEST_ADDOPTS": "", "TRUTH_FILE": str(truth), "TRUTH_SECONDS": repr(seconds),
        "PYTHONPATH": str(FOLDER),
    }  # fmt: skip
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--twin", "--basetemp", folder / "tmp"]
    done = subprocess.run(
        [*command, "-c", os.devnull, "--rootdir", folder, suite],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0 or "warning" in done.stdout:
        print(done.stdout)
    return truth


def sampled(run: Run, row: pd.Series, how: str, column: str) -> float:
    """Return the value of a column over the samples of a test."""
    ends = run.samples["elapsed_s"]
    of_test = run.samples[(ends > row["elapsed_s"]) & (ends <= row["elapsed_s"] + row["duration_s"])]
    seconds = ends.diff().loc[of_test.index]
    cpus = of_test["cpu_count_logical"].iloc[0]
    return {
        "sum": of_test[column].sum,
        "share": lambda: (of_test[column] * seconds).sum() / 100 * cpus,  # of all CPUs together
        "seconds": lambda: (of_test[column] * seconds).sum() / 100,
        "highest": of_test[column].max,
        "last": lambda: of_test[column].iloc[-1],
    }[how]()


def of_loads(run: Run, nodeid: str) -> Mapping[str, float]:
    """Return the figures of the load around a test, from annotations.csv."""
    events = run.events
    ended = events[(events["test"] == nodeid) & events["event"].isin(["end", "abort"]) & events["achieved"].notna()]
    return json.loads(ended["detail"].iloc[-1]) if len(ended) else {}


def ours(run: Run, row: pd.Series, figure: str) -> float | None:
    """Return our figure; None if it is missing."""
    how, _, name = figure.rpartition(": ")
    try:
        if how == "load":
            return LOADS[name](of_loads(run, row["nodeid"]))  # type: ignore[arg-type]
        if how:
            return float(sampled(run, row, how, name))
        return float(ROWS[figure](row) if figure in ROWS else row[figure])
    except (KeyError, IndexError):  # a test without a sample
        return None


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3, help="duration of each load (default: %(default)s)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        truth = run_suite(Path(name), given.seconds)
        run = pytest_twin.load(Path(name) / "twin-report")
        print(f"{'test':42} {'figure':34} {'ours':>10} {'truth':>10} {'error':>9}")
        rows = {row["nodeid"].rpartition("::")[2]: row for _, row in run.tests.iterrows()}
        for line in truth.read_text().splitlines():
            told = json.loads(line)
            figure, true = told["figure"], told["truth"]
            found = ours(run, rows[told["test"]], figure)
            said = "none" if found is None else f"{found:.4g}"
            error = "" if found is None else f"{found - true:+.3g}" if not true else f"{found / true - 1:+.2%}"
            print(f"{told['test']:42} {figure:34} {said:>10} {true:>10.4g} {error:>9}", flush=True)


if __name__ == "__main__":
    main()
