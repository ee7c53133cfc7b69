"""What a process of ours writes to its stderr before it ends."""

from __future__ import annotations

from pytest_twin._system.stdlib import os, subprocess, sys

LONGEST = 4096

if sys.platform == "linux":

    def _new_file() -> int:
        return os.memfd_create("twin-last-words")

else:
    from pytest_twin._system.stdlib import tempfile

    def _new_file() -> int:
        with tempfile.TemporaryFile() as file:
            return os.dup(file.fileno())


class StderrFile:
    """A file for them, which nobody has to read while the process lives, as he would a pipe.

    On Linux it is in memory: there may be no folder for temporary files.
    """

    def __init__(self) -> None:
        try:
            self._fd = _new_file()
        except OSError:
            self._fd = -1

    @property
    def stderr(self) -> int:
        """What the process is to have as its stderr."""
        return self._fd if self._fd >= 0 else subprocess.DEVNULL

    def take(self) -> str:
        """The last line that was written; nothing can be written to the file any more."""
        fd, self._fd = self._fd, -1
        try:
            size = os.lseek(fd, 0, os.SEEK_END)
            os.lseek(fd, max(0, size - LONGEST), os.SEEK_SET)
            text = os.read(fd, LONGEST).decode(errors="replace")
            os.close(fd)
        except OSError:  # there is no file, or a test closed it
            return ""
        return (text.strip().splitlines() or [""])[-1]
