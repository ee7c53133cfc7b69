"""A CSV file that rows are appended to: one write a row, so a killed run loses at most the row being written."""

from __future__ import annotations

import errno

from pytest_twin._system.descriptor import Descriptor
from pytest_twin._system.stdlib import os

FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
LONGEST_ROW = 1 << 20
DIGITS = 4


class AppendOnlyFile:
    """An open table; what a run that died left unfinished at its end is cut off."""

    def __init__(self, path: str, header: str, rotate_at: int = 0) -> None:
        """Open it.

        Args:
            path: The file.
            header: Its first line, written where the file is new.
            rotate_at: Bytes from which on the file becomes a numbered piece and a new one begins; 0 is never.

        Raises:
            OSError: It cannot be opened, is a link, or has other columns.
        """
        self._path, self._header, self._rotate_at = path, header, rotate_at
        self._size = 0
        self._descriptor = Descriptor(self._open)
        if not self._size:
            self.append("")

    def append(self, row: str) -> None:
        """Write one row, whole or not at all.

        Raises:
            OSError: It could not be written.
        """
        if 0 < self._rotate_at <= self._size:
            self._renew()
        fd = self._descriptor.get()
        data = (row if self._size else self._header + row).encode()
        wrote = 0
        try:
            while wrote < len(data):  # where not all is taken, the next call tells why: a full disk, a limit of files
                wrote += os.write(fd, data[wrote:])
        except OSError:
            if wrote:
                os.ftruncate(fd, os.fstat(fd).st_size - wrote)
            raise
        self._size += wrote

    @property
    def is_in_place(self) -> bool:
        """Whether what has its name is still this file."""
        try:
            return self._descriptor.is_of(os.stat(self._path))
        except OSError:
            return False

    def close(self) -> None:
        """No more rows."""
        self._descriptor.close()

    def _open(self) -> int:
        """Open it, and take in how long it is."""
        fd = os.open(self._path, FLAGS, 0o600)
        try:
            self._size = self._prepare(fd)
        except OSError:
            os.close(fd)
            raise
        return fd

    def _prepare(self, fd: int) -> int:
        """Cut off what a run that died left unfinished; comes back with the bytes that stay."""
        found = os.fstat(fd)
        size = found.st_size
        if found.st_nlink > 1:  # what is appended would get into whatever else has that other name
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
        """Go on in a new file; where the full one cannot be renamed, it grows on, and the next row tries again."""
        self._descriptor.close()  # Windows renames no open file
        try:
            os.rename(self._path, piece_path(self._path, next_number(self._path)))
        except OSError:
            pass
        self._descriptor.renew()


def piece_path(path: str, number: int, suffix: str = "") -> str:
    """The file of a numbered piece of a table; of the table's own kind where no suffix is given."""
    stem, own = os.path.splitext(path)
    return f"{stem}.{number:0{DIGITS}}{suffix or own}"


def next_number(path: str) -> int:
    """The number of the next piece of a table."""
    return 1 + max((piece_number(name, path) for name in os.listdir(os.path.dirname(path) or ".")), default=0)


def piece_number(name: str, path: str) -> int:
    """The number of a piece of the table at this path, by the name of its file; 0 for any other file."""
    stem = os.path.splitext(os.path.basename(path))[0] + "."
    digits, dot, _ = name.removeprefix(stem).partition(".")
    ours = name.startswith(stem) and dot and len(digits) >= DIGITS and digits.isascii() and digits.isdecimal()
    return int(digits) if ours else 0
