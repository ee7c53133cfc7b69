"""Files and folders that only their owner can access, created safely where other users can create links.

A folder is held open, and files in it are created through its descriptor (openat(2)): another user may redirect a path
between two calls, but not a descriptor. Windows has no descriptors of folders; there paths are used.
"""

from __future__ import annotations

import errno
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Self

from pytest_twin._system.stdlib import os, sys

NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
FOLDER_FLAGS = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
TEMPORARY = ".tmp"  # suffix of a file that is being written


class PrivateDirectory:
    """A folder that is held open; a context manager that closes it."""

    def __init__(self, path: Path, fd: int | None = None) -> None:
        """Open the folder.

        Args:
            path: The path of the folder as the user has given it; a link to it is followed.
            fd: Its descriptor, if it is open already.

        Raises:
            OSError: There is no such folder.
        """
        self.path = path
        self._fd = fd
        if fd is None and sys.platform != "win32":
            self._fd = os.open(path, FOLDER_FLAGS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._fd is not None:
            os.close(self._fd)

    def within(self, name: str) -> PrivateDirectory:
        """Open a folder in this one, and create it if there is none.

        Raises:
            OSError: It cannot be created, or there is a link or a file in its place.
        """
        try:
            os.mkdir(self._at(name), 0o700, dir_fd=self._fd)
        except FileExistsError:
            pass
        if sys.platform != "win32":
            return PrivateDirectory(self.path / name, os.open(name, FOLDER_FLAGS | NO_LINK, dir_fd=self._fd))
        if os.path.islink(self._at(name)):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), self._at(name))
        return PrivateDirectory(self.path / name)

    def write(self, name: str, text: str) -> None:
        """Write a file atomically: a file with that name is replaced when the new one is complete.

        Raises:
            OSError: It cannot be written.
        """
        self.write_pieces(name, (text,))

    def write_pieces(self, name: str, pieces: Iterable[str]) -> None:
        """Write a file atomically from pieces of text.

        Raises:
            OSError: It cannot be written.
        """
        with self.new_file(name) as file:
            file.writelines(piece.encode("utf-8", "backslashreplace") for piece in pieces)

    @contextmanager
    def new_file(self, name: str) -> Iterator[IO[bytes]]:
        """Yield a new file that gets its name, and replaces another, when the block ends; with an error there is none.

        Raises:
            OSError: It cannot be written.
        """
        temporary = name + TEMPORARY
        try:
            with self.create(temporary) as file:
                yield file
            self.rename(temporary, name)
        except BaseException:
            with suppress(OSError):
                self.remove(temporary)
            raise

    def create(self, name: str) -> IO[bytes]:
        """Create a file for writing; a file or link with that name is removed.

        Raises:
            OSError: It cannot be created.
        """
        self.remove(name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_LINK
        return open(os.open(self._at(name), flags, 0o600, dir_fd=self._fd), "wb")

    def rename(self, name: str, new: str) -> None:
        """Rename a file; a file or link with the new name is replaced.

        Raises:
            OSError: It cannot be renamed.
        """
        os.replace(self._at(name), self._at(new), src_dir_fd=self._fd, dst_dir_fd=self._fd)

    def remove(self, name: str) -> None:
        """Remove a file or link, if there is one.

        Raises:
            OSError: It cannot be removed.
        """
        try:
            os.unlink(self._at(name), dir_fd=self._fd)
        except FileNotFoundError:
            pass

    def _at(self, name: str) -> str:
        """Return the argument of system calls: a name relative to the descriptor, else a path."""
        return name if self._fd is not None else str(self.path / name)


def write_atomic(path: Path, text: str) -> None:
    """Write a file for its owner only, atomically.

    Raises:
        OSError: It cannot be written, or the path is a device or the like, which must not be replaced.
    """
    write_pieces(path, (text,))


def write_pieces(path: Path, pieces: Iterable[str]) -> None:
    """Write a file for its owner only, atomically, from pieces of text.

    Raises:
        OSError: As for `write_atomic`.
    """
    with new_file(path) as file:
        file.writelines(piece.encode("utf-8", "backslashreplace") for piece in pieces)


@contextmanager
def new_file(path: Path) -> Iterator[IO[bytes]]:
    """Yield a new file for its owner only, which gets its name when the block ends.

    Raises:
        OSError: As for `write_atomic`.
    """
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "is not a regular file", str(path))
    with PrivateDirectory(path.parent) as folder, folder.new_file(path.name) as file:
        yield file


def why_untrusted(path: Path) -> str:
    """Return why files should not be written into a folder, and what to do; empty if it can be trusted."""
    if sys.platform == "win32":
        return ""
    trusted = {0, os.geteuid()}
    try:
        link = os.lstat(path)
        if stat.S_ISLNK(link.st_mode) and link.st_uid not in trusted:
            return "is a symbolic link of another user; choose a directory of your own"
        found = path.stat()
    except OSError:
        return ""
    if not found.st_mode & stat.S_IWOTH:
        return ""
    return "is world-writable; run chmod o-w on it, or choose another directory"
