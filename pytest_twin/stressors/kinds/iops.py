"""I/O latency: small synchronous writes at a rate, at random offsets of a small unnamed file.

Each write is on the disk before it counts. It goes through the journal and the queue that all processes share, which
makes their fsync slow at next to no bandwidth.
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
WRITES_PER_WORKER = 100  # per second, one after another, which any disk achieves
MAX_WORKERS = 8


def workers(job: Job) -> int:
    """Return as many workers as there are concurrent writes."""
    return _rate_pacer.workers(job, WRITES_PER_WORKER, MAX_WORKERS)


def demand(job: Job) -> float:
    """Return the highest rate that is requested, in writes per second."""
    return _rate_pacer.demand(job)


def stress(job: Job) -> None:
    """Write until stopped.

    Raises:
        OSError: The directory is not writable.
    """
    places = random.Random(f"{job.seed} {os.getpid()}")  # noqa: S311 - not secret
    waited, done = 0.0, 0
    with _file(str(job.options.get("directory") or ".")) as write:

        def once() -> int:
            nonlocal waited, done
            began = job.now()
            write(places.randrange(SIZE // BLOCK) * BLOCK)
            waited += job.now() - began
            done += 1
            job.achieved["mean_latency_ms"] = (
                1000 * waited / done / job.workers
            )  # the figures of all workers add up to their mean
            return 1

        once()
        _rate_pacer.keep_rate(job, "operations", 1, once)


@contextmanager
def _file(directory: str) -> Iterator[Callable[[int], object]]:
    """Open the file, and yield a call that writes a block of it to the disk at an offset.

    Raises:
        OSError: There is no such directory, or no space in it.
    """
    if not os.path.isdir(directory):
        raise OSError(f"{directory} is not a directory")
    usage = shutil.disk_usage(directory)
    if usage.free - SIZE < disk_reserve(usage.total):
        raise OSError(f"{directory} has {usage.free // MIB} MiB free, which are reserved for other processes")
    fd, name = open_unnamed(directory)
    block = os.urandom(BLOCK)
    try:
        for _ in range(SIZE // MIB):
            os.write(fd, block * (MIB // BLOCK))  # once, so that no later write has to allocate space
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
