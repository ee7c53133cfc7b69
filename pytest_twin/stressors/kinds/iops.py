"""I/O latency: so many small synchronous writes a second, at random places of a small file without a name.

Each is on the disk before it counts, and the journal and the queue that it goes through are everybody's: it is what
makes an fsync slow, at next to no bandwidth.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pytest_twin.stressors.kinds import _rate_pacer
from pytest_twin.stressors.kinds._unnamed_file import open_unnamed
from pytest_twin.stressors.spec.kind import MAX, OPS, Kind
from pytest_twin.stressors.system.capacity import MIB, disk_reserve
from pytest_twin.stressors.worker.job import Job

KIND = Kind(
    keyword="iops",
    type="iops",
    module="pytest_twin.stressors.kinds.iops",
    units=(OPS, MAX),
    bare=(OPS, 1),
    amounts='a number of synchronous 4-KiB writes a second, such as 200, or "max"',
    modifiers=("directory",),
    measure="operations",
)

BLOCK = 4096
SIZE = 16 * MIB
A_WORKER = 100  # writes a second, one after another, that any disk is sure to manage
MOST_AT_ONCE = 8


def workers(job: Job) -> int:
    """As many as there are writes under way at once."""
    return _rate_pacer.workers(job, A_WORKER, MOST_AT_ONCE)


def demand(job: Job) -> float:
    """Writes a second that are asked for at most."""
    return _rate_pacer.demand(job)


def stress(job: Job) -> None:
    """Write until stopped.

    Raises:
        OSError: It cannot be written there.
    """
    places = random.Random(f"{job.seed} {os.getpid()}")  # noqa: S311 - where is no secret
    waited, done = 0.0, 0
    with _file(str(job.options.get("directory") or ".")) as write:

        def once() -> int:
            nonlocal waited, done
            began = job.now()
            write(places.randrange(SIZE // BLOCK) * BLOCK)
            waited += job.now() - began
            done += 1
            job.achieved["mean_latency_ms"] = 1000 * waited / done / job.workers  # the workers' add up to their mean
            return 1

        once()
        _rate_pacer.keep_rate(job, "operations", 1, once)


@contextmanager
def _file(directory: str) -> Iterator[Callable[[int], object]]:
    """How to write a block of the file, to the disk.

    Raises:
        OSError: There is no such directory, or no room in it.
    """
    if not os.path.isdir(directory):
        raise OSError(f"{directory} is no directory")
    usage = shutil.disk_usage(directory)
    if usage.free - SIZE < disk_reserve(usage.total):
        raise OSError(f"{directory} has {usage.free // MIB} MiB free, which is left to everybody else")
    fd, name = open_unnamed(directory)
    block = os.urandom(BLOCK)
    try:
        for _ in range(SIZE // MIB):
            os.write(fd, block * (MIB // BLOCK))  # once, so that no write has to find room for itself later
        os.fsync(fd)
        yield _synchronous(fd, block)
    finally:
        os.close(fd)
        if sys.platform == "win32":
            os.unlink(name)


def _synchronous(fd: int, block: bytes) -> Callable[[int], object]:
    if sys.platform == "linux":
        return lambda at: os.pwritev(fd, [block], at, os.RWF_DSYNC)

    def write(at: int) -> None:
        os.lseek(fd, at, os.SEEK_SET)
        os.write(fd, block)
        getattr(os, "fdatasync", os.fsync)(fd)

    return write
