"""A table that another process is writing, read as it grows: only what was appended, and only whole lines."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from pytest_twin.model.csv_text import records

if TYPE_CHECKING:
    from pathlib import Path

CHUNK = 1 << 18
FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)


class CsvFollower:
    """The rows that a CSV file gets; one that shrinks, or is replaced by another, is read from its beginning."""

    def __init__(self, path: Path, begun: Callable[[int], None] = lambda _: None, last: int | None = None) -> None:
        """Prepare it; the file need not be there yet.

        Args:
            path: The file.
            begun: Called before the first row of a file, with the number of rows in front of it that are left out,
                and with 0 when the file is gone.
            last: Read only so many bytes of what is there at the beginning; None is all of it.
        """
        self._path, self._begun, self._last = path, begun, last
        self._fd: int | None = None
        self._file: tuple[int, int] | None = None  # device and inode
        self._offset = 0  # behind the last whole line that was read
        self._header = ""

    def rows(self) -> Iterator[dict[str, str]]:
        """The rows since the last call; none where there is no file.

        Raises:
            OSError: The file is there and cannot be read.
            ValueError: It is not CSV.
        """
        is_another = self._is_another()
        if self._fd is not None:
            yield from self._rest(self._fd)  # also what came last into a file that was renamed or removed since
        if is_another:
            yield from self._open()
        if sys.platform == "win32":
            self.close()  # there nobody can rename or remove a file that is open, and it is not ours

    def close(self) -> None:
        """Let go of the file; a later call of `rows` goes on where this one was."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def _is_another(self) -> bool:
        """Whether the file has to be opened: none is, it was replaced, or it shrank."""
        if self._fd is None:
            return True
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            return True
        return (found.st_dev, found.st_ino) != self._file or found.st_size < self._offset

    def _open(self) -> Iterator[dict[str, str]]:
        self.close()
        try:
            self._fd = os.open(self._path, FLAGS)
        except FileNotFoundError:
            if self._file is not None:
                self._file = None
                self._begun(0)
            return
        found = os.fstat(self._fd)
        if (found.st_dev, found.st_ino) != self._file or found.st_size < self._offset:
            self._file, self._offset, self._header = (found.st_dev, found.st_ino), 0, ""
            self._begun(self._skip(self._fd, found.st_size))
        yield from self._rest(self._fd)

    def _skip(self, fd: int, size: int) -> int:
        """Go on to the last bytes of a file that has more than is wanted; comes back with the rows left out."""
        if self._last is None or size <= self._last:
            return 0
        os.lseek(fd, 0, os.SEEK_SET)
        chunk = os.read(fd, CHUNK)
        self._header = chunk[: chunk.find(b"\n") + 1].decode(errors="replace")
        lines, at, wanted = 0, 0, size - self._last
        while at < wanted and chunk:
            part = chunk[: wanted - at]
            lines += part.count(b"\n")
            if b"\n" in part:
                self._offset = at + part.rfind(b"\n") + 1
            at += len(part)
            chunk = os.read(fd, CHUNK)
        return max(0, lines - 1)

    def _rest(self, fd: int) -> Iterator[dict[str, str]]:
        while True:
            os.lseek(fd, self._offset, os.SEEK_SET)
            chunk = os.read(fd, CHUNK)
            whole = chunk[: chunk.rfind(b"\n") + 1]
            if not whole and len(chunk) < CHUNK:
                return
            self._offset += len(whole or chunk)  # a line that is longer than a chunk is no row of ours
            text = whole.decode(errors="replace")
            if not self._header:
                self._header, _, text = text.partition("\n")
                self._header += "\n"
            yield from records(self._header + text)
