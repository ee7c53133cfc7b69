"""Measure the wall time of 1,000 trivial tests: recorded by pytest-twin, by its peers, and not recorded.

    python benchmarks/trivial_tests.py --rounds 10

Only the measured plugin is loaded. The peers may be in an environment of their own. The minimal cost of such accounting
is measured too: its system calls, and constant lines.
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
from pathlib import Path
from typing import NamedTuple

from _shared import interleaved, ratios, show

COUNT = 1000
# keep byte code as for installed packages: otherwise an editable package is compiled in every run
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
ENVIRONMENT["PYTHONPATH"] = str(Path(__file__).resolve().parent)
TESTS = "import pytest\n\n@pytest.mark.parametrize('number', range({}))\ndef test_trivial(number): pass\n"


class Run(NamedTuple):
    """A configuration to run the tests."""

    name: str
    plugin: str = ""
    flags: tuple[str, ...] = ()
    python: str = sys.executable

    def seconds(self, folder: Path, count: int = COUNT) -> float:
        """Run the tests in this folder, of which there are so many, and return the wall time."""
        plugin = ["-p", self.plugin] if self.plugin else []
        options = ["-q", "-p", "no:cacheprovider", "--disable-plugin-autoload", *plugin, *self.flags]
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
TWIN = Run("pytest --twin", "pytest_twin.plugin", ("--twin",))
PERFGUARD = Run("pytest-perfguard", "pytest_perfguard.plugin", ("--perfguard",))
LEAST = Run("system calls only", "_least_accounting")
MONITOR = Run("pytest-monitor", "pytest_monitor.pytest_monitor")  # takes about a minute


def compare(runs: Sequence[Run], rounds: int, goals: Mapping[str, str] | None = None, *, warm: bool = True) -> None:
    """Print the seconds of each, and the ratio to the first."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "test_trivial.py").write_text(TESTS.format(COUNT))

        def of(run: Run) -> Callable[[], float]:
            return lambda: run.seconds(Path(folder))

        times = interleaved({run.name: of(run) for run in runs}, rounds, warm=warm)
    base = runs[0].name
    show(base, times[base], "s")
    for run in runs[1:]:
        show(run.name, times[run.name], "s")
        show(f"  / {base}", ratios(times[run.name], times[base]), goal=(goals or {}).get(run.name, ""))


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
    parser.add_argument("--slow-rounds", type=int, default=1, help="number of rounds with pytest-monitor; 0 skips it")
    parser.add_argument(
        "--peers-python", type=interpreter, default=sys.executable, help="Python of the environment with the peers"
    )
    given = parser.parse_args()
    perfguard, monitor = (each._replace(python=given.peers_python) for each in (PERFGUARD, MONITOR))
    quick = [PLAIN, TWIN, LEAST, *([perfguard] if perfguard.is_there() else [])]
    compare(quick, given.rounds, {TWIN.name: "at most 1.15"})
    if given.slow_rounds and monitor.is_there():
        compare([PLAIN, TWIN, monitor], given.slow_rounds, warm=False)


if __name__ == "__main__":
    main()
