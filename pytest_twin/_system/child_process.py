"""The processes of ours that this one has as children: what they used is no test's, also when one has ended.

They are started, and may end, while a test runs, which replaces what it likes of the standard library: what is needed
of that here is bound at import.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pytest_twin._system.clock import monotonic
from pytest_twin._system.environment import ProcessContext, restore_context
from pytest_twin._system.interruptible_event import InterruptSafeEvent
from pytest_twin._system.stdlib import os, subprocess, sys, threading

PYTHON = sys.executable
KILLED_WITHIN_S = 5.0  # one that the kernel holds for longer, as where a disk stalls, is left to itself
LONGEST_PAUSE_S = 0.05

_handed_on: list[float] = []  # to this process with those of ours that were waited for

if sys.platform == "linux":
    from pytest_twin._system.stdlib import resource, signal

    _accounting = threading.Lock()

    class AccountedPopen(subprocess.Popen[bytes]):
        """Whoever waits for it keeps apart what the kernel hands on with it (getrusage(2))."""

        def poll(self) -> int | None:
            """Whether it has ended, and how.

            While it lives this takes no lock of Popen's: an interrupt that comes just there leaves it taken, and who
            waits for the end waits for ever.
            """
            return super().poll() if self._account(os.WNOHANG) else None

        def wait(self, timeout: float | None = None) -> int:
            """Wait for its end.

            Raises:
                subprocess.TimeoutExpired: It did not come within so many seconds.
            """
            if timeout is None:
                self._account(0)
                return super().wait()
            until, pause_s = monotonic() + timeout, 0.0005
            while (status := self.poll()) is None:
                if monotonic() >= until:
                    raise subprocess.TimeoutExpired(self.args, timeout)
                InterruptSafeEvent().wait(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            return status

        def kill(self) -> None:
            """End it, unless it has ended."""
            if self.poll() is None:
                try:
                    os.kill(self.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass

        def _account(self, options: int) -> bool:
            """When it has ended, reap it in a moment in which hardly anything else is added to what children used.

            Returns:
                Whether it has ended.
            """
            if self.returncode is not None:
                return True
            try:
                if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | options) is None:
                    return False
            except ChildProcessError:  # somebody else waited for it
                return True
            with _accounting:
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                super().poll()
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                known = _handed_on or [0.0] * len(before)
                _handed_on[:] = [old + late - early for old, early, late in zip(known, before, after, strict=True)]
            return True

else:
    AccountedPopen = subprocess.Popen[bytes]


def start(command: Sequence[str], surroundings: ProcessContext, **options: Any) -> AccountedPopen:
    """Start a process that has pipes for its stdin and stdout, in the surroundings of the run.

    Args:
        command: The arguments of Python.
        surroundings: What it is to have from us.
        options: More for `subprocess.Popen`.

    Raises:
        OSError: It cannot be started.
    """
    made = {
        "stdin": subprocess.PIPE,
        "stdout": subprocess.PIPE,
        "env": surroundings.variables,
        "umask": surroundings.umask,
        **options,
    }
    try:
        process = AccountedPopen([PYTHON, *command], cwd=surroundings.directory, **made)
    except OSError as error:
        if surroundings.directory is None or error.filename != surroundings.directory:
            raise
        process = AccountedPopen([PYTHON, *command], **made)  # the directory is gone: then it has that of this process
    restore_context(surroundings, process.pid)
    return process


def end(process: AccountedPopen, within_s: float) -> int | None:
    """Wait for the end of a process, and kill it where that does not come; None if not even that ends it."""
    for seconds in (within_s, KILLED_WITHIN_S):
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    return None


def subtract_own_children(usage: Sequence[float]) -> Sequence[float]:
    """What children used, as getrusage(2) tells it, less what those of ours did that have ended.

    The highest memory of any of them, which is no sum, stays as it is.
    """
    if not _handed_on:
        return usage
    told = [value - handed_on for value, handed_on in zip(usage, _handed_on, strict=True)]
    told[2] = usage[2]
    return told
