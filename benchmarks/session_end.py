"""Measure the end of a session: the time after its last test, and the memory that it takes more than plain pytest.

    python benchmarks/session_end.py --rounds 5

One test is run, and before the session ends the tables get the rows of a generated run, an hour at 10 Hz by default.
The time is that from the start of `pytest_sessionfinish` to `pytest_unconfigure`, which includes the end of the sampler
and the terminal summary. The memory is the peak of the process of pytest after many trivial tests.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from _generated_run import write_run
from _shared import differences, interleaved, show
from trivial_tests import ENVIRONMENT, TESTS

PLUGIN = """
import time
from pathlib import Path
import pytest

BEGAN = []

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session):
    for path in Path("generated").glob("*.csv"):
        written = Path("twin-report", path.name)
        if written.exists():
            heading, _, rows = path.read_text().partition("\\n")
            assert written.read_text().startswith(heading + "\\n"), "the columns of this machine are others"
            with written.open("a") as file:
                file.write(rows)
    BEGAN.append(time.perf_counter())
    return (yield)

@pytest.hookimpl(trylast=True)
def pytest_unconfigure():
    took = time.perf_counter() - BEGAN[0]
    peak = Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]
    Path("figures").write_text(f"{took} {int(peak) / 1024}")
"""
PLAIN: tuple[str, ...] = ()
TWIN = ("-p", "pytest_twin.plugin", "--twin")
HTML = (*TWIN, "--twin-report=html")
MOST_S, MOST_HTML_S, MOST_MIB = 0.3, 2.5, 15


def run(folder: Path, flags: Sequence[str]) -> tuple[float, float]:
    """Run the tests of a folder; return the seconds of the end of the session, and the peak memory in MiB."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--disable-plugin-autoload", *flags]
    subprocess.run(command, cwd=folder, env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL)
    took, peak = (folder / "figures").read_text().split()
    return float(took), float(peak)


def end_figures(rows: int, tests: int, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each round to end a session: of plain pytest, recorded, and with a report."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "test_trivial.py").write_text(TESTS.format(1))
        (folder / "conftest.py").write_text(PLUGIN)
        (folder / "generated").mkdir()
        write_run(folder / "generated", rows, tests, time.time())

        kinds = {"plain": PLAIN, "twin": TWIN, "html": HTML}
        return interleaved({name: partial(_seconds, folder, flags) for name, flags in kinds.items()}, rounds)


def memory_figures(tests: int, rounds: int) -> dict[str, list[float]]:
    """Return the peak memory of each round in MiB: of plain pytest, and of a recorded session."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "test_trivial.py").write_text(TESTS.format(tests))
        (folder / "conftest.py").write_text(PLUGIN)
        kinds = {"plain": PLAIN, "twin": TWIN}
        return interleaved({name: partial(_peak, folder, flags) for name, flags in kinds.items()}, rounds, warm=False)


def _seconds(folder: Path, flags: Sequence[str]) -> float:
    return run(folder, flags)[0]


def _peak(folder: Path, flags: Sequence[str]) -> float:
    return run(folder, flags)[1]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=36_000, help="number of samples, ten a second")
    parser.add_argument("--tests", type=int, default=10_000, help="number of tests whose rows are read at the end")
    parser.add_argument("--run-tests", type=int, default=20_000, help="number of tests run for the memory; 0 skips it")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory-rounds", type=int, default=1)
    given = parser.parse_args()
    ends = end_figures(given.rows, given.tests, given.rounds)
    print(f"end of a session of {given.tests:,} tests with {given.rows:,} samples")
    show("plain pytest", ends["plain"], "s")
    show("pytest --twin", ends["twin"], "s", f"at most {MOST_S}")
    show("pytest --twin --twin-report=html", ends["html"], "s", f"at most {MOST_HTML_S}")
    if given.run_tests:
        memory = memory_figures(given.run_tests, given.memory_rounds)
        print(f"peak memory of {given.run_tests:,} tests")
        show("plain pytest", memory["plain"], "MiB")
        show("pytest --twin", memory["twin"], "MiB")
        show("  more than plain pytest", differences(memory["twin"], memory["plain"]), "MiB", f"at most {MOST_MIB}")


if __name__ == "__main__":
    main()
