"""File descriptors in the process of the tests, where a test may close any descriptor by its number."""

from __future__ import annotations

from pytest_twin._system.stdlib import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Descriptor:
    """A descriptor that is reopened if a test has closed it; another file with its number is left alone.

    Attributes:
        fd: The number, for a process in which no tests run; elsewhere `get` returns it.
    """

    __slots__ = ("_device", "_inode", "_lost", "_open", "fd")

    def __init__(self, open_it: Callable[[], int], lost: Callable[[], None] = lambda: None) -> None:
        """Open it.

        Args:
            open_it: Returns a new descriptor.
            lost: Called when the descriptor is found closed.

        Raises:
            OSError: It cannot be opened.
        """
        self._open, self._lost = open_it, lost
        self.fd = self._device = self._inode = -1
        self.renew()

    def get(self) -> int:
        """Return the open descriptor, valid until the test goes on.

        Raises:
            OSError: It was closed and cannot be reopened.
        """
        try:
            found = os.fstat(self.fd)
            if found.st_ino == self._inode and found.st_dev == self._device:
                return self.fd
        except OSError:  # a test has closed it
            pass
        self._lost()
        self.renew()
        return self.fd

    def is_of(self, found: os.stat_result) -> bool:
        """Return whether a status is that of its file."""
        return found.st_ino == self._inode and found.st_dev == self._device

    def renew(self) -> None:
        """Open the file again; an open one has to be closed before.

        Raises:
            OSError: It cannot be opened.
        """
        self.fd = self._open()
        found = os.fstat(self.fd)
        self._device, self._inode = found.st_dev, found.st_ino

    def close(self) -> None:
        """Close it, unless a test has."""
        try:
            if self.is_of(os.fstat(self.fd)):
                os.close(self.fd)
        except OSError:
            pass
        self.fd = -1
