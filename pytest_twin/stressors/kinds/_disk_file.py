"""The file of a disk load: unnamed, bypassing the page cache if possible, with a reserve of the disk left free.

It is opened with O_TMPFILE (open(2)), or unlinked right after it was opened, so that it is never left behind. With
O_DIRECT its space is allocated before it is used (fallocate(2)), so that no write has to; without, it is synced to the
disk regularly and its cached pages are dropped, so that it takes no memory.
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

from pytest_twin.stressors.kinds._disk_calls import (
    FULL,
    aligned_buffer,
    allocate,
    drop_cache,
    read_at,
    set_direct,
    write_at,
)
from pytest_twin.stressors.kinds._unnamed_file import open_unnamed
from pytest_twin.stressors.system.capacity import MIB, disk_reserve

PAGE = mmap.PAGESIZE
LARGEST_CALL = 4 * MIB  # a longer call would delay a stop
REGION = 256 * MIB  # allocated at a time
SYNC_EVERY = 16 * MIB  # without O_DIRECT
CHECK_SPACE_EVERY_S = 0.1


class DiskFull(OSError):  # noqa: N818 - as the message says
    """The disk has no space for the file."""


class DiskFile:
    """A file that is written and read from beginning to end repeatedly, or in random order.

    Attributes:
        written: Bytes written, without those of `fill`.
        read: Bytes read.
        size: The present size in bytes.
        wanted: The size in bytes that it may grow to.
    """

    def __init__(
        self, directory: str, wanted: int, *, path: str | None = None, sync_every: int | None = None,
        scatter: random.Random | None = None,
    ) -> None:  # fmt: skip
        """Open an empty file.

        Args:
            directory: The directory that it takes its space in.
            wanted: The size in bytes that it may grow to.
            path: A path that it has for a moment, instead of the directory.
            sync_every: The number of bytes after which it is synced to the disk.
            scatter: The random source of the offsets of blocks; None is one block after another.

        Raises:
            OSError: There is no such directory, or it is not writable.
        """
        self.written = self.read = self.size = 0
        self.wanted = self._requested = -(-wanted // PAGE) * PAGE
        self._directory = (directory or ".") if path is None else os.path.dirname(path) or "."
        if not os.path.isdir(self._directory):
            raise OSError(f"{self._directory} is not a directory")
        self._fd, self._name = open_unnamed(self._directory, path)
        self._direct = set_direct(self._fd, True)
        self._sync_every = sync_every or (None if self._direct else SYNC_EVERY)
        self._scatter = scatter
        self._at = self._unsynced = 0
        self._next_check_at = 0.0
        self._buffer = aligned_buffer(LARGEST_CALL)
        self._buffer[:] = os.urandom(MIB) * (LARGEST_CALL // MIB)  # once: random data costs more than writing it

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)
        if sys.platform == "win32":
            os.unlink(self._name)

    @property
    def shortage(self) -> str:
        """A description of a file that cannot grow to the requested size; empty if it can."""
        if self.wanted == self._requested:
            return ""
        space = f"space for {self.wanted // MIB} of {self._requested // MIB} MiB"
        return f"{self._directory} has {space}; these are overwritten repeatedly"

    def fill(self) -> None:
        """Write the whole file once, in its final size, so that it can be read.

        Raises:
            DiskFull: There is no space for a mebibyte.
        """
        at = 0
        while at < self.size or self._grow():
            self.keep_reserve()
            at += self._write(min(LARGEST_CALL, self.size - at), at)
        self.sync()

    def write(self, size: int) -> None:
        """Write some bytes at the next offset.

        Raises:
            DiskFull: The disk is full.
        """
        for part, at in self._parts(size):
            self.written += self._write(part, at)

    def fetch(self, size: int) -> None:
        """Read some bytes at the next offset, from the disk."""
        for part, at in self._parts(size):
            got = read_at(self._fd, self._buffer[:part], at)
            if not self._direct:
                drop_cache(self._fd, at, got)
            self.read += got

    def sync(self) -> None:
        """Sync the file to the disk and drop its cached pages."""
        self._unsynced = 0
        os.fsync(self._fd)
        if not self._direct:
            drop_cache(self._fd, 0, 0)

    def keep_reserve(self) -> None:
        """Shrink the file if the disk has less than its reserve free; checked every `CHECK_SPACE_EVERY_S`.

        Raises:
            DiskFull: Less than a mebibyte of the file would be left.
        """
        now = time.monotonic()
        if now < self._next_check_at:
            return
        self._next_check_at = now + CHECK_SPACE_EVERY_S
        usage = shutil.disk_usage(self._directory)
        missing = disk_reserve(usage.total) - usage.free
        if missing > 0:
            self._shrink_to(self.size - missing, _describe_free(self._directory, usage.free))

    def _parts(self, size: int) -> Iterator[tuple[int, int]]:
        """Yield the (bytes, offset) of the calls that move some bytes."""
        if self._scatter is not None:
            self._at = self._scatter.randrange(max(1, self.size // size)) * size
        while size > 0:
            if self._at >= self.size and not self._grow():
                self._at = 0
            part = min(size, LARGEST_CALL, self.size - self._at)
            if self._direct and part % PAGE:
                self._go_through_cache()  # the last part of an amount may be less than a page
            yield part, self._at
            self._at += part
            size -= part

    def _write(self, size: int, at: int) -> int:
        try:
            wrote = write_at(self._fd, self._buffer[:size], at)
        except OSError as error:
            if error.errno == errno.EINVAL and self._direct:  # O_DIRECT does not work here after all
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
        """Allocate the next region, or what the disk has of it; return whether the file has grown."""
        if self.size == self.wanted:
            return False
        usage = shutil.disk_usage(self._directory)
        spare = max(0, usage.free - disk_reserve(usage.total)) // PAGE * PAGE
        step = min(REGION if self._direct else SYNC_EVERY, self.wanted - self.size)
        more = min(step, spare)
        if (
            self._direct and more and not allocate(self._fd, self.size, more)
        ):  # without O_DIRECT the C library might allocate by writing
            more = 0
        self.size += more
        if more < step:
            self._shrink_to(self.size, _describe_free(self._directory, usage.free))
        return more > 0

    def _shrink_to(self, size: int, reason: str) -> None:
        self.size = max(0, size) // PAGE * PAGE
        os.ftruncate(self._fd, self.size)
        if self.size < min(MIB, self._requested):
            raise DiskFull(reason)
        self.wanted = self.size


def _describe_free(directory: str, free: int) -> str:
    return f"{directory} has {free // MIB} MiB free, which are reserved for other processes"
