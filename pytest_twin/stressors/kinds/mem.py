"""Memory load: resident bytes that follow a profile, with a reserve left for other processes.

Several processes hold a part each: they allocate and free in parallel, which threads of one interpreter cannot.
"""

from __future__ import annotations

import math
import time

from pytest_twin.stressors.kinds._resident_memory import BLOCK, ResidentMemory, has_huge_pages
from pytest_twin.stressors.spec.kind import BYTES, SHARE, Kind
from pytest_twin.stressors.spec.profile import Profile
from pytest_twin.stressors.spec.request import WHOLE
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

MAX_WORKERS = 4  # few are enough for the speed of the memory
MIN_WORKER_SIZE = 256 * MIB  # for less, another process costs more than it saves
MIN_STEP = MIB  # less than that, the last of the available memory is not allocated
WHOLE_EVERY_S = 0.1  # what others use is read; it takes the kernel a fifth of a millisecond
TOUCH_EVERY_S = 30.0  # 0.3 % of a CPU for 4 GiB; pages that the kernel swaps out first were idle for longer


def demand(job: Job) -> float:
    """Return the highest number of resident bytes that is requested.

    Raises:
        OSError: It is a share, and the size of the memory is not known.
    """
    return job.profile.peak * _whole(job)


def asked(job: Job) -> Profile:
    """Return the requested bytes over time."""
    return job.profile.scaled(_whole(job))


def workers(job: Job) -> int:
    """Return the number of workers that allocate the memory fastest.

    Raises:
        OSError: The load is strict, and requests more than is available.
    """
    peak = demand(job)
    if job.strict and peak > (spare := spare_memory(_reserve())):
        raise OSError(f"{_requested(peak)}; only {int(spare) // MIB} MiB are available {_limits()}")
    if job.options.get(WHOLE):
        return 1  # several would each take the others for somebody else
    return max(1, min(math.ceil(usable_cpus()), MAX_WORKERS, int(peak // MIN_WORKER_SIZE)))


def stress(job: Job) -> None:
    """Hold this worker's part of the bytes that the profile requests, until stopped."""
    whole = _whole(job)
    share = MemoryShare(job)
    share.resize(job.target() * whole)
    share.verify()
    job.ready()
    while True:
        share.resize(job.target() * whole)
        share.touch()
        job.tick()
        time.sleep(WHOLE_EVERY_S if share.is_of_whole else 0.2 if job.settled() else 0.02)


class MemoryShare:
    """One worker's part of the memory of a load.

    Attributes:
        is_of_whole: Whether the request is for the whole machine, and the load what others leave of it.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._reserve = _reserve()  # once, since it is needed before each block
        self.is_of_whole = bool(job.options.get(WHOLE))
        self._total = usable_memory() or 0
        self._used = 0  # bytes of the machine, where the load is of the whole of it
        huge = bool(job.options.get("huge"))
        self._memory = ResidentMemory(huge=huge)
        if huge and not has_huge_pages():
            self._fall_short("requested huge pages; they are disabled on this machine")
        self._touch_at = job.now() + TOUCH_EVERY_S
        self._update_figures()

    def resize(self, requested: float) -> None:
        """Allocate or free until this worker has its part of the requested bytes, or the reserve would be used.

        The available memory is read before each block, so that the reserve is short of at most a block for each worker
        of each load, whatever other processes allocate meanwhile.

        Raises:
            OSError: The reserve would be used, and the load is strict.
        """
        unit = self._memory.unit
        if self.is_of_whole:
            requested = max(0.0, requested - self._used_by_others())
        part = math.ceil(requested / self._job.workers / unit) * unit
        self._memory.shrink(part)
        while (missing := part - self._memory.size) > 0:
            size = min(missing, BLOCK, self._share_of_spare())
            if size < min(missing, MIN_STEP):
                self._fall_short(f"{_requested(requested)}; {self._allocated(part)} {_limits()}")
                break
            self._memory.grow(size)
            self._update_figures()
            self._job.tick()
        self._update_figures()

    def _used_by_others(self) -> float:
        """Return the bytes of the machine that are in use and not of this load."""
        available = available_memory()
        self._used = 0 if available is None else self._total - available
        return self._used - self._memory.resident

    def verify(self) -> None:
        """Update the figures with what the kernel reports as resident."""
        self._memory.measure()
        self._update_figures()

    def touch(self) -> None:
        """Touch each page every `TOUCH_EVERY_S` so that it stays resident: one block after another, at an even pace."""
        while self._memory.blocks and self._job.now() >= self._touch_at:
            self._memory.touch_next(self._share_of_spare)
            pause = TOUCH_EVERY_S / self._memory.blocks
            self._touch_at = max(self._touch_at, self._job.now() - 1) + pause
            self._update_figures()

    def _share_of_spare(self) -> int:
        """Return the bytes that this worker may allocate, whatever the other workers allocate at the same time."""
        share = spare_memory(self._reserve) / self._job.workers
        return BLOCK if share >= BLOCK else int(share) // self._memory.unit * self._memory.unit

    def _allocated(self, part: int) -> str:
        """Say how much there is; a worker knows its own part only, and the figures have the sum of all."""
        allocated = self._memory.size // MIB
        if self._job.workers == 1:
            return f"allocated {allocated} MiB"
        return f"a worker allocated {allocated} of its {part // MIB} MiB"

    def _fall_short(self, reason: str) -> None:
        if self._job.strict:
            raise OSError(reason)
        self._job.achieved["reduced"] = reason

    def _update_figures(self) -> None:
        resident = self._used if self.is_of_whole else self._memory.resident
        peak = max(resident, int(self._job.achieved.get("peak_bytes", 0)))
        self._job.achieved.update(resident_bytes=resident, peak_bytes=peak)


def spare_memory(reserve: int) -> float:
    """Return the bytes that a load may still allocate: the available ones without a reserve; infinite if not known."""
    available = available_memory()
    return math.inf if available is None else max(0, available - reserve)


def _reserve() -> int:
    return memory_reserve(usable_memory() or 0)


def _whole(job: Job) -> float:
    """Return the bytes that a value of 1 stands for."""
    if job.unit != SHARE:
        return 1.0
    total = usable_memory()
    if total is None:
        raise OSError("the size of the memory is not known on this platform; give an amount such as 1GiB")
    return float(total)


def _requested(size: float) -> str:
    return f"requested {math.ceil(size / MIB)} MiB"


def _limits() -> str:
    usable, reserved = (usable_memory() or 0) // MIB, _reserve() // MIB
    return f"({usable} MiB usable, {reserved} MiB reserved for other processes)"
