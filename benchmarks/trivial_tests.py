"""Measure the wall time of 1,000 trivial tests: recorded by pytest-twin, by its peers, and not recorded.

    python benchmarks/trivial_tests.py --rounds 10

Only the measured plugin is loaded; plain pytest loads an empty one, because pytest searches all installed packages for
a plugin that `-p` names. The peers may be in an environment of their own. The minimal cost of such accounting is
measured too: its system calls, and constant lines.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from _shared import Figure, differences, interleaved, ratios, show

COUNT = 1000
# keep byte code as for installed packages: otherwise an editable package is compiled in every run
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
ENVIRONMENT["PYTHONPATH"] = str(Path(__file__).resolve().parent)
TESTS = "import pytest\n\n@pytest.mark.parametrize('number', range({}))\ndef test_trivial(number): pass\n"


class Run(NamedTuple):
    """A configuration to run the tests."""

    name: str
    plugin: str = "_no_plugin"
    flags: tuple[str, ...] = ()
    python: str = sys.executable

    def seconds(self, folder: Path, count: int = COUNT) -> float:
        """Run the tests in this folder, of which there are so many, and return the wall time."""
        options = ["-q", "-p", "no:cacheprovider", "--disable-plugin-autoload", "-p", self.plugin, *self.flags]
        began = time.perf_counter()
        command = [self.python, "-m", "pytest", *options, "test_trivial.py"]
        done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)
        took = time.perf_counter() - began
        if f"{count} passed" not in done.stdout:  # a peer may exit with an error of its own
            raise SystemExit(f"{self.name}: the tests did not run\n{done.stdout[-500:]}{done.stderr[-500:]}")
        return took

    def is_there(self) -> bool:
        """Whether its plugin can be imported; if not, print how to install it."""
        done = subprocess.run([self.python, "-c", f"import {self.plugin}"], capture_output=True, check=False)
        if done.returncode:
            print(f"{self.name}: skipped, because it is not installed; pip install {self.name}")
        return not done.returncode


PLAIN = Run("plain pytest")
ONE, MANY = 1, 10_000  # tests whose times tell the fixed cost, and that of a test more
BUDGET = '[[tool.pytest-twin.budgets]]\nduration = "10s"\n'
TWIN = Run("pytest --twin", "pytest_twin.plugin", ("--twin",))
PERFGUARD = Run("pytest-perfguard", "pytest_perfguard.plugin", ("--perfguard",))
LEAST = Run("system calls only", "_least_accounting")
MONITOR = Run("pytest-monitor", "pytest_monitor.pytest_monitor")  # takes about a minute
GOALS = {TWIN.name: "at most 1.12"}


def measure(
    runs: Sequence[Run], rounds: int, goals: Mapping[str, str] | None = None, *, warm: bool = True
) -> list[Figure]:
    """Return the seconds of each, and the ratio to the first."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "test_trivial.py").write_text(TESTS.format(COUNT))

        def of(run: Run) -> Callable[[], float]:
            return lambda: run.seconds(Path(folder))

        times = interleaved({run.name: of(run) for run in runs}, rounds, warm=warm)
    base = runs[0].name
    figures = [Figure(base, times[base], "s")]
    for run in runs[1:]:
        figures.append(Figure(run.name, times[run.name], "s"))
        figures.append(Figure(f"  / {base}", ratios(times[run.name], times[base]), "", (goals or {}).get(run.name, "")))
    return figures


def measure_slope(rounds: int, many: int = MANY) -> list[Figure]:
    """Return what recording adds to one test, to each test more, and what a budget for all tests adds to that."""
    with tempfile.TemporaryDirectory() as folder:
        runs: dict[str, Callable[[], float]] = {}
        for count in (ONE, many):
            for name, run, budget in (("plain", PLAIN, ""), ("twin", TWIN, ""), ("budget", TWIN, BUDGET)):
                place = Path(folder) / f"{name}-{count}"
                place.mkdir()
                (place / "test_trivial.py").write_text(TESTS.format(count))
                (place / "pyproject.toml").write_text(f"[tool.pytest.ini_options]\n{budget}")
                runs[place.name] = partial(run.seconds, place, count)
        times = interleaved(runs, rounds)

    def a_test_more(name: str) -> list[float]:
        first, late = times[f"{name}-{ONE}"], times[f"{name}-{many}"]
        return [1e3 * each / (many - ONE) for each in differences(late, first)]

    plain, twin, budget = (a_test_more(name) for name in ("plain", "twin", "budget"))
    fixed = [1e3 * each for each in differences(times[f"twin-{ONE}"], times[f"plain-{ONE}"])]
    return [
        Figure("the first recorded test", fixed, "ms", "at most 25"),
        Figure("a recorded test more", differences(twin, plain), "ms", "at most 0.045"),
        Figure("  of plain pytest", plain, "ms"),
        Figure("  with a budget of duration", differences(budget, twin), "ms", "at most 0.05"),
    ]


def compare(runs: Sequence[Run], rounds: int, goals: Mapping[str, str] | None = None, *, warm: bool = True) -> None:
    """Print the seconds of each, and the ratio to the first."""
    for figure in measure(runs, rounds, goals, warm=warm):
        show(*figure)


def peers(python: str) -> list[Run]:
    """Return the peers that are installed in the environment of this Python, the slow one last."""
    return [run for each in (PERFGUARD, MONITOR) if (run := each._replace(python=python)).is_there()]


def interpreter(text: str) -> str:
    """Return the absolute path of a Python."""
    found = shutil.which(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text} does not exist; give the path of a Python")
    return os.path.abspath(found)  # the link in a virtual environment must not be resolved


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10, help="number of rounds")
    parser.add_argument("--slope-rounds", type=int, default=0, help="number of rounds with 10,000 tests; 0 skips them")
    parser.add_argument("--slow-rounds", type=int, default=1, help="number of rounds with pytest-monitor; 0 skips it")
    parser.add_argument(
        "--peers-python", type=interpreter, default=sys.executable, help="Python of the environment with the peers"
    )
    given = parser.parse_args()
    there = peers(given.peers_python)
    quick = [each for each in there if each.name != MONITOR.name]
    figures = measure([PLAIN, TWIN, LEAST, *quick], given.rounds, GOALS)
    if given.slope_rounds:
        figures += measure_slope(given.slope_rounds)
    if given.slow_rounds and len(there) > len(quick):
        figures += measure([PLAIN, TWIN, there[-1]], given.slow_rounds, warm=False)
    for figure in figures:
        show(*figure)


if __name__ == "__main__":
    main()
