"""File descriptors in the process of the tests, where a test may close any descriptor by its number."""

from __future__ import annotations

from itertools import repeat

from pytest_twin._system.stdlib import os, sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

if sys.platform == "linux":
    from fcntl import F_GETSIG, F_SETSIG, fcntl  # bound here, also while a test replaces them

    # real-time signals, which the kernel sends only for files with O_ASYNC, and ours have none
    _free_marks = list(range(35, 65))

else:
    F_GETSIG = F_SETSIG = 0
    _free_marks: list[int] = []

    def fcntl(_fd: int, _command: int, _value: int = 0, /) -> int:
        """Do nothing: no open file has a mark."""
        return 0


EACH_GETSIG = repeat(F_GETSIG)


def _set_mark(fd: int, mark: int) -> bool:
    """Mark an open file (F_SETSIG in fcntl(2)), and return whether that works; to look is faster than fstat."""
    try:
        fcntl(fd, F_SETSIG, mark)
        return fcntl(fd, F_GETSIG) == mark
    except OSError:  # such as in a sandbox that implements the kernel's calls in part
        return False


class Descriptor:
    """A descriptor that is reopened if a test has closed it; another file with its number is left alone.

    On Linux the first descriptors recognize their open file by a mark of their own, others by its device and inode.

    Attributes:
        fd: The number, for a process in which no tests run, and after `DescriptorGroup.reopen_lost`; elsewhere `get`
            returns it.
        mark: The mark of its open file; 0 without one.
    """

    __slots__ = ("_device", "_inode", "_lost", "_open", "fd", "mark")

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
        self.mark = _free_marks.pop() if _free_marks else 0
        self.renew()

    def get(self) -> int:
        """Return the open descriptor, valid until the test goes on.

        Raises:
            OSError: It was closed and cannot be reopened.
        """
        fd = self.fd
        try:
            if fcntl(fd, F_GETSIG) == self.mark if self.mark else self.is_of(os.fstat(fd)):
                return fd
        except (OSError, ValueError):  # a test has closed it
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
        if self.mark and not _set_mark(self.fd, self.mark):
            self.mark = 0

    def close(self) -> None:
        """Close it, unless a test has."""
        try:
            if self.is_of(os.fstat(self.fd)):
                os.close(self.fd)
        except OSError:
            pass
        if self.mark:
            _free_marks.append(self.mark)
        self.fd, self.mark = -1, 0


class DescriptorGroup:
    """Descriptors that are used together.

    Attributes:
        members: The descriptors.
    """

    def __init__(self, members: Sequence[Descriptor]) -> None:
        self.members = members
        self._find()

    def reopen_lost(self) -> None:
        """Reopen those that a test has closed; then `Descriptor.fd` of each is valid until a test goes on."""
        try:
            if list(map(fcntl, self._numbers, EACH_GETSIG)) == self._marks:  # most are all open
                return
        except (OSError, ValueError):
            pass
        for each in self.members:
            try:
                each.get()
            except OSError:  # there are too many open files: it is tried again after the next test
                each.fd = -1
        self._find()

    def _find(self) -> None:
        self._numbers, marks = [each.fd for each in self.members], [each.mark for each in self.members]
        self._marks = marks if all(marks) else None
