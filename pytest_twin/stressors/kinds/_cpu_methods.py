"""Methods of burning CPU time: calls of the standard library that spend it in compiled loops.

Each call takes well below a millisecond, so that a worker keeps to its slices and reacts to a stop, and allocates next
to nothing.
"""

from __future__ import annotations

import math
import mmap
import zlib
from collections.abc import Callable
from functools import partial
from itertools import cycle

from pytest_twin.stressors.system.capacity import MIB, available_memory
from pytest_twin.stressors.worker.job import Job

Burn = Callable[[], object]

CHECKED = 64 << 10
COPIED = 256 << 10
COPIED_BY_ALL = 256 * MIB  # more than the last-level cache, which the workers share
COPIED_BY_EACH = 64 * MIB
VALUES = 1000
ORDERS = 16


def integers(job: Job) -> Burn:  # noqa: ARG001
    """Return a call that computes a checksum of 64 KiB: integer arithmetic on data that stays in the cache."""
    return partial(zlib.crc32, bytes(CHECKED))


def floats(job: Job) -> Burn:
    """Return a call that computes the distance of two points in a thousand dimensions: floating-point arithmetic."""
    import random

    draw = random.Random(job.seed).random  # noqa: S311 - repeatable, not secret
    one, other = (tuple(draw() for _ in range(VALUES)) for _ in range(2))
    return partial(math.dist, one, other)


def memory(job: Job) -> Burn:
    """Return a call that copies within a region larger than the caches: memory bandwidth.

    Raises:
        OSError: There is not enough memory.
    """
    size = max(COPIED_BY_EACH, COPIED_BY_ALL // job.workers // COPIED * COPIED)
    free = available_memory()
    if free is not None and free < 2 * size:
        raise OSError(f"method memory needs {size // MIB} MiB per worker; only {free // MIB} MiB are available")
    region, half = mmap.mmap(-1, size), size // 2
    pieces = range(0, half, COPIED)
    moves = cycle([*((half + at, at) for at in pieces), *((at, half + at) for at in pieces)])

    def copy() -> None:
        to, origin = next(moves)
        region.move(to, origin, COPIED)

    for at in pieces:  # pages that were never written are all the same page of zeros, which is in the cache
        region[at : at + COPIED] = b"\x01" * COPIED
    return copy


def branches(job: Job) -> Burn:
    """Return a call that sorts numbers in more random orders than a branch predictor learns: mispredicted branches."""
    import random

    draw = random.Random(job.seed)  # noqa: S311 - repeatable, not secret
    orders = cycle([draw.sample(range(VALUES), VALUES) for _ in range(ORDERS)])
    return lambda: sorted(next(orders))


METHODS: dict[str, Callable[[Job], Burn]] = {
    "int": integers,
    "float": floats,
    "memory": memory,
    "branch": branches,
}


def burner(job: Job) -> Burn:
    """Return the call of the method that the load names, after a first call that warms it up."""
    burn = METHODS[job.options.get("method", "int")](job)
    burn()
    return burn
