"""Disk loads to compare: ours, fio and stress-ng, all measured from outside in the same way."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from _shared import tree, tree_cpu_s

from pytest_twin.loads.parser import parse_load
from pytest_twin.loads.supervisor_client import SupervisorClient
from pytest_twin.stressors import find_kinds

FIELD = {"write": "write_bytes", "read": "read_bytes"}
FILE_SIZE = 256 << 20  # size of the file that each load writes repeatedly
SETTLE_S = 0.5
START_WITHIN_S = 60.0
FIO = (
    "fio", "--name=load", "--ioengine=psync", "--direct=1", "--fallocate=native", "--time_based", "--runtime=3600",
    f"--size={FILE_SIZE}", "--unlink=1",
)  # fmt: skip
Load = AbstractContextManager[int]


class Reading(NamedTuple):
    """Bytes moved and CPU seconds used by a process tree up to a moment."""

    at: float
    moved: int
    cpu_s: float


@contextmanager
def ours(amount: str, directory: str, **modifiers: Any) -> Iterator[int]:
    """Apply a load, and yield the process ID of the supervisor."""
    supervisor = SupervisorClient(lambda *_: None, lambda _: None)
    (part,) = parse_load({"disk": amount, "directory": directory, **modifiers}, find_kinds()).parts
    try:
        applied = supervisor.apply(part, part.request("load"))
        if not applied.wait_ready():
            raise SystemExit(applied.failure)
        yield supervisor.pid or 0
    finally:
        supervisor.close()


@contextmanager
def theirs(command: Sequence[str], directory: str) -> Iterator[int]:
    """Run the load of another program in a folder of its own, and yield its process ID."""
    with tempfile.TemporaryDirectory(dir=directory) as folder:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            yield process.pid
        finally:
            process.terminate()
            process.wait()


def read(pid: int, pattern: str) -> Reading:
    """Return the bytes that a process tree has moved from or to disks (proc_pid_io(5)), and its CPU seconds."""
    total = 0
    for each in tree(pid):
        try:
            lines = Path(f"/proc/{each}/io").read_text().splitlines()
        except OSError:  # it has just ended
            continue
        total += int(dict(line.split(": ") for line in lines)[FIELD[pattern]])
    return Reading(time.monotonic(), total, tree_cpu_s(pid))


def readings(load: Load, pattern: str, every: float, count: int) -> list[Reading]:
    """Return readings of a running load at absolute times, starting after its first block."""
    with load as pid:
        began = time.monotonic()
        while read(pid, pattern).moved == 0:
            if time.monotonic() > began + START_WITHIN_S:
                raise SystemExit("a load moved no data for a minute; check the free space of the disk")
            time.sleep(0.01)
        begin = time.monotonic() + SETTLE_S
        found = []
        for number in range(count + 1):
            time.sleep(max(0.0, begin + number * every - time.monotonic()))
            found.append(read(pid, pattern))
        if found[-1].moved == found[0].moved:
            raise SystemExit(f"a load moved no data for {count * every:g} s; increase --seconds")
        return found


def rates(found: Sequence[Reading]) -> list[float]:
    """Return the rates between readings, in bytes per second."""
    return [(two.moved - one.moved) / (two.at - one.at) for one, two in pairwise(found)]


def cpu_s_a_gb(found: Sequence[Reading]) -> float:
    """Return the CPU seconds per gigabyte moved."""
    return (found[-1].cpu_s - found[0].cpu_s) / (found[-1].moved - found[0].moved) * 1e9


def rms(values: Sequence[float], about: float) -> float:
    """Return the root mean square of the errors."""
    return statistics.fmean((value - about) ** 2 for value in values) ** 0.5


def flags(doc: str | None, *, rounds: int, seconds: int) -> argparse.ArgumentParser:
    """Add the flags that these benchmarks share."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--seconds", type=float, default=seconds, help="duration of each measurement")
    parser.add_argument("--directory", default=".", help="directory on the disk to measure")
    return parser
