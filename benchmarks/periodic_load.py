"""The CPU share of a load that keeps step with the timer tick: by our sampler and by psutil, against the truth.

    python benchmarks/periodic_load.py --windows 4

The kernel charges busy ticks to whoever runs when the tick comes, so a load that sleeps then is missed, and one that
runs then is charged for the whole of it. The load burns a part of each period, from absolute times on; its phase goes
through the period, so that it comes before, on and behind the tick. All is read at the same moments, a second apart,
as shares of the whole host. Seconds in which others were busy do not count, since a full CPU hides the difference.

The truth is, for the load, its own CPU clock, and for the host the CPU seconds that the scheduler charged to all
processes, in nanoseconds: cpuacct.usage of the root control group where there is one (version 1), otherwise the sum of
the clocks of all processes, which misses those that begin or end in between. What the hypervisor took is added, since
both meters count it as not idle.
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
    """CPU seconds of all processes, and of the hypervisor."""
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
    """Everything that is compared, read at one moment."""

    def __init__(self, load: int) -> None:
        self._load = load
        self._reader = RowReader(Clock(time.monotonic(), time.time()), ProbeContext(load))
        self._before = self._read()

    def _read(self) -> tuple[float, float, float, str, float]:
        at = time.monotonic()
        return at, busy_s(), cpu_s(self._load), self._reader.row(at), psutil.cpu_percent()

    def window(self) -> Reading:
        """The shares since the last call."""
        before, self._before = self._before, self._read()
        at, host, load, row, theirs = self._before
        full = (at - before[0]) * (os.cpu_count() or 1) / 100
        cells = dict(zip(self._reader.header.strip().split(","), row.strip().split(","), strict=True))
        ours, tree = float(cells["cpu_percent"]), float(cells["tests_cpu_percent"])
        return Reading(ours, theirs, (host - before[1]) / full, tree, (load - before[2]) / full)


@contextmanager
def metered(period_ms: float, duty: float, phase_ms: float) -> Iterator[Meters]:
    """A load that is running, and what it is measured with."""
    with helper(LOAD, period_ms / 1e3, duty, phase_ms / 1e3) as process:
        line_of(process)
        time.sleep(0.1)
        yield Meters(process.pid)


def readings(period_ms: float, given: argparse.Namespace) -> Iterator[Reading]:
    """One reading a second, phase after phase."""
    for number in range(given.phases):
        with metered(period_ms, given.duty, number * period_ms / given.phases) as meters:
            for _ in range(given.windows):
                time.sleep(1)
                yield meters.window()


def compare(period_ms: float, given: argparse.Namespace) -> None:
    """Print how many points each is off."""
    everything = list(readings(period_ms, given))
    found = [each for each in everything if each.host - each.load <= given.quiet]
    print(f"{given.duty:.0%} of each {period_ms:g} ms, {len(found)} quiet windows of {len(everything)}")
    if not found:
        print(f"  never quiet: others took more than {given.quiet:g} % of the host in every window; see --quiet")
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
    parser.add_argument("--windows", type=int, default=4, help="seconds at each phase")
    parser.add_argument("--phases", type=int, default=8, help="places in the period at which the load begins")
    parser.add_argument("--duty", type=float, default=0.38, help="part of the period that it burns")
    parser.add_argument(
        "--quiet", type=float, default=10, help="per cent of the host that others may take in a window that counts"
    )
    given = parser.parse_args()
    for period_ms in PERIODS_MS:
        compare(period_ms, given)


if __name__ == "__main__":
    main()
