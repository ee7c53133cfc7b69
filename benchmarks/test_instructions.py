"""Count the instructions that a trivial test takes, and those that recording adds: time is noisy, instructions are not.

    python benchmarks/test_instructions.py

valgrind counts those of user mode in the process of the tests, of two runs with different numbers of tests. Beside
pytest-twin it counts the hooks alone, and the least Python that fills the same rows: the floor for a plugin in Python.
With pytest-xdist it counts those of a worker.
"""

from __future__ import annotations

import argparse
import re
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

import trivial_tests
from _shared import Figure, show

FEW, MANY = 300, 600
HOOKS = trivial_tests.Run("hooks only", "_empty_hooks")
STRAIGHT = trivial_tests.Run("least Python for the same rows", "_straight_accounting")


def instructions(run: trivial_tests.Run, folder: Path, count: int, *, in_worker: bool = False) -> int:
    """Return the instructions of a run with a number of tests.

    Args:
        run: The run.
        folder: The folder of the tests.
        count: The number of tests.
        in_worker: Whether the tests run in a worker of pytest-xdist; those of its process are counted then.
    """
    (folder / "test_trivial.py").write_text(trivial_tests.TESTS.format(count))
    log, slow = folder / "valgrind.log", folder / "python-in-valgrind"
    tool = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", f"--log-file={log}", run.python]
    slow.write_text(f'#!/bin/sh\nexec {shlex.join(tool)} "$@"\n')
    slow.chmod(0o700)
    worker = ["-p", "xdist.plugin", "-d", "--tx", f"popen//python={slow}"] if in_worker else []
    options = ["-q", "-p", "no:cacheprovider", "--disable-plugin-autoload", "-p", run.plugin, *run.flags, *worker]
    command = [run.python if in_worker else slow, "-m", "pytest", *options, "test_trivial.py"]
    environment = {**trivial_tests.ENVIRONMENT, "PYTHONHASHSEED": "0"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    found = re.search(r"Collected : (\d+)", log.read_text()) if log.exists() else None
    if f"{count} passed" not in done.stdout or found is None:
        raise SystemExit(f"{run.name}: the tests did not run\n{done.stdout[-500:]}{done.stderr[-500:]}")
    return int(found[1])


def _a_test_more(run: trivial_tests.Run, folder: Path, *, in_worker: bool = False) -> float:
    """Return the thousand instructions that a test more takes."""
    instructions(run, folder, 1, in_worker=in_worker)  # writes the byte code
    few, many = (instructions(run, folder, count, in_worker=in_worker) for count in (FEW, MANY))
    return (many - few) / (MANY - FEW) / 1000


def measure() -> list[Figure]:
    """Return the thousand instructions of a test more, and the ratio to plain pytest."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        plain = 0.0
        for run in (trivial_tests.PLAIN, HOOKS, STRAIGHT, trivial_tests.TWIN):
            each = _a_test_more(run, Path(folder))
            plain = plain or each
            figures.append(Figure(f"{run.name}, a test more", [each], "thousand instructions"))
            figures.append(Figure("  / plain pytest", [each / plain]))
    return figures


def measure_worker() -> list[Figure]:
    """Return the thousand instructions of a test more in a worker of pytest-xdist, and what recording adds."""
    with tempfile.TemporaryDirectory() as folder:
        runs = (trivial_tests.PLAIN, trivial_tests.TWIN)
        plain, twin = (_a_test_more(run, Path(folder), in_worker=True) for run in runs)
    return [
        Figure("plain pytest in a worker, a test more", [plain], "thousand instructions"),
        Figure("pytest --twin in a worker, a test more", [twin], "thousand instructions"),
        Figure("  / plain pytest in a worker", [twin / plain]),
    ]


def main() -> None:
    """Count and print."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    if shutil.which("valgrind") is None:
        raise SystemExit("valgrind is not installed; apt-get install valgrind")
    for figure in (*measure(), *measure_worker()):
        show(*figure)


if __name__ == "__main__":
    main()
