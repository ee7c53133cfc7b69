"""Measure the CPU time per sample of our sampler and of other monitors, at one sample a second.

    python benchmarks/monitors.py --seconds 20 --rounds 3

The CPU time is that of the whole process tree of a monitor between two moments of its run; it excludes the start-up and
the client that scrapes the node exporter. The values of a sample are counted in the output of each monitor. pidstat and
psrecord monitor processes, the others the machine.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from _monitors import MONITORS, Monitor
from _shared import Figure, interleaved, program, ratios, show, tree_cpu_s

GOALS = {"pytest-twin's sampler": "at most 0.40"}


def turn(monitor: Monitor, seconds: int, warm_up: float, values: dict[str, int]) -> Callable[[], float]:
    """Return a function that runs the monitor and returns the milliseconds of CPU time per sample."""

    def run() -> float:
        with tempfile.TemporaryDirectory() as folder:
            with monitor.running(Path(folder)) as (pid, ask):
                time.sleep(warm_up)
                began, used = time.monotonic(), tree_cpu_s(pid)
                for second in range(seconds):
                    ask()
                    time.sleep(max(0.0, began + second + 1 - time.monotonic()))
                used, wall = tree_cpu_s(pid) - used, time.monotonic() - began
            values[monitor.name] = monitor.values(Path(folder))
        return 1e3 * used / wall

    return run


def measure(monitors: Sequence[Monitor], seconds: int, warm_up: float, rounds: int) -> list[Figure]:
    """Return the CPU time per sample of each installed monitor, and its ratio to the first one, our sampler."""
    there = [each for each in monitors if program(each.program, each.install)]
    values: dict[str, int] = {}
    times = interleaved({each.name: turn(each, seconds, warm_up, values) for each in there}, rounds, warm=False)
    ours = times[there[0].name]
    figures = []
    for name, used in times.items():
        figures.append(Figure(f"{name}, {values[name]} values", used, "ms", GOALS.get(name, "")))
        if used is not ours:
            figures.append(Figure(f"  / {there[0].name}", ratios(used, ours)))
    return figures


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=20, help="duration of each measurement")
    parser.add_argument("--warm-up", type=float, default=4, help="seconds before the measurement")
    parser.add_argument("--rounds", type=int, default=3, help="number of rounds")
    parser.add_argument("--only", help="measure only monitors with this in their name, beside our sampler")
    given = parser.parse_args()
    wanted = [each for at, each in enumerate(MONITORS) if at == 0 or not given.only or given.only in each.name]
    for figure in measure(wanted, given.seconds, given.warm_up, given.rounds):
        show(*figure)


if __name__ == "__main__":
    main()
