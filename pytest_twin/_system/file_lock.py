"""Whose a report directory is now: a lock of the kernel (fcntl(2)), which is free as soon as its holder ends.

It belongs to the process and no child inherits it, so nothing that a test leaves running keeps the next run out. The
kernel lets a process take its own lock a second time, and drops it when the process closes any descriptor of the file:
a second run within the process (``pytest.main`` in a test) is refused here, before it opens the file.
"""

from __future__ import annotations

import errno
import platform
from contextlib import suppress
from pathlib import Path

from pytest_twin._system.stdlib import json, os, sys, time

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
FAR = 1 << 30  # Windows lets nobody read a byte that is locked, so it is one that is not there
LONGEST = 4096
HELD = {errno.EAGAIN, errno.EACCES, errno.EDEADLK}  # whatever else is said comes from a file system without locks


_held: dict[
    tuple[int, int], tuple[int, str]
] = {}  # by device and inode: the process that holds it, and its description


class LockedError(OSError):
    """Another run has the directory; the message says which.

    Attributes:
        is_brief: Whether it only completes what is there, and lets go soon.
    """

    def __init__(self, number: int, holder: str, *, is_brief: bool = False) -> None:
        super().__init__(number, holder)
        self.is_brief = is_brief


class FileLock:
    """A directory that this process has for itself until `release`, or until it ends."""

    def __init__(self, path: Path, *, is_brief: bool = False) -> None:
        """Take it.

        Args:
            path: The lock file.
            is_brief: Tell others who want it that it is worth waiting.

        Raises:
            HeldError: Another run has it, of this process or of another one.
            OSError: The file cannot be opened.
        """
        self._path = path
        self._refuse_own()
        self._fd = _acquire(path)
        pid, host = os.getpid(), platform.node()
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        status = os.fstat(self._fd)
        self._key = status.st_dev, status.st_ino
        _held[self._key] = pid, _description(pid, host, since)
        os.ftruncate(self._fd, 0)
        holder = {"pid": pid, "host": host, "since": since, "brief": is_brief}
        os.write(self._fd, json.dumps(holder).encode())

    def release(self) -> None:
        """Let others have it; a second time does nothing."""
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        _held.pop(self._key, None)
        if sys.platform == "win32":  # where no file can be removed that is open
            os.close(fd)
            self._path.unlink(missing_ok=True)
        else:  # and here nobody else can have it yet
            self._path.unlink(missing_ok=True)
            with suppress(OSError):  # a test closed it already
                os.close(fd)

    def _refuse_own(self) -> None:
        """Refuse a file that this process has locked; a fork asks the kernel, for which it is another process."""
        try:
            status = os.stat(self._path, follow_symlinks=False)
        except OSError:
            return
        pid, holder = _held.get((status.st_dev, status.st_ino), (0, ""))
        if pid == os.getpid():
            raise LockedError(errno.EAGAIN, holder)


class PresenceLock:
    """A sign of a process that writes to the directory beside its holder: it is there until its end at the latest."""

    def __init__(self, path: Path) -> None:
        """Set it; a file system without locks, and Windows, have none.

        Args:
            path: The lock file of all who are there.

        Raises:
            OSError: The file cannot be opened.
        """
        self._fd = os.open(path, FLAGS, 0o600)
        if sys.platform != "win32":
            with suppress(OSError):
                fcntl.lockf(self._fd, fcntl.LOCK_SH | fcntl.LOCK_NB)

    def end(self) -> None:
        """Take it away."""
        with suppress(OSError):  # a test closed it already
            os.close(self._fd)


def is_anybody_present(path: Path) -> bool:
    """Whether another process has set its sign in this file; not known on Windows."""
    try:
        fd = os.open(path, FLAGS & ~os.O_CREAT)
    except OSError:
        return False
    with suppress(OSError), os.fdopen(fd, "rb+"):
        if sys.platform != "win32":
            try:
                fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                return error.errno in HELD
    return False


def _acquire(path: Path) -> int:
    """The descriptor of the file that is at the path, locked; the last holder may be removing it just now."""
    while True:
        fd = os.open(path, FLAGS, 0o600)
        try:
            _lock(fd)
        except OSError as error:
            if error.errno in HELD:
                holder, is_brief = _holder(fd)
                os.close(fd)
                raise LockedError(error.errno, holder, is_brief=is_brief) from None
        try:
            if os.path.samestat(os.fstat(fd), path.stat()):
                return fd
        except FileNotFoundError:
            pass
        os.close(fd)


def _lock(fd: int) -> None:
    if sys.platform == "win32":
        os.lseek(fd, FAR, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        os.lseek(fd, 0, os.SEEK_SET)
    else:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _holder(fd: int) -> tuple[str, bool]:
    """Who has it, and whether only for a moment, as far as can be told: it may be writing that just now."""
    try:
        os.lseek(fd, 0, os.SEEK_SET)
        found = json.loads(os.read(fd, LONGEST))
        return _description(int(found["pid"]), found["host"], found["since"]), bool(found.get("brief"))
    except (OSError, ValueError, TypeError, KeyError):
        return "another process", False


def _description(pid: int, host: str, since: str) -> str:
    return f"process {pid} on {host}, since {since}"
