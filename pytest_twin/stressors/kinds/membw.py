"""Memory bandwidth: bytes copied at a rate, or as fast as it goes, between buffers that no cache can hold.

A byte copied is one read and one written. The workers' buffers together are twice as large as all last-level caches,
and each is gone through from end to end, so that what is copied comes from memory and goes there.
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
DEFAULT_CACHE = 64 * MIB  # where the machine does not tell
TIMES_THE_CACHE = 2
BLOCK = MIB  # copied at a time, less than a millisecond
CHUNK = 16 * MIB
A_WORKER = 2e9  # bytes a second that one worker is sure to manage
UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def workers(job: Job) -> int:
    """One, and more for what one cannot manage, up to the usable CPUs."""
    return _rate_pacer.workers(job, A_WORKER, math.ceil(usable_cpus()))


def demand(job: Job) -> float:
    """Bytes a second that are asked for at most."""
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
    """Bytes of all last-level caches of the machine together; a large default where it does not tell."""
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
    """This worker's share of the buffers, resident, in chunks so small that a stop is heard between two of them."""
    whole = max(TIMES_THE_CACHE * last_level_caches(), 2 * CHUNK * job.workers)
    count = math.ceil(whole / job.workers / CHUNK)
    available, total = available_memory(), usable_memory()
    if available is not None and total is not None and available - count * CHUNK < memory_reserve(total):
        raise OSError(
            f"needs {whole // MIB} MiB of memory, twice what the caches hold, "
            f"and {memory_reserve(total) // MIB} MiB are left to everybody else"
        )
    pattern = os.urandom(4096) * (CHUNK // 4096)
    chunks = []
    for _ in range(count):
        chunk = mmap.mmap(-1, CHUNK)
        chunk[:] = pattern  # a page that was never written is the one page of zeros
        chunks.append(memoryview(chunk))
    return chunks


def _copying(chunks: list[memoryview]) -> Iterator[int]:
    """Copies a block each time; from one half of the chunks to the other, without end."""
    half = len(chunks) // 2
    for here in cycle(range(half)):
        source, target = chunks[here], chunks[half + here]
        for at in range(0, CHUNK, BLOCK):
            target[at : at + BLOCK] = source[at : at + BLOCK]
            yield BLOCK
