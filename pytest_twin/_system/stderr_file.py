"""The stderr of a child process, from which the reason of its end is read."""

from __future__ import annotations

from pytest_twin._system.stdlib import os, subprocess, sys

LONGEST = 4096

if sys.platform == "linux":

    def _new_file() -> int:
        return os.memfd_create("twin-stderr")

else:
    from pytest_twin._system.stdlib import tempfile

    def _new_file() -> int:
        with tempfile.TemporaryFile() as file:
            return os.dup(file.fileno())


class StderrFile:
    """A file for stderr: unlike a pipe, it need not be read while the process runs.

    On Linux it is in memory, since there may be no folder for temporary files.
    """

    def __init__(self) -> None:
        try:
            self._fd = _new_file()
        except OSError:
            self._fd = -1

    @property
    def stderr(self) -> int:
        """The `stderr` argument of `subprocess.Popen`."""
        return self._fd if self._fd >= 0 else subprocess.DEVNULL

    def take(self) -> str:
        """Return the last line that was written, and close the file."""
        fd, self._fd = self._fd, -1
        try:
            size = os.lseek(fd, 0, os.SEEK_END)
            os.lseek(fd, max(0, size - LONGEST), os.SEEK_SET)
            text = os.read(fd, LONGEST).decode(errors="replace")
            os.close(fd)
        except OSError:  # there is no file, or a test has closed it
            return ""
        return (text.strip().splitlines() or [""])[-1]
