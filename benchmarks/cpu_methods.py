"""Count the work of the methods of a CPU load with valgrind: mispredicted branches, cache misses.

    python benchmarks/cpu_methods.py --calls 100

Virtual machines rarely provide hardware counters for `perf stat`, and the model of valgrind has no noise. The work of a
call is the difference between runs with many and with few calls, which excludes the start of Python. The last-level
cache of the model has the size of the one of this machine, or the largest size that valgrind supports.
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
    """Return the counts of a whole run."""
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
    parser.add_argument("--calls", type=int, default=100, help="number of calls to count")
    given = parser.parse_args()
    valgrind = program("valgrind", "apt-get install valgrind")
    if valgrind is None:
        return
    names = ["branches", "mispredicted", "data", "cache misses"]
    print(f"{'per 1,000 instructions':24}" + "".join(f"{name:>18}" for name in names))
    for method in METHODS:
        few, many = counted(valgrind, method, 10), counted(valgrind, method, 10 + given.calls)
        instructions, data, missed, branches, wrong = (late - early for early, late in zip(few, many, strict=True))
        cells = [1000 * count / instructions for count in (branches, wrong, data, missed)]
        print(f"{method:24}" + "".join(f"{cell:18.3f}" for cell in cells))


if __name__ == "__main__":
    main()
