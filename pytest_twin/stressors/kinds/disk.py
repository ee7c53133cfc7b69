"""Disk load: a rate, an amount moved once, or as fast as possible; written, read or both, bypassing the page cache.

Blocks have absolute deadlines: with a fixed pause after each block, the rate would be too low by the time of the block.
"""

from __future__ import annotations

import math
import random
import time

from pytest_twin.stressors.kinds import _rate_pacer
from pytest_twin.stressors.kinds._disk_file import LARGEST_CALL, PAGE, REGION, DiskFile, DiskFull
from pytest_twin.stressors.spec.kind import BYTES, MAX, RATE, Kind
from pytest_twin.stressors.spec.request import REPLAY
from pytest_twin.stressors.system.capacity import MIB
from pytest_twin.stressors.worker.job import Job

KIND = Kind(
    keyword="disk",
    type="disk",
    module="pytest_twin.stressors.kinds.disk",
    units=(RATE, BYTES, MAX),
    bare=None,
    amounts='a rate such as "50MB/s", an amount such as "1500MB", or "max"',
    modifiers=("pattern", "access", "block", "fsync", "pause", "loop", "directory"),
    measure="moved_bytes",
    fixed=(BYTES,),
)

BLOCKS_PER_S = 400  # of a rate: blocks small enough to be smooth, and large enough to leave a disk 2.5 ms for each
SMALLEST_RATE_BLOCK = 16 * 1024
SMALLEST_RATE_FILE = 32 * MIB


def workers(job: Job) -> int:  # noqa: ARG001
    """Return 1: one process moves all blocks."""
    return 1


def demand(job: Job) -> float:
    """Return the highest rate that is requested, in bytes per second."""
    return job.profile.peak if job.unit == RATE else math.inf


def stress(job: Job) -> None:
    """Write or read until the amount is moved, or until stopped.

    Raises:
        OSError: The disk fails or is full, or, for a strict load, has less space than requested.
    """
    block = max(PAGE, int(job.options.get("block") or _usual_block(job)) // PAGE * PAGE)
    amount = int(job.profile.peak) if job.unit == BYTES else math.inf
    is_filled = bool(job.options.get("pattern")) or job.options.get("access") == "random"
    with _opened(job, amount if amount < math.inf and not is_filled else min(amount, _usual_size(job))) as file:
        if is_filled:
            file.fill()  # so that it can be read and overwritten
        traffic = Traffic(job, file)
        traffic.move(int(min(block, amount)))
        try:
            if job.unit == RATE:
                traffic.restart()
                _rate_pacer.keep_rate(job, "moved_bytes", block, lambda: traffic.move(block))
            else:
                if job.unit == MAX:
                    traffic.restart()
                job.ready()
                _move_amount(job, traffic, block, math.inf if job.options.get("loop") else amount)
        except DiskFull as error:
            if job.strict:
                raise
            job.achieved["reduced"] = f"ended after {traffic.moved // MIB} MiB: {error}"


def _usual_block(job: Job) -> int:
    """Return a block size: a power of two that suits the rate, else the largest."""
    if job.unit != RATE:
        return LARGEST_CALL
    smooth: int = 1 << (math.ceil(job.profile.peak / BLOCKS_PER_S) - 1).bit_length()
    return min(max(smooth, SMALLEST_RATE_BLOCK), LARGEST_CALL)


def _usual_size(job: Job) -> float:
    """Return the size of the file: for a rate that of a second, since the first write to a part of a file is slow."""
    if job.unit != RATE or job.options.get("access") == "random":
        return REGION
    if job.options.get(REPLAY) and job.options.get("pattern"):
        return max(MIB, 2 * _usual_block(job))  # it is written first, which was not recorded
    return min(max(job.profile.peak, SMALLEST_RATE_FILE), REGION)


def _opened(job: Job, size: float) -> DiskFile:
    fsync = job.options.get("fsync")
    return DiskFile(
        job.options.get("directory") or ".",
        int(size),
        path=job.options.get("path"),
        sync_every=int(fsync) if fsync else None,
        scatter=random.Random(job.seed) if job.options.get("access") == "random" else None,  # noqa: S311 - not secret
    )


class Traffic:
    """Writes and reads blocks in a proportion, and updates the figures."""

    def __init__(self, job: Job, file: DiskFile) -> None:
        self._job, self._file = job, file
        self._read_share = float(job.options.get("pattern") or 0.0)

    @property
    def moved(self) -> int:
        """Bytes written and read."""
        return self._file.written + self._file.read

    def restart(self) -> None:
        """Restart the figures at 0."""
        self._file.written = self._file.read = 0
        self._update_figures()

    def move(self, size: int) -> int:
        """Write or read some bytes, whichever is behind its proportion, and return their number."""
        self._file.keep_reserve()
        if self._file.read + size <= self._read_share * (self.moved + size):
            self._file.fetch(size)
        else:
            self._file.write(size)
        self._update_figures()
        self._job.tick()
        return size

    def sync(self) -> None:
        """Sync the file to the disk."""
        self._file.sync()

    def _update_figures(self) -> None:
        achieved = self._job.achieved
        achieved["moved_bytes"] = self.moved
        if self._read_share < 1:
            achieved["written_bytes"] = self._file.written
        if self._read_share > 0:
            achieved["read_bytes"] = self._file.read
        if self._file.shortage and self._job.unit == BYTES:
            if self._job.strict:
                raise OSError(self._file.shortage)
            achieved["reduced"] = self._file.shortage


def _move_amount(job: Job, traffic: Traffic, block: int, amount: float) -> None:
    """Move an amount, which may be infinite, with a pause after each block if the load has one."""
    pause = float(job.options.get("pause") or 0)
    while traffic.moved < amount:
        if pause:
            time.sleep(pause)
        traffic.move(int(min(block, amount - traffic.moved)))
    traffic.sync()
