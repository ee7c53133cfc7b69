"""What the methods of a CPU load do, counted by valgrind's model of a processor: branches, misses, data from memory.

    python benchmarks/cpu_methods.py --calls 100

A virtual machine rarely lets `perf stat` at the counters of its processor, and a model has no noise. What a call does
is the difference between a run of many calls and one of a few, so that the start of Python is not in it. The model's
last-level cache is as large as this machine's, or as the largest that valgrind has.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

from _shared import program

from pytest_twin.stressors.kinds._cpu_methods import METHODS

ROOT = Path(__file__).resolve().parent.parent
COUNTS = ("I +refs", "D +refs", "LLd misses", "Branches", "Mispredicts")
CALLS = """import sys
sys.path.insert(0, sys.argv[1])
from pytest_twin.stressors.kinds._cpu_methods import METHODS
from pytest_twin.stressors.spec.request import LoadRequest
from pytest_twin.stressors.worker.job import Job
job = Job(LoadRequest(unit='share', profile=[(0, 1)]))
burn = METHODS[sys.argv[2]](job)
for _ in range(int(sys.argv[3])): burn()
"""


def counted(valgrind: str, method: str, calls: int) -> list[int]:
    """The counts of a whole run."""
    command = [valgrind, "--tool=cachegrind", "--branch-sim=yes", "--cache-sim=yes", "--cachegrind-out-file=/dev/null"]
    command += [sys.executable, "-S", "-c", CALLS, str(ROOT), method, str(calls)]
    told = subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "0"}).stderr
    found = [re.search(rf"== {name}: +([\d,]+)", told) for name in COUNTS]
    if not all(found):
        raise SystemExit(told)
    return [int(match[1].replace(",", "")) for match in found if match]


def main() -> None:
    """Count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=100, help="how many calls are counted")
    given = parser.parse_args()
    valgrind = program("valgrind", "apt-get install valgrind")
    if valgrind is None:
        return
    names = ["branches", "branches wrong", "data", "data from memory"]
    print(f"{'per 1,000 instructions':24}" + "".join(f"{name:>18}" for name in names))
    for method in METHODS:
        few, many = counted(valgrind, method, 10), counted(valgrind, method, 10 + given.calls)
        instructions, data, missed, branches, wrong = (late - early for early, late in zip(few, many, strict=True))
        cells = [1000 * count / instructions for count in (branches, wrong, data, missed)]
        print(f"{method:24}" + "".join(f"{cell:18.3f}" for cell in cells))


if __name__ == "__main__":
    main()
