"""Shared code of the benchmarks: alternating runs, CPU clocks of processes, helper processes, output."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

TICKS = os.sysconf("SC_CLK_TCK")
READ_FOREVER = "import os\nwhile os.read(0, 1): pass\n"  # idles until its parent ends


class Figure(NamedTuple):
    """A measured figure: the arguments of `show`."""

    name: str
    values: Sequence[float]
    unit: str = ""
    goal: str = ""


def interleaved(runs: Mapping[str, Callable[[], float]], rounds: int, *, warm: bool = True) -> dict[str, list[float]]:
    """Run contenders alternately, round after round, so that a drift of the speed of the machine affects all alike.

    Args:
        runs: For each name, the function that runs it once and returns its figure.
        rounds: Number of rounds; the order changes from round to round.
        warm: Run one more round first, and discard its figures.
    """
    names = list(runs)
    if warm:
        for run in runs.values():
            run()
    found: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            found[name].append(runs[name]())
    return found


def ratios(these: Sequence[float], those: Sequence[float]) -> list[float]:
    """Return the ratio of each round."""
    return [one / other for one, other in zip(these, those, strict=True)]


def differences(these: Sequence[float], those: Sequence[float]) -> list[float]:
    """Return the difference of each round."""
    return [one - other for one, other in zip(these, those, strict=True)]


def show(name: str, values: Sequence[float], unit: str = "", goal: str = "") -> None:
    """Print the median and quartiles of a figure, with its goal."""
    low, median, high = quartiles(values)
    beside = f"   goal {goal}" if goal else ""
    print(f"{name:44} {median:10.4g} {unit:4} quartiles {low:.4g} to {high:.4g}{beside}", flush=True)


def show_one(name: str, value: object, unit: str = "", goal: str = "") -> None:
    """Print a single figure."""
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    print(f"{name:44} {text:>10} {unit:4}{f'   goal {goal}' if goal else ''}", flush=True)


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the lower quartile, the median and the upper quartile."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, median, high


def program(name: str, install: str) -> str | None:
    """Return the path of a program; if it is missing, print how to install it and return None."""
    found = shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if found is None:
        print(f"{name}: skipped, because it is not installed; {install}", flush=True)
    return found


def cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process from its CPU clock, in nanosecond resolution (clock_getcpuclockid(3))."""
    return time.clock_gettime_ns(~pid << 3 | 2) / 1e9


def tree(pid: int) -> Iterator[int]:
    """Return a process and its descendants."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from tree(int(child))


def tree_cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process and its descendants, including ended ones that were waited for."""
    total = 0.0
    for each in tree(pid):
        try:
            reaped = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()[13:15]
            total += cpu_s(each) + sum(map(int, reaped)) / TICKS
        except OSError:  # it ended in between; the counters of its parent include it
            continue
    return total


def resident_kib(pid: int) -> int:
    """Return the resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split(None, 1)[0])


@contextmanager
def helper(code: str, *arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """Run code in a bare Python, which ends with the block together with its children.

    Its children have to end when their standard input closes, as `READ_FOREVER` does.
    """
    command = [sys.executable, "-I", "-S", "-c", code, *map(str, arguments)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()  # closes the input that its children read too


def line_of(process: subprocess.Popen[bytes]) -> str:
    """Wait for the next line of a helper and return it."""
    assert process.stdout is not None  # noqa: S101 - for the type checker
    return process.stdout.readline().decode().strip()
