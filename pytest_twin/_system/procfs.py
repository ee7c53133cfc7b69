"""Fast reading of kernel files, which are opened once and read from the beginning each time."""

from __future__ import annotations

import errno

from pytest_twin._system.descriptor import Descriptor
from pytest_twin._system.stdlib import os, sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Counter = float | None

LINUX = sys.platform == "linux"
PROC = "/proc"
if sys.platform != "win32":
    TICKS = os.sysconf("SC_CLK_TCK")
    PAGE = os.sysconf("SC_PAGE_SIZE")
    pread = os.pread
else:
    TICKS, PAGE = 100, 4096

    def pread(fd: int, length: int, offset: int, /) -> bytes:  # noqa: ARG001 - there are no such files
        """Return nothing."""
        return b""


MIB = 1 << 20
GIB = 1 << 30
TOO_MANY = {errno.EMFILE, errno.ENFILE}
READ_ONLY = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0)
AT_ONCE = 1 << 14
SHORT = 448  # bytes objects of this size are allocated fast
WHOLE_BELOW = 2048  # lists come in records, about a page per read (fs/seq_file.c): less than this is the end


def close_quietly(fd: int) -> None:
    """Close a descriptor, unless a test has closed it."""
    try:
        os.close(fd)
    except OSError:
        pass


class ProcFile:
    """A file of /proc or /sys; its text is empty if there is no such file.

    Attributes:
        is_refused: Whether it could not be opened because this process or the system has too many open files.
    """

    __slots__ = ("_fd", "is_refused")

    def __init__(self, path: str) -> None:
        self.is_refused = False
        try:
            self._fd = os.open(path, READ_ONLY)
        except OSError as error:
            self._fd, self.is_refused = -1, error.errno in TOO_MANY

    def read(self) -> bytes:
        """Return the present text, in as many reads as the kernel needs."""
        fd = self._fd
        if fd < 0:
            return b""
        try:
            text = part = pread(fd, AT_ONCE, 0)
            while len(part) >= WHOLE_BELOW:
                text += (part := pread(fd, AT_ONCE, len(text)))
        except OSError:
            return b""
        return text

    def start(self) -> bytes:
        """Return the first 448 bytes of the present text, which is all of a short file."""
        fd = self._fd
        if fd < 0:
            return b""
        try:
            return pread(fd, SHORT, 0)
        except OSError:
            return b""

    def read_or_raise(self) -> bytes:
        """Return the present text of a file that is no long list.

        Raises:
            OSError: There is no such file any more.
        """
        return pread(self._fd, AT_ONCE, 0)

    @property
    def fd(self) -> int:
        """The descriptor, -1 if there is no such file."""
        return self._fd

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            close_quietly(self._fd)
            self._fd = -1


class ReopeningProcFile(ProcFile):
    """A kernel file in the process of the tests, which is reopened if a test has closed it.

    Attributes:
        descriptor: Its descriptor, None if there is no such file.
    """

    __slots__ = ("descriptor",)

    def __init__(self, path: str, lost: Callable[[], None]) -> None:
        """Open it.

        Args:
            path: The file.
            lost: Called when the file is found closed.
        """
        self._fd, self.is_refused = -1, False
        self.descriptor: Descriptor | None = None
        try:
            self.descriptor = Descriptor(lambda: os.open(path, READ_ONLY), lost)
        except OSError as error:
            self.is_refused = error.errno in TOO_MANY

    def read(self) -> bytes:
        """Return the present text."""
        self._find()
        return super().read()

    def open_start(self) -> bytes:
        """Return the first 448 bytes of the present text, right after `DescriptorGroup.reopen_lost`."""
        if self.descriptor is None:
            return b""
        try:
            return pread(self.descriptor.fd, SHORT, 0)
        except OSError:
            return b""

    def close(self) -> None:
        """Close the file."""
        if self.descriptor is not None:
            self.descriptor.close()
        self._fd, self.descriptor = -1, None

    def _find(self) -> None:
        try:
            self._fd = self.descriptor.get() if self.descriptor is not None else -1
        except OSError:  # there are too many open files at present
            self._fd = -1


def read_bytes(path: str) -> bytes:
    """Open, read and close a kernel file; empty if it cannot be read."""
    file = ProcFile(path)
    text = file.read()
    file.close()
    return text


def numbers_agree(proc: str = PROC) -> bool:
    """Return whether a /proc has the process ids of this process; that of another PID namespace has others."""
    try:
        return os.readlink(f"{proc}/self") == str(os.getpid())
    except OSError:
        return False


def number(text: bytes) -> int | None:
    """Return the number in a text; None if it is none."""
    try:
        return int(text)
    except ValueError:
        return None
