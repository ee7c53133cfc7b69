"""Shared code of the benchmarks of CPU loads: loads of the supervisor, and CPU seconds in time windows."""

from __future__ import annotations

import math
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from typing import NamedTuple

from _shared import TICKS, cpu_s, helper, line_of, tree

from pytest_twin.loads.registry import kinds
from pytest_twin.loads.spec import LoadPart
from pytest_twin.loads.supervisor_client import SupervisorClient

KINDS = kinds()
OTHER = """import sys, time
period, duty = 0.01, float(sys.argv[1]) / 100
print('there', flush=True)
end = time.monotonic()
while True:
    end = max(end + period, time.monotonic() - period)
    used = time.process_time()
    while time.process_time() < used + duty * period: pass
    time.sleep(max(0.0, end - time.monotonic()))
"""
Clock = Callable[[], float]


@contextmanager
def supervisor() -> Iterator[SupervisorClient]:
    """Yield a supervisor as in a test run; all processes that it started end with the block."""
    running = SupervisorClient(lambda *_: None, lambda _: None)
    try:
        yield running
    finally:
        running.close()


@contextmanager
def our_load(running: SupervisorClient, part: LoadPart, **given: float) -> Iterator[Clock]:
    """Yield a clock of the CPU seconds of the workers of a load that is ready."""
    applied = running.apply(part, part.request("load", **given))  # type: ignore[arg-type]
    assert running.pid is not None  # noqa: S101 - for the type checker
    if not applied.wait_ready():
        raise SystemExit(applied.failure)
    try:
        yield clock_of([pid for pid in tree(running.pid) if pid != running.pid])
    finally:
        applied.stop()


@contextmanager
def their_load(path: str, share: float) -> Iterator[Clock]:
    """Yield the same for stress-ng with its defaults."""
    with subprocess.Popen([path, "--quiet", "--cpu", "0", "--cpu-load", str(round(share))]) as process:
        time.sleep(0.5)
        try:
            yield clock_of([pid for pid in tree(process.pid) if pid != process.pid])
        finally:
            process.terminate()


@contextmanager
def other_load(share: float) -> Iterator[None]:
    """Run another load: a process for each CPU that uses this share of it, in per cent."""
    with ExitStack() as stack:
        for process in [stack.enter_context(helper(OTHER, share)) for _ in range(os.cpu_count() or 1)]:
            line_of(process)
        yield


def clock_of(pids: Sequence[int]) -> Clock:
    """Return the total CPU seconds of processes."""
    return lambda: sum(map(cpu_s, pids))


class Windows(NamedTuple):
    """Errors of a load: achieved minus requested, in percentage points of the host."""

    mean: float
    rms_1s: float
    rms_100ms: float
    median_100ms: float  # absolute error
    stolen: float  # steal time of the hypervisor, in per cent of the CPUs


Reading = tuple[float, float, int]


def watched(clock: Clock, seconds: float, step: float = 0.1) -> list[Reading]:
    """Return readings of time, CPU clock and steal ticks at regular absolute times."""
    began = time.monotonic()
    found = []
    for number in range(round(seconds / step) + 1):
        time.sleep(max(0.0, began + number * step - time.monotonic()))
        before, used = time.monotonic(), clock()
        found.append(((before + time.monotonic()) / 2, used, stolen()))
    return found


def stolen() -> int:
    """Return the steal time of all CPUs in ticks (proc_stat(5))."""
    with open("/proc/stat") as file:
        return int(file.readline().split()[8])


def shares(found: Sequence[Reading], cpus: float, every: int = 1) -> list[float]:
    """Return CPU usage in per cent of the CPUs, in windows of this number of readings."""
    marks = found[::every]
    return [100 * (used - before) / (at - then) / cpus for (then, before, _), (at, used, _) in pairwise(marks)]


def errors(found: Sequence[Reading], cpus: float, asked: float) -> Windows:
    """Return the errors of a load with a constant target, in per cent of the CPUs."""
    ends = [found[0], found[-1]]
    short = [share - asked for share in shares(found, cpus)]
    return Windows(
        shares(ends, cpus)[0] - asked,
        rms([share - asked for share in shares(found, cpus, every=10)]),
        rms(short),
        statistics.median(map(abs, short)),
        100 * (ends[1][2] - ends[0][2]) / TICKS / (ends[1][0] - ends[0][0]) / cpus,
    )


def rms(values: Sequence[float]) -> float:
    """Return the root mean square."""
    return math.sqrt(statistics.fmean(value * value for value in values))
