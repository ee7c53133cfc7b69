"""Measure the error of the CPU share of a load in step with the timer tick, by our sampler and by psutil.

    python benchmarks/periodic_load.py --windows 4

The kernel accounts a tick to the process that runs at the tick: a load that sleeps then is missed, and a load that runs
then is charged the whole tick. The load computes for a part of each period, starting at absolute times; its phase
varies over the period, so that it runs before, at and after the tick. All values are read at the same moments, a second
apart, as shares of the whole host. Seconds in which other processes were busy are skipped, because a full CPU hides the
error.

The true value of the load is its CPU clock. That of the host is the CPU time that the scheduler accounted to all
processes, in nanoseconds: cpuacct.usage of the root cgroup (version 1) if it exists, otherwise the sum of the CPU
clocks of all processes, which misses those that start or end in between. The steal time is added, because both meters
count it as not idle.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil
from _shared import cpu_s, helper, line_of, show, show_one

from pytest_twin.model.clock import Clock
from pytest_twin.telemetry.probes import ProbeContext
from pytest_twin.telemetry.sampler_process import RowReader

PERIODS_MS = (4, 7)
ALL = Path("/sys/fs/cgroup/cpuacct/cpuacct.usage")
LOAD = """import sys, time
period, duty, phase = map(float, sys.argv[1:])
number = int(time.monotonic() / period) + 1
print('there', flush=True)
while True:
    start = number * period + phase
    time.sleep(max(0.0, start - time.monotonic()))
    while time.monotonic() < start + duty * period: pass
    number = max(number + 1, int((time.monotonic() - phase) / period))
"""


class Reading(NamedTuple):
    """Shares of the host in one window, in per cent."""

    ours: float
    psutil: float
    host: float
    our_tree: float
    load: float


def busy_s() -> float:
    """Return the CPU seconds of all processes, including steal time."""
    total: float = getattr(psutil.cpu_times(), "steal", 0.0)
    if ALL.exists():
        return total + int(ALL.read_text()) / 1e9
    for pid in psutil.pids():
        try:
            total += cpu_s(pid)
        except OSError:  # it has just ended
            continue
    return total


class Meters:
    """The compared counters, read at one moment."""

    def __init__(self, load: int) -> None:
        self._load = load
        self._reader = RowReader(Clock(time.monotonic(), time.time()), ProbeContext(load))
        self._before = self._read()

    def _read(self) -> tuple[float, float, float, str, float]:
        at = time.monotonic()
        return at, busy_s(), cpu_s(self._load), self._reader.row(at), psutil.cpu_percent()

    def window(self) -> Reading:
        """Return the shares since the last call."""
        before, self._before = self._before, self._read()
        at, host, load, row, theirs = self._before
        full = (at - before[0]) * (os.cpu_count() or 1) / 100
        cells = dict(zip(self._reader.header.strip().split(","), row.strip().split(","), strict=True))
        ours, tree = float(cells["cpu_percent"]), float(cells["tests_cpu_percent"])
        return Reading(ours, theirs, (host - before[1]) / full, tree, (load - before[2]) / full)


@contextmanager
def metered(period_ms: float, duty: float, phase_ms: float) -> Iterator[Meters]:
    """Yield the meters of a running load."""
    with helper(LOAD, period_ms / 1e3, duty, phase_ms / 1e3) as process:
        line_of(process)
        time.sleep(0.1)
        yield Meters(process.pid)


def readings(period_ms: float, given: argparse.Namespace) -> Iterator[Reading]:
    """Return one reading a second, phase after phase."""
    for number in range(given.phases):
        with metered(period_ms, given.duty, number * period_ms / given.phases) as meters:
            for _ in range(given.windows):
                time.sleep(1)
                yield meters.window()


def compare(period_ms: float, given: argparse.Namespace) -> None:
    """Print the errors in percentage points."""
    everything = list(readings(period_ms, given))
    found = [each for each in everything if each.host - each.load <= given.quiet]
    print(f"{given.duty:.0%} of each {period_ms:g} ms, {len(found)} quiet windows of {len(everything)}")
    if not found:
        print(f"  no quiet window: others used more than {given.quiet:g} % of the host in every window; see --quiet")
        return
    errors = {
        "cpu_percent, ours": [abs(each.ours - each.host) for each in found],
        "cpu_percent, psutil": [abs(each.psutil - each.host) for each in found],
        "tests_cpu_percent, ours": [abs(each.our_tree - each.load) for each in found],
    }
    show("  truth: the load", [each.load for each in found], "%")
    show("  truth: the host", [each.host for each in found], "%")
    for name, points in errors.items():
        show(f"  error of {name}", points, "pt", "" if "psutil" in name else "at most 1")
        show_one("    largest", max(points), "pt")


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=int, default=4, help="windows of one second for each phase")
    parser.add_argument("--phases", type=int, default=8, help="number of phases in a period")
    parser.add_argument("--duty", type=float, default=0.38, help="share of the period for which the load computes")
    parser.add_argument(
        "--quiet", type=float, default=10, help="maximum usage of the host by other processes in a window, in per cent"
    )
    given = parser.parse_args()
    for period_ms in PERIODS_MS:
        compare(period_ms, given)


if __name__ == "__main__":
    main()
