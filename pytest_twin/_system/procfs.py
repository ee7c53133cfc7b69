"""Reading the kernel's files cheaply: opened once, read again from the start."""

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
else:
    TICKS, PAGE = 100, 4096
MIB = 1 << 20
GIB = 1 << 30
TOO_MANY = {errno.EMFILE, errno.ENFILE}
READ_ONLY = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0)
AT_ONCE = 1 << 14
SHORT = 448  # Python has objects of this size at hand
WHOLE_BELOW = 2048  # lists come record by record, about a page a read (fs/seq_file.c): less than this is all of it


def close_quietly(fd: int) -> None:
    """Close a descriptor, also one that a test closed already which had no right to."""
    try:
        os.close(fd)
    except OSError:
        pass


class ProcFile:
    """A file of /proc or /sys; where there is none, its text is empty.

    Attributes:
        is_refused: Whether it is not open since this process, or the system, has all the files open that it may have.
    """

    __slots__ = ("_fd", "is_refused")

    def __init__(self, path: str) -> None:
        self.is_refused = False
        try:
            self._fd = os.open(path, READ_ONLY)
        except OSError as error:
            self._fd, self.is_refused = -1, error.errno in TOO_MANY

    def read(self) -> bytes:
        """What stands there now, however many pieces the kernel hands it out in."""
        if self._fd < 0 or sys.platform == "win32":
            return b""
        try:
            text = part = os.pread(self._fd, AT_ONCE, 0)
            while len(part) >= WHOLE_BELOW:
                text += (part := os.pread(self._fd, AT_ONCE, len(text)))
        except OSError:
            return b""
        return text

    def start(self) -> bytes:
        """Its first 448 bytes, which is all of a short one."""
        if self._fd < 0 or sys.platform == "win32":
            return b""
        try:
            return os.pread(self._fd, SHORT, 0)
        except OSError:
            return b""

    def read_or_raise(self) -> bytes:
        """What stands there now, where it matters that it cannot be read, and is no long list.

        Raises:
            OSError: There is no such file any more.
        """
        if sys.platform == "win32":
            return b""
        return os.pread(self._fd, AT_ONCE, 0)

    @property
    def fd(self) -> int:
        """The descriptor, -1 where there is no such file."""
        return self._fd

    def close(self) -> None:
        """No more reading."""
        if self._fd >= 0:
            close_quietly(self._fd)
            self._fd = -1


class ReopeningProcFile(ProcFile):
    """The same in the process of the tests: it is opened again where one of them has closed it."""

    __slots__ = ("_descriptor",)

    def __init__(self, path: str, lost: Callable[[], None]) -> None:
        """Open it.

        Args:
            path: The file.
            lost: Called when it turns out that it was closed.
        """
        self._fd, self.is_refused = -1, False
        self._descriptor: Descriptor | None = None
        try:
            self._descriptor = Descriptor(lambda: os.open(path, READ_ONLY), lost)
        except OSError as error:
            self.is_refused = error.errno in TOO_MANY

    def read(self) -> bytes:
        """What stands there now."""
        self._find()
        return super().read()

    def start(self) -> bytes:
        """Its first 448 bytes."""
        self._find()
        return super().start()

    def close(self) -> None:
        """No more reading."""
        if self._descriptor is not None:
            self._descriptor.close()
        self._fd, self._descriptor = -1, None

    def _find(self) -> None:
        try:
            self._fd = self._descriptor.get() if self._descriptor is not None else -1
        except OSError:  # no more files may be open just now
            self._fd = -1


def read_bytes(path: str) -> bytes:
    """A file that is read once, or whose process may be gone; empty where it cannot be read."""
    file = ProcFile(path)
    text = file.read()
    file.close()
    return text


def numbers_agree(proc: str = PROC) -> bool:
    """Whether processes have the numbers there that they have for this one; not in another PID namespace's /proc."""
    try:
        return os.readlink(f"{proc}/self") == str(os.getpid())
    except OSError:
        return False


def number(text: bytes) -> int | None:
    """A file that holds one number; None where it holds none."""
    try:
        return int(text)
    except ValueError:
        return None
