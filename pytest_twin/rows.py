"""A CSV file that rows are appended to: one write a row, so a killed run loses at most the row being written."""

from __future__ import annotations

import errno
import os

FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
LONGEST_ROW = 1 << 20


class Rows:
    """An open table; what a run that died left unfinished at its end is cut off."""

    def __init__(self, path: str, header: str) -> None:
        """Open it.

        Args:
            path: The file.
            header: Its first line, written where the file is new.

        Raises:
            OSError: It cannot be opened, is a link, or has other columns.
        """
        self._fd = os.open(path, FLAGS, 0o600)
        size = os.fstat(self._fd).st_size
        if size:
            os.lseek(self._fd, max(0, size - LONGEST_ROW), os.SEEK_SET)
            tail = os.read(self._fd, LONGEST_ROW)
            os.ftruncate(self._fd, size - len(tail) + tail.rfind(b"\n") + 1)
        if os.fstat(self._fd).st_size == 0:
            self.append(header)
        elif not self._begins_with(header.encode()):
            os.close(self._fd)
            raise OSError(errno.EINVAL, "has other columns; give another directory", path)

    def _begins_with(self, line: bytes) -> bool:
        os.lseek(self._fd, 0, os.SEEK_SET)
        return os.read(self._fd, len(line)) == line

    def append(self, row: str) -> None:
        """Write one row, whole or not at all.

        Raises:
            OSError: It could not be written.
        """
        data = row.encode()
        before = os.fstat(self._fd).st_size
        wrote = os.write(self._fd, data)
        if wrote < len(data):
            os.ftruncate(self._fd, before)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self) -> None:
        """No more rows."""
        os.close(self._fd)
