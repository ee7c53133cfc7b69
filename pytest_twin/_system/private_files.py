"""Files and folders for their owner only, made where they should be, whatever links others put in the way.

A folder is held open, and what is made in it is made by way of that descriptor (openat(2)): whoever may rename things
can lead a path elsewhere between two calls, but not a descriptor. Windows has none of folders; there paths have to do.
"""

from __future__ import annotations

import errno
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Self

from pytest_twin._system.stdlib import os, sys

NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
A_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
TEMPORARY = ".tmp"  # behind the name of a file that is being written


class PrivateDirectory:
    """A folder that is held open; a context manager that lets go of it."""

    def __init__(self, path: Path, fd: int | None = None) -> None:
        """Hold it.

        Args:
            path: Where it is; the user's own word, so a link to it is followed.
            fd: Its descriptor, if it is open already.

        Raises:
            OSError: There is none.
        """
        self.path = path
        self._fd = fd
        if fd is None and sys.platform != "win32":
            self._fd = os.open(path, A_FOLDER)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._fd is not None:
            os.close(self._fd)

    def within(self, name: str) -> PrivateDirectory:
        """A folder in it, made if there is none.

        Raises:
            OSError: It cannot be made, or there is a link or a file in its place.
        """
        try:
            os.mkdir(self._at(name), 0o700, dir_fd=self._fd)
        except FileExistsError:
            pass
        if sys.platform != "win32":
            return PrivateDirectory(self.path / name, os.open(name, A_FOLDER | NO_LINK, dir_fd=self._fd))
        if os.path.islink(self._at(name)):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), self._at(name))
        return PrivateDirectory(self.path / name)

    def write(self, name: str, text: str) -> None:
        """Write a file, all of it or nothing; what was there under its name is gone then, and untouched before.

        Raises:
            OSError: It cannot be written.
        """
        self.write_pieces(name, (text,))

    def write_pieces(self, name: str, pieces: Iterable[str]) -> None:
        """The same, of a text that comes in pieces.

        Raises:
            OSError: It cannot be written.
        """
        temporary = name + TEMPORARY
        try:
            with self.create(temporary) as file:
                file.writelines(piece.encode("utf-8", "backslashreplace") for piece in pieces)
            self.rename(temporary, name)
        except OSError:
            self.remove(temporary)
            raise

    def create(self, name: str) -> IO[bytes]:
        """A new file to write to, in place of whatever has that name.

        Raises:
            OSError: It cannot be made.
        """
        self.remove(name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_LINK
        return open(os.open(self._at(name), flags, 0o600, dir_fd=self._fd), "wb")

    def rename(self, name: str, new: str) -> None:
        """Give a file another name, in place of whatever has that one.

        Raises:
            OSError: It cannot be done.
        """
        os.replace(self._at(name), self._at(new), src_dir_fd=self._fd, dst_dir_fd=self._fd)

    def remove(self, name: str) -> None:
        """Remove a file or a link, if there is one.

        Raises:
            OSError: It cannot be done.
        """
        try:
            os.unlink(self._at(name), dir_fd=self._fd)
        except FileNotFoundError:
            pass

    def _at(self, name: str) -> str:
        """What the calls take: a mere name beside a descriptor, else a path."""
        return name if self._fd is not None else str(self.path / name)


def write_atomic(path: Path, text: str) -> None:
    """Write a file for its owner only, all of it or nothing.

    Raises:
        OSError: It cannot be written, or is a device or the like, which none of ours may replace.
    """
    write_pieces(path, (text,))


def write_pieces(path: Path, pieces: Iterable[str]) -> None:
    """The same, of a text that comes in pieces.

    Raises:
        OSError: As above.
    """
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "is not a regular file", str(path))
    with PrivateDirectory(path.parent) as folder:
        folder.write_pieces(path.name, pieces)


def why_untrusted(path: Path) -> str:
    """Why nobody should write files into what is at this path, and what to do; nothing where all is well, or empty."""
    if sys.platform == "win32":
        return ""
    ours = {0, os.geteuid()}
    try:
        link = os.lstat(path)
        if stat.S_ISLNK(link.st_mode) and link.st_uid not in ours:
            return "is a symbolic link of another user; choose a directory of your own"
        found = path.stat()
    except OSError:
        return ""
    if not found.st_mode & stat.S_IWOTH:
        return ""
    return "is world-writable; run chmod o-w on it, or choose another directory"
