"""What the benchmarks share: taking turns, the CPU clocks of processes, helper processes, and the lines printed."""

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

TICKS = os.sysconf("SC_CLK_TCK")
READ_FOREVER = "import os\nwhile os.read(0, 1): pass\n"  # idles until whoever started it is gone


def interleaved(runs: Mapping[str, Callable[[], float]], rounds: int, *, warm: bool = True) -> dict[str, list[float]]:
    """Let each take its turn, round after round, so that a machine whose speed drifts treats all alike.

    Args:
        runs: What each is called, and the function that runs it once and returns its figure.
        rounds: How many turns each has; the first in turn changes from round to round.
        warm: Have one round more in front, which does not count.
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
    """The ratio of each round."""
    return [one / other for one, other in zip(these, those, strict=True)]


def show(name: str, values: Sequence[float], unit: str = "", goal: str = "") -> None:
    """Print a figure as median and quartiles, and the goal beside it."""
    low, median, high = quartiles(values)
    beside = f"   goal {goal}" if goal else ""
    print(f"{name:44} {median:10.4g} {unit:4} quartiles {low:.4g} to {high:.4g}{beside}", flush=True)


def show_one(name: str, value: object, unit: str = "", goal: str = "") -> None:
    """Print a figure that there is only one of."""
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    print(f"{name:44} {text:>10} {unit:4}{f'   goal {goal}' if goal else ''}", flush=True)


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Lower quartile, median, upper quartile."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, median, high


def program(name: str, install: str) -> str | None:
    """Where a program is, also beside this interpreter; None, and a line that says what brings it."""
    found = shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if found is None:
        print(f"{name}: left out, since it is missing; {install}", flush=True)
    return found


def cpu_s(pid: int) -> float:
    """CPU seconds of a process by its own clock, to the nanosecond (clock_getcpuclockid(3))."""
    return time.clock_gettime_ns(~pid << 3 | 2) / 1e9


def tree(pid: int) -> Iterator[int]:
    """A process and all below it."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from tree(int(child))


def tree_cpu_s(pid: int) -> float:
    """CPU seconds of a process and of all below it, those that ended and were waited for included."""
    total = 0.0
    for each in tree(pid):
        try:
            reaped = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()[13:15]
            total += cpu_s(each) + sum(map(int, reaped)) / TICKS
        except OSError:  # it ended in between; its parent's account has it
            continue
    return total


def resident_kib(pid: int) -> int:
    """Memory resident in a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split(None, 1)[0])


@contextmanager
def helper(code: str, *arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """A bare Python that runs this code; it is gone, with all that it started, behind the block.

    What it starts has to end when its standard input does, as `READ_FOREVER` does.
    """
    command = [sys.executable, "-I", "-S", "-c", code, *map(str, arguments)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()  # closes its input, on which its children wait too


def line_of(process: subprocess.Popen[bytes]) -> str:
    """The next line that a helper prints; waits for it."""
    assert process.stdout is not None  # noqa: S101 - for the type checker
    return process.stdout.readline().decode().strip()
