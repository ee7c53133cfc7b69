"""Attributes of this process that the Linux kernel keeps (prctl(2), sched_setattr(2)); elsewhere nothing is done."""

from __future__ import annotations

import os
import signal
import struct
import sys

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15
PR_SET_CHILD_SUBREAPER = 36
_SCHED_ATTR = struct.Struct("=IIQiIQQQ")  # size, policy, flags, nice, priority, runtime, deadline, period
_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}  # system calls

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


def set_child_subreaper(*, enabled: bool = True) -> None:
    """Make this process the parent of all its descendants whose own parent ends, or no longer do so."""
    _prctl(PR_SET_CHILD_SUBREAPER, int(enabled))


def run_promptly(nice: int, slice_s: float) -> None:
    """Have this process run as soon as it wakes up, as far as its rights go: with a short time slice, and niceness."""
    if sys.platform == "linux":
        try:
            os.nice(nice)
        except OSError:  # it needs a right; a short slice needs none
            pass
        number = _SCHED_SETATTR.get(os.uname().machine)
        if number is not None:
            present = os.getpriority(os.PRIO_PROCESS, 0)
            attributes = _SCHED_ATTR.pack(_SCHED_ATTR.size, os.SCHED_OTHER, 0, present, 0, round(slice_s * 1e9), 0, 0)
            _libc.syscall(number, 0, attributes, 0)
