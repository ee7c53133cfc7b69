"""Locks of the kernel on files (fcntl(2)): exclusive, shared, and one that is both.

A lock belongs to the process, and no child inherits it: it is released as soon as its holder ends, however it ends, and
nothing that a test leaves running keeps the next run out. The kernel lets a process take its own lock a second time,
and drops it when the process closes any descriptor of the file: `FileLock` refuses a second lock within the process (a
``pytest.main`` in a test) before it opens the file.
"""

from __future__ import annotations

import errno
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pytest_twin._system.stdlib import json, os, sys, time

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
FAR = 1 << 30  # Windows forbids to read a locked byte, so the lock is on one beyond the end of the file
LONGEST = 4096
LOCKED = {errno.EAGAIN, errno.EACCES, errno.EDEADLK}  # any other error comes from a file system without locks
GATE, ROOM = ".gate.lock", ".room.lock"

_own_locks: dict[tuple[int, int], tuple[int, str]] = {}  # by device and inode: process id and description of the holder


class LockedError(OSError):
    """Another process, or this one, has the lock; the message describes the holder.

    Attributes:
        is_brief: Whether the holder will release the lock soon.
    """

    def __init__(self, number: int, holder: str, *, is_brief: bool = False) -> None:
        super().__init__(number, holder)
        self.is_brief = is_brief


class FileLock:
    """An exclusive lock on a file, held until `release` or the end of this process."""

    def __init__(self, path: Path, *, is_brief: bool = False) -> None:
        """Acquire the lock.

        Args:
            path: The lock file.
            is_brief: Tell others that the lock will be released soon, so that they wait for it.

        Raises:
            LockedError: The lock is held, by another process or by this one.
            OSError: The file cannot be opened or written.
        """
        self._path = path
        self._refuse_own()
        self._fd = _acquire(path)
        pid, host = os.getpid(), platform.node()
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        status = os.fstat(self._fd)
        self._key = status.st_dev, status.st_ino
        _own_locks[self._key] = pid, _description(pid, host, since)
        holder = {"pid": pid, "host": host, "since": since, "brief": is_brief}
        try:
            os.ftruncate(self._fd, 0)
            os.write(self._fd, json.dumps(holder).encode())
        except OSError:  # such as a full disk
            self.release()
            raise

    def release(self) -> None:
        """Release the lock and remove its file; calling it again does nothing."""
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        _own_locks.pop(self._key, None)
        if sys.platform == "win32":  # an open file cannot be removed there
            os.close(fd)
            self._path.unlink(missing_ok=True)
        else:  # removed first, while nobody else can hold the lock
            self._path.unlink(missing_ok=True)
            with suppress(OSError):  # a test has closed it
                os.close(fd)

    def _refuse_own(self) -> None:
        """Raise LockedError if this process holds the lock; for the kernel a fork is another process."""
        try:
            status = os.stat(self._path, follow_symlinks=False)
        except OSError:
            return
        pid, holder = _own_locks.get((status.st_dev, status.st_ino), (0, ""))
        if pid == os.getpid():
            raise LockedError(errno.EAGAIN, holder)


class SharedExclusiveLock:
    """A fair lock for several processes: held by any number of them together, or by one alone. Windows has none.

    Two locks make it fair. Every process passes the gate to lock the room, and one that wants it alone waits within the
    gate until the room is empty, so that those who come later cannot overtake it. No process waits within the room.
    """

    def __init__(self, folder: Path) -> None:
        """Open the lock files.

        Args:
            folder: The folder of the lock files, the same for all processes.

        Raises:
            OSError: They cannot be opened.
        """
        self._gate, self._room = (_open(folder / name) for name in (GATE, ROOM))

    @contextmanager
    def hold(self, *, exclusive: bool) -> Iterator[None]:
        """Hold the lock during a block, alone or together with others."""
        if sys.platform == "win32":
            yield
        else:
            fcntl.lockf(self._gate, fcntl.LOCK_EX)
            try:
                fcntl.lockf(self._room, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
            finally:
                fcntl.lockf(self._gate, fcntl.LOCK_UN)
            try:
                yield
            finally:
                fcntl.lockf(self._room, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the lock files."""
        os.close(self._gate)
        os.close(self._room)


def remove_lock_files(folder: Path) -> None:
    """Remove the files of a `SharedExclusiveLock` that no process holds any more."""
    for name in (GATE, ROOM):
        (folder / name).unlink(missing_ok=True)


class PresenceLock:
    """A shared lock that shows that this process is present, until `release` or the end of this process."""

    def __init__(self, path: Path) -> None:
        """Acquire the lock; without effect on Windows and on a file system without locks.

        Args:
            path: The lock file, the same for all processes.

        Raises:
            OSError: The file cannot be opened.
        """
        self._fd = _open(path)
        if sys.platform != "win32":
            with suppress(OSError):
                fcntl.lockf(self._fd, fcntl.LOCK_SH | fcntl.LOCK_NB)

    def release(self) -> None:
        """Release the lock."""
        with suppress(OSError):  # a test has closed it
            os.close(self._fd)


def is_anybody_present(path: Path) -> bool:
    """Return whether another process has a `PresenceLock` on the file; False on Windows, where it is not known."""
    try:
        fd = _open(path, create=False)
    except OSError:
        return False
    with suppress(OSError), os.fdopen(fd, "rb+"):
        if sys.platform != "win32":
            try:
                fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                return error.errno in LOCKED
    return False


def _open(path: Path, *, create: bool = True) -> int:
    return os.open(path, FLAGS if create else FLAGS & ~os.O_CREAT, 0o600)


def _acquire(path: Path) -> int:
    """Lock the file at the path and return its descriptor; the last holder may be removing the file meanwhile."""
    while True:
        fd = _open(path)
        try:
            _lock(fd)
        except OSError as error:
            if error.errno in LOCKED:
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
    """Return the description of the holder and its `is_brief`, as far as it has written them yet."""
    try:
        os.lseek(fd, 0, os.SEEK_SET)
        found = json.loads(os.read(fd, LONGEST))
        return _description(int(found["pid"]), found["host"], found["since"]), bool(found.get("brief"))
    except (OSError, ValueError, TypeError, KeyError):
        return "another process", False


def _description(pid: int, host: str, since: str) -> str:
    return f"process {pid} on {host} (since {since})"
