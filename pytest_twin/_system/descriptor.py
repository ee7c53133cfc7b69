"""A file that is held open in the process of the tests, where any test may close it by its number."""

from __future__ import annotations

from pytest_twin._system.stdlib import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Descriptor:
    """A descriptor that is opened again where a test has closed it; what then has its number is left alone."""

    __slots__ = ("_fd", "_file", "_lost", "_open")

    def __init__(self, open_it: Callable[[], int], lost: Callable[[], None] = lambda: None) -> None:
        """Open it.

        Args:
            open_it: Comes back with a new descriptor.
            lost: Called when it turns out that it was closed.

        Raises:
            OSError: It cannot be opened.
        """
        self._open, self._lost = open_it, lost
        self._fd, self._file = -1, (-1, -1)
        self.renew()

    def get(self) -> int:
        """The number of the open descriptor, good until the test goes on.

        Raises:
            OSError: It was closed, and cannot be opened again.
        """
        if not self.is_open:
            self._lost()
            self.renew()
        return self._fd

    @property
    def is_open(self) -> bool:
        """Whether its number still means its file."""
        try:
            found = os.fstat(self._fd)
        except OSError:
            return False
        return self.is_of(found)

    def is_of(self, found: os.stat_result) -> bool:
        """Whether that is its file."""
        return (found.st_dev, found.st_ino) == self._file

    def renew(self) -> None:
        """Open it again; one that is open has to be closed before.

        Raises:
            OSError: It cannot be opened.
        """
        self._fd = self._open()
        found = os.fstat(self._fd)
        self._file = found.st_dev, found.st_ino

    def close(self) -> None:
        """Let go of it, unless that has happened."""
        if self.is_open:
            os.close(self._fd)
        self._fd = -1
