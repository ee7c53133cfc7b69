"""The file of a disk load: without a name, past the page cache where that is possible, never the disk's last room.

It is opened with O_TMPFILE (open(2)), or loses its name right after it was opened, so that nothing is left behind. With
O_DIRECT its space is claimed before it is used (fallocate(2)), so that a write need not look for it; without, what was
written is brought to the disk now and then, and what is cached of it dropped, so that it costs no memory.
"""

from __future__ import annotations

import errno
import mmap
import os
import random
import shutil
import sys
import time
from collections.abc import Iterator
from typing import Self

from pytest_twin.stressors.kinds._disk_calls import FULL, aligned_buffer, claim, forget, read_at, set_direct, write_at
from pytest_twin.stressors.kinds._unnamed_file import open_unnamed
from pytest_twin.stressors.system.capacity import MIB, disk_reserve

PAGE = mmap.PAGESIZE
LARGEST_CALL = 4 * MIB  # a longer one could not be stopped soon enough
REGION = 256 * MIB  # claimed at a time
SYNC_EVERY = 16 * MIB  # where O_DIRECT is not to be had
LOOK_EVERY_S = 0.1  # for what others leave of the disk


class DiskFull(OSError):  # noqa: N818 - as the message says
    """The disk has no room for the file, or not any more."""


class DiskFile:
    """A file that is written and read round and round, or at random places.

    Attributes:
        written: Bytes written, `fill` left out.
        read: Bytes read.
        size: How large the file is now, in bytes.
        wanted: How large it may still become, in bytes.
    """

    def __init__(
        self, directory: str, wanted: int, *, path: str | None = None, sync_every: int | None = None,
        scatter: random.Random | None = None,
    ) -> None:  # fmt: skip
        """Open it; it has no size yet.

        Args:
            directory: Where it is.
            wanted: How large it may become, in bytes.
            path: A name that it has for a moment, in place of the directory.
            sync_every: Have what was written on the disk each so many bytes.
            scatter: Draws the places of blocks; None is one after another.

        Raises:
            OSError: There is no such directory, or it cannot be written to.
        """
        self.written = self.read = self.size = 0
        self.wanted = self._asked = -(-wanted // PAGE) * PAGE
        self._directory = (directory or ".") if path is None else os.path.dirname(path) or "."
        if not os.path.isdir(self._directory):
            raise OSError(f"{self._directory} is no directory")
        self._fd, self._name = open_unnamed(self._directory, path)
        self._direct = set_direct(self._fd, True)
        self._sync_every = sync_every or (None if self._direct else SYNC_EVERY)
        self._scatter = scatter
        self._at = self._unsynced = 0
        self._look_at = 0.0
        self._buffer = aligned_buffer(LARGEST_CALL)
        self._buffer[:] = os.urandom(MIB) * (LARGEST_CALL // MIB)  # once: making it costs more than writing it

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)
        if sys.platform == "win32":
            os.unlink(self._name)

    @property
    def short(self) -> str:
        """What is to be said of a file that cannot become as large as was asked; nothing where it can."""
        if self.wanted == self._asked:
            return ""
        room = f"room for {self.wanted // MIB} of {self._asked // MIB} MiB"
        return f"{self._directory} has {room}, which are written again and again"

    def fill(self) -> None:
        """Write the whole of it once, as large as it may become, so that there is something to read.

        Raises:
            NoRoom: There is not even room for a mebibyte.
        """
        at = 0
        while at < self.size or self._grow():
            self.keep_reserve()
            at += self._write(min(LARGEST_CALL, self.size - at), at)
        self.sync()

    def write(self, size: int) -> None:
        """Write so many bytes at the next place.

        Raises:
            NoRoom: The disk is full.
        """
        for part, at in self._parts(size):
            self.written += self._write(part, at)

    def fetch(self, size: int) -> None:
        """Read so many bytes at the next place, from the disk."""
        for part, at in self._parts(size):
            got = read_at(self._fd, self._buffer[:part], at)
            if not self._direct:
                forget(self._fd, at, got)
            self.read += got

    def sync(self) -> None:
        """Have it on the disk before going on, and not in memory."""
        self._unsynced = 0
        os.fsync(self._fd)
        if not self._direct:
            forget(self._fd, 0, 0)

    def keep_reserve(self) -> None:
        """Give back what others need by now, if that was not looked after just now.

        Raises:
            NoRoom: Not even a mebibyte would be left of it.
        """
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + LOOK_EVERY_S
        usage = shutil.disk_usage(self._directory)
        missing = disk_reserve(usage.total) - usage.free
        if missing > 0:
            self._shrink_to(self.size - missing, _left(self._directory, usage.free))

    def _parts(self, size: int) -> Iterator[tuple[int, int]]:
        """The calls, as (bytes, place), in which so many bytes are moved."""
        if self._scatter is not None:
            self._at = self._scatter.randrange(max(1, self.size // size)) * size
        while size > 0:
            if self._at >= self.size and not self._grow():
                self._at = 0
            part = min(size, LARGEST_CALL, self.size - self._at)
            if self._direct and part % PAGE:
                self._go_through_cache()  # the tail of an amount need not be a whole page
            yield part, self._at
            self._at += part
            size -= part

    def _write(self, size: int, at: int) -> int:
        try:
            wrote = write_at(self._fd, self._buffer[:size], at)
        except OSError as error:
            if error.errno == errno.EINVAL and self._direct:  # a file system or a disk that promised too much
                self._go_through_cache()
                return self._write(size, at)
            if error.errno not in FULL:
                raise
            self._shrink_to(at, f"{self._directory} is full")
            return 0
        self._unsynced += wrote
        if self._sync_every and self._unsynced >= self._sync_every:
            self.sync()
        return wrote

    def _go_through_cache(self) -> None:
        self._direct = set_direct(self._fd, False)
        self._sync_every = self._sync_every or SYNC_EVERY

    def _grow(self) -> bool:
        """Claim the next region, or what others leave of it; whether there was any."""
        if self.size == self.wanted:
            return False
        usage = shutil.disk_usage(self._directory)
        spare = max(0, usage.free - disk_reserve(usage.total)) // PAGE * PAGE
        step = min(REGION if self._direct else SYNC_EVERY, self.wanted - self.size)
        more = min(step, spare)
        if self._direct and more and not claim(self._fd, self.size, more):  # else the C library might do it by writing
            more = 0
        self.size += more
        if more < step:
            self._shrink_to(self.size, _left(self._directory, usage.free))
        return more > 0

    def _shrink_to(self, size: int, why: str) -> None:
        self.size = max(0, size) // PAGE * PAGE
        os.ftruncate(self._fd, self.size)
        if self.size < min(MIB, self._asked):
            raise DiskFull(why)
        self.wanted = self.size


def _left(directory: str, free: int) -> str:
    return f"{directory} has {free // MIB} MiB free, which is left to everybody else"
