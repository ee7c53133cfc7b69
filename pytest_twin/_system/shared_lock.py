"""Which pytest-xdist worker of a host may run a test now: any number of them together, or one alone.

Locks of the kernel (fcntl(2)), one a process: what a worker holds is free as soon as it ends, however it ends, and no
child inherits it. Everybody passes a gate to come into the room, and whoever wants to be alone waits in the gate until
the room is empty, so that nobody can be kept waiting by those who came later. Nothing is waited for within the room.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest_twin._system.stdlib import os, sys

if sys.platform != "win32":
    import fcntl

FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
GATE, ROOM = ".gate.lock", ".room.lock"


class SharedExclusiveLock:
    """One worker's way into the room; Windows has no such locks, and no turns."""

    def __init__(self, folder: Path) -> None:
        """Find the way.

        Args:
            folder: Where the lock files are, the same for all workers.

        Raises:
            OSError: They cannot be opened.
        """
        self._gate, self._room = (os.open(folder / name, FLAGS, 0o600) for name in (GATE, ROOM))

    @contextmanager
    def hold(self, *, exclusive: bool) -> Iterator[None]:
        """Run the block when it may be run: with nobody else, or with others that want no more."""
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
        """No more turns."""
        os.close(self._gate)
        os.close(self._room)


def remove_lock_files(folder: Path) -> None:
    """Remove the lock files, when no worker is left."""
    for name in (GATE, ROOM):
        (folder / name).unlink(missing_ok=True)
