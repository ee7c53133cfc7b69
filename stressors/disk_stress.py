"""Disk load: a rate held, an amount written once, or as fast as it goes; past the page cache where that is possible.

The file never has a name (O_TMPFILE), or loses it right after it was opened, so that nothing is ever left behind.
Blocks go out on absolute deadlines: sleeping a fixed time after each block would fall short by what the block takes.
"""

from __future__ import annotations

import mmap
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Self

if not __package__:  # run as a file: its own folder, if that is on the path, gives way to the one above
    sys.path[0 : not sys.flags.safe_path] = [str(Path(__file__).resolve().parent.parent)]

from stressors.capacity import MIB
from stressors.job import Job
from stressors.kind import BYTES, MAX, RATE, Kind
from stressors.unnamed_file import open_unnamed

KIND = Kind(
    keyword="disk",
    type="disk",
    module="stressors.disk_stress",
    units=(RATE, BYTES, MAX),
    bare=None,
    amounts='a rate such as "50MB/s", an amount such as "1500MB", or "max"',
    modifiers=("block", "pause", "loop", "directory"),
    measure="written_bytes",
)

PAGE = mmap.PAGESIZE
RATE_BLOCK = 256 * 1024  # small, so that a rate is smooth
BULK_BLOCK = 4 * MIB
REGION = 256 * MIB  # a rate goes round in a file of this size
SYNC_EVERY = 16 * MIB  # where O_DIRECT is not to be had


def workers(job: Job) -> int:  # noqa: ARG001
    """One process writes it all."""
    return 1


def stress(job: Job) -> None:
    """Write until the amount is on the disk, or until stopped."""
    block = int(job.options.get("block") or (RATE_BLOCK if job.unit == RATE else BULK_BLOCK))
    block = max(PAGE, block // PAGE * PAGE)
    amount = int(job.profile.peak) if job.unit == BYTES else REGION
    block = min(block, amount)
    with Target(job.options.get("directory") or ".", job.options.get("path")) as target:
        target.room_for(max(block, amount))
        target.write(block)
        job.achieved["written_bytes"] = target.written
        job.ready()
        if job.unit == RATE:
            _hold_rate(job, target, block)
        else:
            _write_amount(job, target, block, amount if job.unit == BYTES and not job.options.get("loop") else None)


def _hold_rate(job: Job, target: Target, block: int) -> None:
    then, due = job.began, 0.0
    while True:
        now = job.now()
        rate = job.target()
        due, then = due + rate * (now - then), now
        due = min(due, target.written + max(rate, block))  # a disk that is too slow gets no debt of more than a second
        while target.written + block <= due:
            target.write(block)
            job.achieved["written_bytes"] = target.written
            job.tick()
        job.tick()
        missing = target.written + block - due
        time.sleep(min(0.05, missing / rate) if rate > 0 else 0.05)


def _write_amount(job: Job, target: Target, block: int, amount: int | None) -> None:
    """Write the amount, or without end where it is None; pause after each block if asked to."""
    pause = float(job.options.get("pause") or 0)
    while amount is None or target.written < amount:
        time.sleep(pause)
        target.write(block if amount is None else min(block, amount - target.written))
        job.achieved["written_bytes"] = target.written
        job.tick()
    target.sync()


class Target:
    """A file without a name, written round and round."""

    def __init__(self, directory: str, path: str | None = None) -> None:
        self.written = 0
        self._directory = directory if path is None else os.path.dirname(path) or "."
        if not os.path.isdir(self._directory):
            msg = f"{self._directory} is no directory"
            raise OSError(msg)
        self._fd, self._name = open_unnamed(self._directory, path)
        self._direct = _set_direct(self._fd, True)
        self._room = REGION
        self._at = self._unsynced = 0
        self._buffer = memoryview(mmap.mmap(-1, BULK_BLOCK))  # page-aligned, as O_DIRECT wants it
        self._buffer[:] = os.urandom(MIB) * (BULK_BLOCK // MIB)  # once: making it costs more than writing it

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)
        if sys.platform == "win32":
            os.unlink(self._name)

    def room_for(self, size: int) -> None:
        """Make the file as large as asked, or as large as leaves the disk's reserve free.

        Raises:
            OSError: There is not even room for a mebibyte.
        """
        usage = shutil.disk_usage(self._directory)
        spare = usage.free - max(256 * MIB, usage.total // 50)
        if spare < MIB:
            msg = f"{self._directory} has {usage.free // MIB} MiB free, which is left to everybody else"
            raise OSError(msg)
        self._room = min(size, spare)

    def write(self, size: int) -> None:
        """Write so many bytes and go on behind them."""
        while size > 0:
            if self._at >= self._room:
                self._at = 0
            part = min(size, BULK_BLOCK, self._room - self._at)
            if self._direct and part % PAGE:
                self._buffered()
            wrote = self._write_part(part)
            self._at += wrote
            self.written += wrote
            size -= wrote

    def sync(self) -> None:
        """Have it on the disk before going on."""
        self._unsynced = 0
        os.fsync(self._fd)

    def _write_part(self, part: int) -> int:
        os.lseek(self._fd, self._at, os.SEEK_SET)
        wrote = os.write(self._fd, self._buffer[:part])
        if not self._direct:
            self._unsynced += wrote
            if self._unsynced >= SYNC_EVERY:
                self.sync()
        return wrote

    def _buffered(self) -> None:
        """The tail of an amount need not be a whole page, which O_DIRECT refuses."""
        self._direct = False
        _set_direct(self._fd, False)


def _set_direct(fd: int, wanted: bool) -> bool:
    """Go past the page cache or no longer; whether that is how it is now."""
    if sys.platform != "linux":
        return False
    import fcntl

    flags = fcntl.fcntl(fd, fcntl.F_GETFL)
    try:
        fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_DIRECT if wanted else flags & ~os.O_DIRECT)
    except OSError:  # a file system that lacks it, such as tmpfs
        return False
    return wanted


def main() -> None:
    """Run it by hand, with the flags it always had."""
    from stressors.standalone import at_least, hold, parser

    flags = parser(__doc__)
    flags.add_argument("--size_mb", type=at_least(1), default=1500, help="MiB to write (default: %(default)s)")
    flags.add_argument("--block_mb", type=at_least(0.01), default=10, help="MiB a block (default: %(default)s)")
    flags.add_argument(
        "--path",
        default="stress_file.bin",
        help="a file that does not exist yet; its name is gone as soon as it is open (default: %(default)s)",
    )
    flags.add_argument("--sleep", type=at_least(0), default=0, help="seconds after each block (default: %(default)s)")
    flags.add_argument("--duration", type=at_least(0), help="seconds to go on writing (default: until it is written)")
    given = flags.parse_args()
    if os.path.lexists(given.path):
        flags.error(f"--path: {given.path} exists; give a name that is free")
    options = {
        "block": given.block_mb * MIB,
        "pause": given.sleep,
        "path": given.path,
        "loop": given.duration is not None,
    }
    hold(KIND, {"unit": BYTES, "profile": [(0, given.size_mb * MIB)], "options": options, "duration": given.duration})


if __name__ == "__main__":
    main()
