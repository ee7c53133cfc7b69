"""Memory load: bytes really resident, following a profile, never more than the machine can spare.

Several processes hold a part each: they fill and free side by side, which threads of one interpreter cannot.
"""

from __future__ import annotations

import math
import time

from pytest_twin.stressors.kinds._resident_memory import BLOCK, ResidentMemory, has_huge_pages
from pytest_twin.stressors.spec.kind import BYTES, SHARE, Kind
from pytest_twin.stressors.spec.profile import Profile
from pytest_twin.stressors.system.capacity import MIB, available_memory, memory_reserve, usable_cpus, usable_memory
from pytest_twin.stressors.worker.job import Job

KIND = Kind(
    keyword="mem",
    type="memory",
    module="pytest_twin.stressors.kinds.mem",
    units=(BYTES, SHARE),
    bare=(BYTES, MIB),
    amounts='an amount such as "1GiB", a share such as "25%", or a number of MiB',
    modifiers=("huge",),
    measure="peak_bytes",
    level="resident_bytes",
)

MOST_WORKERS = 4  # the memory's own speed is reached with few
LEAST_EACH = 256 * MIB  # for less, another process costs more than it brings
LEAST_STEP = MIB  # the last of what can be spared is not worth the steps to it
TOUCH_EVERY_S = 30.0  # 0.3 % of a CPU for 4 GiB; what the kernel swaps out first was idle for longer


def demand(job: Job) -> float:
    """The most bytes that it wants resident.

    Raises:
        OSError: It is a share of nobody knows how much.
    """
    return job.profile.peak * _whole(job)


def asked(job: Job) -> Profile:
    """Bytes over time."""
    return job.profile.scaled(_whole(job))


def workers(job: Job) -> int:
    """As many as fill it the fastest.

    Raises:
        OSError: It is strict, and asks for more than can be spared.
    """
    peak = demand(job)
    if job.strict and peak > (spare := spare_memory(_reserve())):
        raise OSError(f"{_asked(peak)}, but {int(spare) // MIB} MiB can be had: {_left()}")
    return max(1, min(math.ceil(usable_cpus()), MOST_WORKERS, int(peak // LEAST_EACH)))


def stress(job: Job) -> None:
    """Hold this worker's part of as many bytes as the profile asks for, until stopped."""
    whole = _whole(job)
    held = MemoryShare(job)
    held.follow(job.target() * whole)
    held.verify()
    job.ready()
    while True:
        held.follow(job.target() * whole)
        held.keep()
        job.tick()
        time.sleep(0.2 if job.settled() else 0.02)


class MemoryShare:
    """One worker's part of the memory."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._reserve = _reserve()  # once, since it is looked at before each block
        huge = bool(job.options.get("huge"))
        self._memory = ResidentMemory(huge=huge)
        if huge and not has_huge_pages():
            self._fall_short("asked for huge pages, but they are switched off here")
        self._touch_at = job.now() + TOUCH_EVERY_S
        self._note()

    def follow(self, asked: float) -> None:
        """Come to this worker's part of so many bytes, or until more would take what others need.

        What can be spared is looked at before each block, so that whatever others take meanwhile, the reserve is short
        of a block for each worker of each load at most.

        Raises:
            OSError: It would, and the load is strict.
        """
        unit = self._memory.unit
        part = math.ceil(asked / self._job.workers / unit) * unit
        self._memory.shrink(part)
        while (missing := part - self._memory.size) > 0:
            size = min(missing, BLOCK, self._share_of_spare())
            if size < min(missing, LEAST_STEP):
                self._fall_short(f"{_asked(asked)}, but not all of it could be had: {_left()}")
                break
            self._memory.grow(size)
            self._note()
            self._job.tick()
        self._note()

    def verify(self) -> None:
        """Have the figures say what the kernel finds resident."""
        self._memory.look()
        self._note()

    def keep(self) -> None:
        """Use each page once in a while, so that it stays: one block after the other, at an even pace."""
        while self._memory.blocks and self._job.now() >= self._touch_at:
            self._memory.touch_next(self._share_of_spare)
            pause = TOUCH_EVERY_S / self._memory.blocks
            self._touch_at = max(self._touch_at, self._job.now() - 1) + pause
            self._note()

    def _share_of_spare(self) -> int:
        """What this worker may take, whatever the others take at the same moment."""
        share = spare_memory(self._reserve) / self._job.workers
        return BLOCK if share >= BLOCK else int(share) // self._memory.unit * self._memory.unit

    def _fall_short(self, how: str) -> None:
        if self._job.strict:
            raise OSError(how)
        self._job.achieved["reduced"] = how

    def _note(self) -> None:
        found = self._memory.found
        most = max(found, int(self._job.achieved.get("peak_bytes", 0)))
        self._job.achieved.update(resident_bytes=found, peak_bytes=most)


def spare_memory(reserve: int) -> float:
    """Bytes that a load may still take: what is available to it, less a reserve; infinite where nobody tells."""
    available = available_memory()
    return math.inf if available is None else max(0, available - reserve)


def _reserve() -> int:
    return memory_reserve(usable_memory() or 0)


def _whole(job: Job) -> float:
    """How many bytes the profile's 1 is."""
    if job.unit != SHARE:
        return 1.0
    total = usable_memory()
    if total is None:
        raise OSError("this platform does not tell how much memory there is; give an amount such as 1GiB")
    return float(total)


def _asked(size: float) -> str:
    return f"asked for {math.ceil(size / MIB)} MiB"


def _left() -> str:
    return f"of {(usable_memory() or 0) // MIB} MiB, {_reserve() // MIB} MiB are left to everybody else"
