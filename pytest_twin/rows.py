"""A CSV file that rows are appended to: one write a row, so a killed run loses at most the row being written."""

from __future__ import annotations

import errno

from pytest_twin.stdlib import os

FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
LONGEST_ROW = 1 << 20
DIGITS = 4


class Rows:
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
        self._fd, self._size = -1, 0
        self._open()
        if not self._size:
            self.append("")

    def append(self, row: str) -> None:
        """Write one row, whole or not at all.

        Raises:
            OSError: It could not be written.
        """
        if 0 < self._rotate_at <= self._size:
            self._renew()
        data = (row if self._size else self._header + row).encode()
        wrote = 0
        try:
            while wrote < len(data):  # where not all is taken, the next call tells why: a full disk, a limit of files
                wrote += os.write(self._fd, data[wrote:])
        except OSError:
            if wrote:
                os.ftruncate(self._fd, os.fstat(self._fd).st_size - wrote)
            raise
        self._size += wrote

    @property
    def is_in_place(self) -> bool:
        """Whether what has its name is still this file."""
        try:
            return os.path.samestat(os.stat(self._path), os.fstat(self._fd))
        except OSError:
            return False

    def close(self) -> None:
        """No more rows."""
        fd, self._fd = self._fd, -1
        try:
            if fd >= 0:
                os.close(fd)
        except OSError:  # a test closed it already
            pass

    def _open(self) -> None:
        self._fd = os.open(self._path, FLAGS, 0o600)
        found = os.fstat(self._fd)
        size = found.st_size
        if found.st_nlink > 1:  # what is appended would get into whatever else has that other name
            self.close()
            raise OSError(errno.EMLINK, "has a second name (a hard link); give another directory", self._path)
        if size:
            os.lseek(self._fd, max(0, size - LONGEST_ROW), os.SEEK_SET)
            tail = os.read(self._fd, LONGEST_ROW)
            size += tail.rfind(b"\n") + 1 - len(tail)
            os.ftruncate(self._fd, size)
        if size and not self._begins_with(self._header.encode()):
            self.close()
            raise OSError(errno.EINVAL, "has other columns; give another directory", self._path)
        self._size = size

    def _begins_with(self, line: bytes) -> bool:
        os.lseek(self._fd, 0, os.SEEK_SET)
        return os.read(self._fd, len(line)) == line

    def _renew(self) -> None:
        """Go on in a new file; where the full one cannot be renamed, it grows on, and the next row tries again."""
        self.close()  # Windows renames no open file
        try:
            os.rename(self._path, piece_path(self._path, next_number(self._path)))
        except OSError:
            pass
        self._open()


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
