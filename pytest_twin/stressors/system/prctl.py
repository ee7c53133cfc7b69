"""Attributes of this process that the Linux kernel keeps (prctl(2)); elsewhere these functions do nothing."""

from __future__ import annotations

import os
import signal
import sys

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15
PR_SET_CHILD_SUBREAPER = 36

if sys.platform == "linux":
    import ctypes  # here and not in the functions: a fork finds it loaded

    _libc = ctypes.CDLL(None)


def _prctl(option: int, value: int | bytes) -> None:
    if sys.platform == "linux":
        _libc.prctl(option, value)


def set_process_name(name: str) -> None:
    """Set the name of this process in process lists."""
    _prctl(PR_SET_NAME, name.encode())


def die_with_parent(parent: int) -> bool:
    """Have the kernel kill this process when its parent ends.

    Args:
        parent: The process id of the parent, taken before it could end.

    Returns:
        Whether it is still the parent; if it has ended before, this process is not killed.
    """
    if sys.platform == "linux":
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    return os.getppid() == parent


def set_child_subreaper() -> None:
    """Make this process the parent of all its descendants whose own parent ends."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
