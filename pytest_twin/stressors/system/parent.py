"""Watching another process, in most cases the parent of this one, and the pipe that comes from it."""

from __future__ import annotations

import os
import sys

from pytest_twin.stressors.system.capacity import text

TYPE_CHECKING = False  # the sampler imports this, and next to nothing besides
if TYPE_CHECKING:
    import socket

READ_SIZE = 1 << 16


def open_pidfd(pid: int) -> int | None:
    """Return a descriptor that is readable when a process has ended (pidfd_open(2)).

    Returns:
        None where there is none: not on Linux, an old kernel or Python, or the process has ended already.
    """
    if sys.platform == "linux":
        try:
            return os.pidfd_open(pid)
        except (AttributeError, OSError):
            pass
    return None


def is_alive(pid: int) -> bool:
    """Return whether there is such a process; True on Windows, where it is not known."""
    try:
        if sys.platform != "win32":
            os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it belongs to another user
        pass
    return True


def process_state(pid: int) -> str:
    """Return the state of a process as the letter of proc_pid_stat(5), such as T for stopped; empty if not known."""
    return text(f"/proc/{pid}", "stat").rpartition(") ")[2][:1]


def socket_from_pipe(fd: int) -> socket.socket:
    """Return a socket that receives what comes through a pipe, for `select` on Windows, which takes nothing else."""
    import socket
    import threading

    receiver, sender = socket.socketpair()

    def pump() -> None:
        while data := os.read(fd, READ_SIZE):
            sender.sendall(data)
        sender.close()

    threading.Thread(target=pump, daemon=True).start()
    return receiver
