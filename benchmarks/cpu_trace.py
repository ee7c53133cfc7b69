"""Replay a trace of CPU usage: the error of pytest-twin, and of stress-ng started anew at each point.

    python benchmarks/cpu_trace.py trace.csv --points 60

The file has a header and two columns, a time and a value; the values are replayed, one every half second. Without a
file a random walk with spikes is replayed. The achieved value is the CPU usage of the load in per cent of the host.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import statistics
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

from _cpu_windows import KINDS, our_load, shares, supervisor, watched
from _shared import program, show_one

from pytest_twin.loads.schedule.replay import replay_of
from pytest_twin.model.machine_formats.parser import parse_text

POINT_S = 0.5
READ_S = 0.1
READS = round(POINT_S / READ_S)
CPUS = os.cpu_count() or 1


def trace(path: Path | None, points: int) -> list[float]:
    """Return the first values of a file, or of a random walk."""
    if path is not None:
        with path.open(newline="") as file:
            return [float(row[1]) for row in list(csv.reader(file))[1 : points + 1]]
    draw, level, found = random.Random(1), 40.0, []
    for _ in range(points):
        level = min(max(level + draw.uniform(-8, 8), 5.0), 70.0)
        found.append(min(90.0, level + 40 * (draw.random() < 0.1)))
    return found


def ours(values: Sequence[float]) -> list[float]:
    """Return the achieved shares of our replay, for each 0.1 s."""
    rows = "".join(f"{(number + 1) * POINT_S},{value}\n" for number, value in enumerate(values))
    part = replay_of(parse_text(f"elapsed_s,value\n{rows}"), "trace", KINDS).load.parts[0]
    with supervisor() as running, our_load(running, part) as clock:
        return shares(watched(clock, len(values) * POINT_S, READ_S), CPUS)


def theirs(path: str, values: Sequence[float]) -> list[float]:
    """Return the achieved shares of stress-ng, started anew at each point."""

    def used_s() -> float:
        used = getrusage(RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    found, end = [], time.monotonic()
    for value in values:
        began, before = end, used_s()
        end += POINT_S
        with subprocess.Popen([path, "--quiet", "--cpu", "0", "--cpu-load", str(round(value))]) as process:
            time.sleep(max(0.0, end - time.monotonic()))
            process.terminate()
        end = max(end, time.monotonic())
        found.append(100 * (used_s() - before) / (end - began) / CPUS)
    return found


def tell(who: str, points: Sequence[float], values: Sequence[float], goals: tuple[str, str] = ("", "")) -> float:
    """Print the errors, and return their mean."""
    off = statistics.fmean(abs(found - asked) for found, asked in zip(points, values, strict=True))
    show_one(f"{who}, mean absolute error", off, "pt", goals[0])
    show_one(f"{who}, correlation", f"{statistics.correlation(points, values):.5f}", "", goals[1])
    return off


def lag(reads: Sequence[float], values: Sequence[float]) -> int:
    """Return the delay of the achieved values in readings, where their correlation is highest."""
    asked = [value for value in values for _ in range(READS)]
    inner = slice(READS, -READS)
    reach = range(-READS + 1, READS)

    def likeness(shift: int) -> float:
        return statistics.correlation(asked[inner], reads[inner.start + shift : len(reads) + inner.stop + shift])

    return max(reach, key=likeness)


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "trace", type=Path, nargs="?", help="CSV file with two columns, the second is CPU usage in per cent"
    )
    parser.add_argument("--points", type=int, default=60, help="number of values to replay, two a second")
    given = parser.parse_args()
    values = trace(given.trace, given.points)
    reads = ours(values)
    points = [statistics.fmean(reads[at : at + READS]) for at in range(0, len(reads), READS)]
    off = tell("pytest-twin", points, values, ("at most 0.3", "at least 0.999"))
    show_one("pytest-twin, lag", f"{lag(reads, values) * READ_S:.1f}", "s", "0")
    if peer := program("stress-ng", "apt-get install stress-ng"):
        show_one("error, stress-ng / ours", tell("stress-ng", theirs(peer, values), values) / off, "", "at least 1")


if __name__ == "__main__":
    main()
