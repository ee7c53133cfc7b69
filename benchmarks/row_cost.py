"""Measure the CPU time of a row, compared with calls of psutil for the same columns.

    python benchmarks/row_cost.py --rounds 200

It is measured on the machine as it is, and with many idle processes. Both contenders read values; the last figure is
our complete row of all columns, including its text.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

import psutil
from _shared import READ_FOREVER, Figure, helper, interleaved, line_of, ratios, show

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
    """Start this number of idle processes; yield their parent."""
    with helper(IDLE, number) as process:
        line_of(process)
        yield process.pid


def of_psutil() -> None:
    """Read the legacy columns with psutil, without the numbers of CPUs, which do not change."""
    psutil.cpu_percent()
    psutil.virtual_memory()
    psutil.swap_memory()
    psutil.disk_usage("/")
    psutil.disk_io_counters()
    psutil.net_io_counters()
    psutil.sensors_battery()
    len(psutil.pids())


def legacy_of_ours(root: int) -> Callable[[], None]:
    """Return the probes that have the legacy columns; they read further columns too."""
    having = [module for module in probes.find_modules() if any(column.legacy for column in module.COLUMNS)]
    values, times = ProbeRunner(having, probes.ProbeContext(root)), ten_hertz()
    return lambda: values.read(next(times))


def all_of_ours(root: int) -> Callable[[], object]:
    """Return a function that makes a complete row, as the sampler writes it."""
    reader, times = RowReader(Clock(0.0, time.time()), probes.ProbeContext(root)), ten_hertz()
    return lambda: reader.row(next(times))


def ten_hertz() -> Iterator[float]:
    """Yield simulated times of rows; metrics that are read twice a second are read for every fifth row."""
    return map((0.1).__mul__, count())


def timed(row: Callable[[], object], repeat: int) -> Callable[[], float]:
    """Return the microseconds of CPU time per row."""

    def run() -> float:
        began = time.process_time_ns()
        for _ in range(repeat):
            row()
        return (time.process_time_ns() - began) / repeat / 1e3

    return run


def compare(title: str, root: int, rounds: int, repeat: int, goal: str) -> None:
    """Print the CPU time of each, and the ratios."""
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


def measure(rounds: int, repeat: int, processes: int) -> list[Figure]:
    """Return the CPU time of a row with this number of idle processes in the process tree of the tests, and without."""
    with idle_processes(0) as root, idle_processes(processes) as crowd:
        times = interleaved(
            {"many": timed(all_of_ours(crowd), repeat), "one": timed(all_of_ours(root), repeat)}, rounds
        )
    return [
        Figure(f"a row with {processes} processes of the tests", times["many"], "µs", "at most 500"),
        Figure("  without them", times["one"], "µs"),
    ]


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200, help="number of rounds")
    parser.add_argument("--repeat", type=int, default=20, help="rows per round")
    parser.add_argument("--processes", type=int, default=1000, help="number of idle processes")
    given = parser.parse_args()
    with idle_processes(0) as root:
        compare("the machine as it is", root, given.rounds, given.repeat, "at least 10")
        with idle_processes(given.processes):
            rounds = max(1, given.rounds // 4)
            compare(f"with {given.processes} idle processes", root, rounds, given.repeat, "at least 20")
        for figure in measure(rounds, 5 * given.repeat, given.processes):
            show(*figure)
    print(f"{os.cpu_count()} CPUs, {len(psutil.pids())} processes")


if __name__ == "__main__":
    main()
