"""Disk loads as contenders: ours through the supervisor, fio and stress-ng, all read in the same way from outside."""

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
FILE_SIZE = 256 << 20  # of the file that a load goes round in, ours and theirs
SETTLE_S = 0.5
START_WITHIN_S = 60.0
FIO = (
    "fio", "--name=load", "--ioengine=psync", "--direct=1", "--fallocate=native", "--time_based", "--runtime=3600",
    f"--size={FILE_SIZE}", "--unlink=1",
)  # fmt: skip
Load = AbstractContextManager[int]


class Reading(NamedTuple):
    """What a tree of processes had moved and used at a moment."""

    at: float
    moved: int
    cpu_s: float


@contextmanager
def ours(amount: str, directory: str, **modifiers: Any) -> Iterator[int]:
    """A load that is there; yields the supervisor's process id."""
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
    """Another program's load, in a folder of its own; yields its process id."""
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
    """What a tree of processes has moved from or to disks (proc_pid_io(5)), and its CPU seconds."""
    total = 0
    for each in tree(pid):
        try:
            lines = Path(f"/proc/{each}/io").read_text().splitlines()
        except OSError:  # it has just ended
            continue
        total += int(dict(line.split(": ") for line in lines)[FIELD[pattern]])
    return Reading(time.monotonic(), total, tree_cpu_s(pid))


def readings(load: Load, pattern: str, every: float, count: int) -> list[Reading]:
    """Readings of a load that is going on, at absolute times, from a moment after its first block."""
    with load as pid:
        began = time.monotonic()
        while read(pid, pattern).moved == 0:
            if time.monotonic() > began + START_WITHIN_S:
                raise SystemExit("a load has not moved a byte in a minute; is there room on the disk?")
            time.sleep(0.01)
        begin = time.monotonic() + SETTLE_S
        found = []
        for number in range(count + 1):
            time.sleep(max(0.0, begin + number * every - time.monotonic()))
            found.append(read(pid, pattern))
        if found[-1].moved == found[0].moved:
            raise SystemExit(f"a load has not moved a byte in {count * every:g} s; give more --seconds")
        return found


def rates(found: Sequence[Reading]) -> list[float]:
    """Bytes a second from each reading to the next."""
    return [(two.moved - one.moved) / (two.at - one.at) for one, two in pairwise(found)]


def cpu_s_a_gb(found: Sequence[Reading]) -> float:
    """CPU seconds for each gigabyte that was moved."""
    return (found[-1].cpu_s - found[0].cpu_s) / (found[-1].moved - found[0].moved) * 1e9


def rms(values: Sequence[float], about: float) -> float:
    """How far off values are, as the root of the mean square."""
    return statistics.fmean((value - about) ** 2 for value in values) ** 0.5


def flags(doc: str | None, *, rounds: int, seconds: int) -> argparse.ArgumentParser:
    """The flags that these benchmarks share."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--seconds", type=float, default=seconds, help="of each measurement")
    parser.add_argument("--directory", default=".", help="on the file system that is written to")
    return parser
