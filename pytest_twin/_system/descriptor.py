"""File descriptors in the process of the tests, where a test may close any descriptor by its number."""

from __future__ import annotations

from pytest_twin._system.stdlib import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Descriptor:
    """A descriptor that is reopened if a test has closed it; another file with its number is left alone."""

    __slots__ = ("_fd", "_file", "_lost", "_open")

    def __init__(self, open_it: Callable[[], int], lost: Callable[[], None] = lambda: None) -> None:
        """Open it.

        Args:
            open_it: Returns a new descriptor.
            lost: Called when the descriptor is found closed.

        Raises:
            OSError: It cannot be opened.
        """
        self._open, self._lost = open_it, lost
        self._fd, self._file = -1, (-1, -1)
        self.renew()

    def get(self) -> int:
        """Return the open descriptor, valid until the test goes on.

        Raises:
            OSError: It was closed and cannot be reopened.
        """
        if not self.is_open:
            self._lost()
            self.renew()
        return self._fd

    @property
    def is_open(self) -> bool:
        """Whether its number still refers to its file."""
        try:
            found = os.fstat(self._fd)
        except OSError:
            return False
        return self.is_of(found)

    def is_of(self, found: os.stat_result) -> bool:
        """Return whether a status is that of its file."""
        return (found.st_dev, found.st_ino) == self._file

    def renew(self) -> None:
        """Open the file again; an open one has to be closed before.

        Raises:
            OSError: It cannot be opened.
        """
        self._fd = self._open()
        found = os.fstat(self._fd)
        self._file = found.st_dev, found.st_ino

    def close(self) -> None:
        """Close it, unless a test has."""
        if self.is_open:
            os.close(self._fd)
        self._fd = -1
