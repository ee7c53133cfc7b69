"""Measure how closely the whole host is held at a level beside another load, by pytest-twin and by stress-ng.

    python benchmarks/cpu_total.py --seconds 10

Another load uses 30 % of each CPU. pytest-twin gets the level; stress-ng, which controls only its own share, gets the
level minus 30 %. The usage of the host is computed from its idle time in /proc/stat, so use an idle machine.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from _cpu_windows import KINDS, errors, other_load, our_load, supervisor, their_load, watched
from _shared import TICKS, program, show_one

from pytest_twin.loads.parser import parse_load

LEVELS = (50, 70, 90)
OTHER = 30
CPUS = os.cpu_count() or 1


def busy_s() -> float:
    """Return the CPU seconds that were not idle, from an arbitrary start."""
    fields = Path("/proc/stat").read_text().split(None, 6)
    return time.monotonic() * CPUS - (int(fields[4]) + int(fields[5])) / TICKS


def held(load: AbstractContextManager[object], seconds: float, level: int) -> tuple[float, float]:
    """Return the mean error and the RMS error in windows of a second, in percentage points of the host."""
    with load:
        time.sleep(1)
        found = errors(watched(busy_s, seconds), CPUS, level)
        return found.mean, found.rms_1s


def compare(level: int, loads: dict[str, Callable[[], AbstractContextManager[object]]], seconds: float) -> None:
    """Print the errors at one level."""
    for who, load in loads.items():
        mean, rms = held(load(), seconds, level)
        ours = who == "pytest-twin"
        show_one(f"{who} {level} %, mean", f"{mean:+.3f}", "pt", "at most 0.3" if ours else "")
        show_one(f"{who} {level} %, rms, 1 s", f"{rms:.3f}", "pt", "at most 0.5" if ours else "")


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10, help="duration of the measurement of each level")
    parser.add_argument("--levels", type=int, nargs="*", default=LEVELS, help="levels in per cent of the host")
    given = parser.parse_args()
    peer = program("stress-ng", "apt-get install stress-ng")
    with supervisor() as running, other_load(OTHER):
        for level in given.levels:
            part = parse_load({"cpu_total": f"{level}%"}, KINDS).parts[0]
            loads = {"pytest-twin": lambda part=part: our_load(running, part)}
            if peer:
                loads["stress-ng"] = lambda level=level: their_load(peer, level - OTHER)
            compare(level, loads, given.seconds)


if __name__ == "__main__":
    main()
