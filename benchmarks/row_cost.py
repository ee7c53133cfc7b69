"""CPU time of one row, against psutil's calls for the same columns, in turn.

    python benchmarks/row_cost.py --rounds 200

First as the machine is, then with many idle processes besides. Both read into values; the last line is a whole row of
ours, all columns and their text.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

import psutil
from _shared import READ_FOREVER, helper, interleaved, line_of, ratios, show

from pytest_twin.model.clock import Clock
from pytest_twin.telemetry import probes
from pytest_twin.telemetry.probe_runner import ProbeRunner
from pytest_twin.telemetry.sampler_process import RowReader

IDLE = f"""import os, sys
for number in range(int(sys.argv[1])):
    if not os.fork(): break
else: print('there', flush=True)
{READ_FOREVER}"""


@contextmanager
def idle_processes(number: int) -> Iterator[int]:
    """So many processes that do nothing, and the process above them."""
    with helper(IDLE, number) as process:
        line_of(process)
        yield process.pid


def of_psutil() -> None:
    """The legacy columns; the numbers of CPUs do not change, and are left out."""
    psutil.cpu_percent()
    psutil.virtual_memory()
    psutil.swap_memory()
    psutil.disk_usage("/")
    psutil.disk_io_counters()
    psutil.net_io_counters()
    psutil.sensors_battery()
    len(psutil.pids())


def legacy_of_ours(root: int) -> Callable[[], None]:
    """The probes that have the legacy columns; what else they read is read with them."""
    having = [module for module in probes.find_modules() if any(column.legacy for column in module.COLUMNS)]
    values, times = ProbeRunner(having, probes.ProbeContext(root)), ten_hertz()
    return lambda: values.read(next(times))


def all_of_ours(root: int) -> Callable[[], object]:
    """A whole row, as the sampler writes it."""
    reader, times = RowReader(Clock(0.0, time.time()), probes.ProbeContext(root)), ten_hertz()
    return lambda: reader.row(next(times))


def ten_hertz() -> Iterator[float]:
    """The times that rows pretend to be taken at: what is read twice a second is read for every fifth of them."""
    return map((0.1).__mul__, count())


def timed(row: Callable[[], object], repeat: int) -> Callable[[], float]:
    """Microseconds of CPU time a row."""

    def run() -> float:
        began = time.process_time_ns()
        for _ in range(repeat):
            row()
        return (time.process_time_ns() - began) / repeat / 1e3

    return run


def compare(title: str, root: int, rounds: int, repeat: int, goal: str) -> None:
    """Print what each needs, and how many times cheaper ours is."""
    rows = {
        "psutil": of_psutil,
        "the 17 legacy columns": legacy_of_ours(root),
        "a row of all columns": all_of_ours(root),
    }
    times = interleaved({name: timed(row, repeat) for name, row in rows.items()}, rounds)
    print(title)
    for name, values in times.items():
        show(f"  {name}", values, "µs")
    theirs, legacy, whole = times.values()
    show("  psutil / the 17 legacy columns", ratios(theirs, legacy), goal=goal)
    show("  psutil / a row of all columns", ratios(theirs, whole))


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200, help="turns of each")
    parser.add_argument("--repeat", type=int, default=20, help="rows a turn")
    parser.add_argument("--processes", type=int, default=1000, help="idle processes besides")
    given = parser.parse_args()
    with idle_processes(0) as root:
        compare("the machine as it is", root, given.rounds, given.repeat, "at least 10")
        with idle_processes(given.processes) as crowd:
            rounds = max(1, given.rounds // 4)
            compare(f"{given.processes} idle processes besides", root, rounds, given.repeat, "at least 20")
            times = interleaved({"row": timed(all_of_ours(crowd), 1)}, rounds)
            print(f"{given.processes} idle processes in the tests' own tree")
            show("  a row of all columns", times["row"], "µs")
    print(f"{os.cpu_count()} CPUs, {len(psutil.pids())} processes")


if __name__ == "__main__":
    main()
