"""A CSV file that rows are appended to, with one write per row: a killed run loses at most the row being written."""

from __future__ import annotations

import errno

from pytest_twin._system.descriptor import Descriptor
from pytest_twin._system.stdlib import os

FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
LONGEST_ROW = 1 << 20
DIGITS = 4


class AppendOnlyFile:
    """An open table; an incomplete row that a killed run has left at its end is removed.

    Attributes:
        descriptor: The descriptor of the file.
    """

    def __init__(self, path: str, header: str, rotate_at: int = 0, *, beside_tests: bool = True) -> None:
        """Open it.

        Args:
            path: The file.
            header: The first line of a new file.
            rotate_at: The size in bytes at which the file becomes a numbered piece and a new one begins; 0 is never.
            beside_tests: Whether tests run in this process, which may close the descriptor.

        Raises:
            OSError: It cannot be opened, is a link, or has other columns.
        """
        self._path, self._header, self._rotate_at, self._beside_tests = path, header, rotate_at, beside_tests
        self._size = 0
        self.descriptor = Descriptor(self._open)
        if not self._size:
            self.append("")

    def append(self, row: str) -> None:
        """Write one row, completely or not at all.

        Raises:
            OSError: It could not be written.
        """
        if 0 < self._rotate_at <= self._size:
            self._renew()
        fd = self.descriptor.get() if self._beside_tests else self.descriptor.fd
        data = (row if self._size else self._header + row).encode()
        wrote = os.write(fd, data)
        if wrote < len(data):
            self._write_rest(fd, data, wrote)
        self._size += len(data)

    def _write_rest(self, fd: int, data: bytes, wrote: int) -> None:
        """Write what a partial write has left, or remove what it wrote.

        Raises:
            OSError: The rest could not be written either, which is why it was partial, such as a full disk.
        """
        try:
            while wrote < len(data):
                wrote += os.write(fd, data[wrote:])
        except OSError:
            os.ftruncate(fd, os.fstat(fd).st_size - wrote)
            raise

    @property
    def is_in_place(self) -> bool:
        """Whether the path still leads to this file."""
        try:
            return self.descriptor.is_of(os.stat(self._path))
        except OSError:
            return False

    def close(self) -> None:
        """Close the file."""
        self.descriptor.close()

    def _open(self) -> int:
        """Open the file and read its size."""
        fd = os.open(self._path, FLAGS, 0o600)
        try:
            self._size = self._prepare(fd)
        except OSError:
            os.close(fd)
            raise
        return fd

    def _prepare(self, fd: int) -> int:
        """Remove an incomplete last row and check the header; return the remaining size."""
        found = os.fstat(fd)
        size = found.st_size
        if found.st_nlink > 1:  # rows would be appended to the file of the other name too
            raise OSError(errno.EMLINK, "has a hard link; choose another directory", self._path)
        if size:
            os.lseek(fd, max(0, size - LONGEST_ROW), os.SEEK_SET)
            tail = os.read(fd, LONGEST_ROW)
            size += tail.rfind(b"\n") + 1 - len(tail)
            os.ftruncate(fd, size)
        if size:
            os.lseek(fd, 0, os.SEEK_SET)
            if os.read(fd, len(header := self._header.encode())) != header:
                raise OSError(errno.EINVAL, "has different columns; choose another directory", self._path)
        return size

    def _renew(self) -> None:
        """Rename the full file and begin a new one; if it cannot be renamed, it grows on until the next attempt."""
        self.descriptor.close()  # Windows cannot rename an open file
        try:
            os.rename(self._path, piece_path(self._path, next_number(self._path)))
        except OSError:
            pass
        self.descriptor.renew()


def piece_path(path: str, number: int, suffix: str = "") -> str:
    """Return the path of a numbered piece of a table, with the suffix of the table unless another is given."""
    stem, own = os.path.splitext(path)
    return f"{stem}.{number:0{DIGITS}}{suffix or own}"


def next_number(path: str) -> int:
    """Return the number of the next piece of a table."""
    return 1 + max((piece_number(name, path) for name in os.listdir(os.path.dirname(path) or ".")), default=0)


def piece_number(name: str, path: str) -> int:
    """Return the number of a piece of the table at a path by the name of its file; 0 for any other file."""
    stem = os.path.splitext(os.path.basename(path))[0] + "."
    digits, dot, _ = name.removeprefix(stem).partition(".")
    is_piece = name.startswith(stem) and dot and len(digits) >= DIGITS and digits.isascii() and digits.isdecimal()
    return int(digits) if is_piece else 0
