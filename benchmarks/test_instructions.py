"""Count the instructions that a trivial test takes, and those that recording adds: time is noisy, instructions are not.

    python benchmarks/test_instructions.py

valgrind counts those of user mode in the process of the tests, of two runs with different numbers of tests. Beside
pytest-twin it counts the hooks alone, and the least Python that fills the same rows: the floor for a plugin in Python.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import trivial_tests
from _shared import Figure, show

FEW, MANY = 300, 600
HOOKS = trivial_tests.Run("hooks only", "_empty_hooks")
STRAIGHT = trivial_tests.Run("least Python for the same rows", "_straight_accounting")


def instructions(run: trivial_tests.Run, folder: Path, count: int) -> int:
    """Return the instructions of a run with a number of tests."""
    (folder / "test_trivial.py").write_text(trivial_tests.TESTS.format(count))
    options = ["-q", "-p", "no:cacheprovider", "--disable-plugin-autoload", "-p", run.plugin, *run.flags]
    tool = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    command = [*tool, run.python, "-m", "pytest", *options, "test_trivial.py"]
    environment = {**trivial_tests.ENVIRONMENT, "PYTHONHASHSEED": "0"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if f"{count} passed" not in done.stdout or found is None:
        raise SystemExit(f"{run.name}: the tests did not run\n{done.stdout[-500:]}{done.stderr[-500:]}")
    return int(found[1])


def measure() -> list[Figure]:
    """Return the thousand instructions of a test more, and the ratio to plain pytest."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        plain = 0.0
        for run in (trivial_tests.PLAIN, HOOKS, STRAIGHT, trivial_tests.TWIN):
            instructions(run, Path(folder), 1)  # writes the byte code
            few, many = (instructions(run, Path(folder), count) for count in (FEW, MANY))
            each = (many - few) / (MANY - FEW) / 1000
            plain = plain or each
            figures.append(Figure(f"{run.name}, a test more", [each], "thousand instructions"))
            figures.append(Figure("  / plain pytest", [each / plain]))
    return figures


def main() -> None:
    """Count and print."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    if shutil.which("valgrind") is None:
        raise SystemExit("valgrind is not installed; apt-get install valgrind")
    for figure in measure():
        show(*figure)


if __name__ == "__main__":
    main()
