"""Files without a name, which are never left behind, however the process that writes them ends."""

from __future__ import annotations

import os
import sys
import tempfile


def open_unnamed(directory: str, path: str | None = None) -> tuple[int, str]:
    """Open a new file that has no name (on Windows an open file keeps its name).

    Args:
        directory: The directory that it takes its space in.
        path: A path that it has for a moment, instead of the directory.

    Returns:
        Its descriptor, and on Windows the path that is to be removed.
    """
    if path is None and sys.platform == "linux":
        try:
            return os.open(directory, os.O_TMPFILE | os.O_RDWR, 0o600), ""
        except OSError:  # a file system without it
            pass
    if path is None:
        fd, path = tempfile.mkstemp(prefix=".stress-", dir=directory)
    else:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
    if sys.platform != "win32":
        os.unlink(path)
    return fd, path
