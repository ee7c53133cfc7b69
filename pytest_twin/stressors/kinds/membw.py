"""Memory bandwidth: bytes copied at a rate, or as fast as possible, between buffers larger than the caches.

A copied byte is one byte read and one written. The buffers of all workers together are twice as large as all last-level
caches, and each is copied from beginning to end, so that every byte is read from memory and written to it.
"""

from __future__ import annotations

import math
import mmap
import os
from collections.abc import Iterator
from itertools import cycle

from pytest_twin.stressors.kinds import _rate_pacer
from pytest_twin.stressors.spec.kind import MAX, RATE, Kind
from pytest_twin.stressors.system.capacity import (
    MIB,
    available_memory,
    memory_reserve,
    text,
    usable_cpus,
    usable_memory,
)
from pytest_twin.stressors.worker.job import Job

KIND = Kind(
    keyword="membw",
    type="memory-bandwidth",
    module="pytest_twin.stressors.kinds.membw",
    units=(RATE, MAX),
    bare=None,
    amounts='a rate of copying such as "2GB/s", or "max"',
    modifiers=(),
    measure="copied_bytes",
)

CPUS = "/sys/devices/system/cpu"
DEFAULT_CACHE = 64 * MIB  # where the size is not known
CACHE_MULTIPLE = 2
BLOCK = MIB  # copied at a time, less than a millisecond
CHUNK = 16 * MIB
RATE_PER_WORKER = 2e9  # bytes per second that one worker achieves on any machine
UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def workers(job: Job) -> int:
    """Return as many workers as the rate needs, up to the usable CPUs."""
    return _rate_pacer.workers(job, RATE_PER_WORKER, math.ceil(usable_cpus()))


def demand(job: Job) -> float:
    """Return the highest rate that is requested, in bytes per second."""
    return _rate_pacer.demand(job)


def stress(job: Job) -> None:
    """Copy until stopped.

    Raises:
        OSError: There is not enough memory for the buffers.
    """
    copy = _copying(_buffer(job))
    next(copy)
    _rate_pacer.keep_rate(job, "copied_bytes", BLOCK, lambda: next(copy))


def last_level_caches() -> int:
    """Return the bytes of all last-level caches of the machine together; a large default where they are not known."""
    levels: dict[int, dict[str, int]] = {}
    for cpu in _numbered(CPUS, "cpu"):
        for folder in _numbered(f"{cpu}/cache", "index"):
            level, size, shared = (text(folder, name).strip() for name in ("level", "size", "shared_cpu_list"))
            if level and size[-1:] in UNITS:
                levels.setdefault(int(level), {})[shared] = int(size[:-1]) * UNITS[size[-1]]
    return sum(levels[max(levels)].values()) if levels else DEFAULT_CACHE


def _numbered(folder: str, prefix: str) -> list[str]:
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return [f"{folder}/{name}" for name in names if name.startswith(prefix) and name[len(prefix) :].isdecimal()]


def _buffer(job: Job) -> list[memoryview]:
    """Allocate this worker's share of the buffers, in chunks small enough not to delay a stop."""
    whole = max(CACHE_MULTIPLE * last_level_caches(), 2 * CHUNK * job.workers)
    count = math.ceil(whole / job.workers / CHUNK)
    available, total = available_memory(), usable_memory()
    if available is not None and total is not None and available - count * CHUNK < memory_reserve(total):
        raise OSError(
            f"needs {whole // MIB} MiB of memory, twice the size of the caches; "
            f"{memory_reserve(total) // MIB} MiB are reserved for other processes"
        )
    pattern = os.urandom(4096) * (CHUNK // 4096)
    chunks = []
    for _ in range(count):
        chunk = mmap.mmap(-1, CHUNK)
        chunk[:] = pattern  # pages that were never written are all the same page of zeros
        chunks.append(memoryview(chunk))
    return chunks


def _copying(chunks: list[memoryview]) -> Iterator[int]:
    """Copy blocks from one half of the chunks to the other, endlessly; yield the bytes after each."""
    half = len(chunks) // 2
    for here in cycle(range(half)):
        source, target = chunks[here], chunks[half + here]
        for at in range(0, CHUNK, BLOCK):
            target[at : at + BLOCK] = source[at : at + BLOCK]
            yield BLOCK
