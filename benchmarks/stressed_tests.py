"""Measure the cost of a load around each test: 200 tests with ``stress(cpu=1)``, compared with recording only.

    python benchmarks/stressed_tests.py --rounds 3
    python benchmarks/stressed_tests.py --workers 2

Each test sleeps for some milliseconds, so it does not compete with its load for the CPU. With ``--workers`` the tests
run under pytest-xdist, half of them stressed: alone, which is the default, and with ``shared=True``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from _shared import interleaved, ratios, show

COUNT, SLEEP_S = 200, 0.02
TESTS = """import pytest, time

@pytest.mark.parametrize("number", range({count}))
{mark}def test_it(number): time.sleep({sleep})
{plain}
"""
PLAIN = """
@pytest.mark.parametrize("number", range({count}))
def test_plain(number): time.sleep({sleep})
"""


def seconds(folder: Path, mark: str, workers: int) -> float:
    """Return the wall time of a run."""
    count = COUNT // 2 if workers else COUNT
    plain = PLAIN.format(count=count, sleep=SLEEP_S) if workers else ""
    (folder / "test_it.py").write_text(TESTS.format(count=count, sleep=SLEEP_S, mark=mark, plain=plain))
    flags = ["-q", "-p", "no:cacheprovider", "--twin", *(["-n", str(workers)] if workers else [])]
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *flags, "test_it.py"], cwd=folder, capture_output=True, text=True, check=False
    )
    took = time.perf_counter() - began
    if f"{COUNT} passed" not in done.stdout:
        raise SystemExit(done.stdout[-1000:] + done.stderr[-1000:])
    return took


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="number of rounds")
    parser.add_argument("--workers", type=int, default=0, help="number of pytest-xdist workers")
    given = parser.parse_args()
    marks = {"recorded": "", "stress(cpu=1)": "@pytest.mark.stress(cpu=1)\n"}
    if given.workers:
        marks["stress(cpu=1, shared=True)"] = "@pytest.mark.stress(cpu=1, shared=True)\n"
    with tempfile.TemporaryDirectory() as folder:

        def of(mark: str) -> Callable[[], float]:
            return lambda: seconds(Path(folder), mark, given.workers)

        times = interleaved({name: of(mark) for name, mark in marks.items()}, given.rounds)
    stressed = COUNT // 2 if given.workers else COUNT
    for name, values in times.items():
        show(name, values, "s")
    for name in list(marks)[1:]:
        show(f"  {name} / recorded", ratios(times[name], times["recorded"]))
        added = [1e3 * (one - other) / stressed for one, other in zip(times[name], times["recorded"], strict=True)]
        show(f"  {name}, added per test", added, "ms", "" if given.workers else "at most 10")


if __name__ == "__main__":
    main()
