"""Memory load: bytes really resident, following a profile, never more than the machine can spare.

Pages are populated with MADV_POPULATE_WRITE (Linux 5.14, madvise(2)), elsewhere by writing a byte to each.
"""

from __future__ import annotations

import mmap
import sys
import time
from pathlib import Path

if not __package__:  # run as a file: its own folder, if that is on the path, gives way to the one above
    sys.path[0 : not sys.flags.safe_path] = [str(Path(__file__).resolve().parent.parent)]

from stressors.capacity import MIB, available_memory, memory_reserve, usable_memory
from stressors.job import Job
from stressors.kind import BYTES, SHARE, Kind

KIND = Kind(
    keyword="mem",
    type="memory",
    module="stressors.mem_stress",
    units=(BYTES, SHARE),
    bare=(BYTES, MIB),
    amounts='an amount such as "1GiB", a share such as "25%", or a number of MiB',
    modifiers=(),
    measure="peak_bytes",
)

MADV_POPULATE_WRITE = 23  # not yet a constant of the mmap module
CHUNK = 16 * MIB
PAGE = mmap.PAGESIZE


def workers(job: Job) -> int:  # noqa: ARG001
    """One process holds it all."""
    return 1


def stress(job: Job) -> None:
    """Hold as many bytes as the profile asks for, until stopped."""
    whole = 1.0
    if job.unit == SHARE:
        total = usable_memory()
        if total is None:
            msg = "this platform does not tell how much memory there is; give an amount such as 1GiB"
            raise OSError(msg)
        whole = float(total)
    held = Held(job)
    held.grow_to(int(job.target() * whole))
    job.ready()
    while True:
        held.follow(int(job.target() * whole))
        job.tick()
        time.sleep(0.2 if job.settled() else 0.02)


class Held:
    """Resident memory in chunks: small enough that a stop is heard between two of them."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._chunks: list[mmap.mmap] = []
        self._bytes = 0
        job.achieved["resident_bytes"] = 0

    def follow(self, wanted: int) -> None:
        """Come to the wanted size."""
        wanted = -(-wanted // PAGE) * PAGE
        if wanted < self._bytes:
            self._shrink_to(wanted)
        self.grow_to(wanted)

    def grow_to(self, wanted: int) -> None:
        """Grow until as many bytes are resident, or until more would take what others need."""
        wanted = -(-wanted // PAGE) * PAGE
        while self._bytes < wanted:
            size = min(CHUNK, wanted - self._bytes)
            available, total = available_memory(), usable_memory()
            if available is not None and total is not None and available - size < memory_reserve(total):
                self._job.achieved["reduced"] = (
                    f"stopped at {self._bytes // MIB} of {wanted // MIB} MiB: "
                    f"{memory_reserve(total) // MIB} MiB are left to everybody else"
                )
                return
            self._chunks.append(_resident(size))
            self._bytes += size
            self._note()
            self._job.tick()

    def _shrink_to(self, wanted: int) -> None:
        while self._bytes > wanted:
            last = self._chunks.pop()
            self._bytes -= len(last)
            last.close()
        self._job.achieved["resident_bytes"] = self._bytes

    def _note(self) -> None:
        most = max(self._bytes, int(self._job.achieved.get("peak_bytes", 0)))
        self._job.achieved.update(resident_bytes=self._bytes, peak_bytes=most)


def _resident(size: int) -> mmap.mmap:
    chunk = mmap.mmap(-1, size)
    if sys.platform == "linux":
        try:
            chunk.madvise(MADV_POPULATE_WRITE)
        except OSError:  # an older kernel
            pass
        else:
            return chunk
    chunk[::PAGE] = b"\x01" * len(range(0, size, PAGE))
    return chunk


def main() -> None:
    """Run it by hand, with the flags it always had."""
    from stressors.standalone import at_least, hold, parser, staircase

    flags = parser(__doc__)
    flags.add_argument("--step_mb", type=at_least(1), default=500, help="MiB added by each step (default: %(default)s)")
    flags.add_argument("--steps", type=at_least(1, int), default=10, help="number of steps (default: %(default)s)")
    flags.add_argument("--sleep", type=at_least(0), default=10, help="seconds each step is held (default: %(default)s)")
    flags.add_argument("--duration", type=at_least(0), help="seconds in all (default: the steps')")
    given = flags.parse_args()
    steps = staircase(given.step_mb * MIB, given.steps, given.sleep)
    duration = given.steps * given.sleep if given.duration is None else given.duration
    hold(KIND, {"unit": BYTES, "profile": steps, "duration": duration})


if __name__ == "__main__":
    main()
