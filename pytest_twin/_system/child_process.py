"""Child processes of the plugin: started in the context of the run, with their resource usage kept out of the tests'.

They are started, and may end, while a test runs that replaces parts of the standard library: whatever is needed of that
is bound at import.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pytest_twin._system.clock import monotonic
from pytest_twin._system.interruptible_event import InterruptSafeEvent
from pytest_twin._system.stdlib import os, subprocess, sys, threading

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PYTHON = sys.executable
KILL_TIMEOUT_S = 5.0  # a process that the kernel holds for longer, as where a disk stalls, is left alone
LONGEST_PAUSE_S = 0.05
CURRENT_TEST = "PYTEST_CURRENT_TEST"  # pytest puts the test's id there, which may be longer than execve(2) takes

_own_usage: list[float] = []  # of the plugin's children that have ended, as in getrusage(2)


class ProcessContext:
    """What a process inherits from its parent.

    Attributes:
        variables: The environment, without the id of the current test.
        path: `sys.path`.
        directory: The working directory; None if it has been removed.
        umask: The file mode creation mask.
        niceness: The scheduling priority; None where the system has none.
        cpus: The CPU affinity; None where the system does not tell.
        limits: The soft and hard resource limits by their number.
    """

    def __init__(self) -> None:
        """Take the present context of this process."""
        self.variables = {name: value for name, value in os.environ.items() if name != CURRENT_TEST}
        self.path = tuple(sys.path)
        self.umask = os.umask(0o077)
        os.umask(self.umask)
        try:
            self.directory: str | None = os.getcwd()
        except OSError:
            self.directory = None
        self.niceness, self.cpus, self.limits = _inherited()


if sys.platform == "linux":
    from pytest_twin._system.stdlib import resource, signal

    LIMITS = sorted({value for name, value in vars(resource).items() if name.startswith("RLIMIT_")})
    _accounting = threading.Lock()

    def _inherited() -> tuple[int | None, frozenset[int] | None, Mapping[int, tuple[int, int]]]:
        limits = {limit: resource.getrlimit(limit) for limit in LIMITS}
        return os.getpriority(os.PRIO_PROCESS, 0), frozenset(os.sched_getaffinity(0)), limits

    def restore_context(context: ProcessContext, pid: int) -> None:
        """Set affinity, limits and priority of a new child where this process has others now, as far as permitted."""
        niceness, cpus, limits = _inherited()
        if context.cpus is not None and cpus != context.cpus:
            _attempt(os.sched_setaffinity, pid, context.cpus)
        for limit, (soft, hard) in context.limits.items():
            if limits[limit] != (soft, hard):
                now = limits[limit][1]  # without privileges, a hard limit that was lowered cannot be raised
                least = min(soft, now) if min(soft, now) >= 0 else max(soft, now)  # below 0 is no limit
                if not _attempt(resource.prlimit, pid, limit, (soft, hard)):
                    _attempt(resource.prlimit, pid, limit, (least, now))
        if context.niceness is not None and niceness != context.niceness:
            _attempt(os.setpriority, os.PRIO_PROCESS, pid, context.niceness)

    def _attempt(change: Callable[..., object], *values: object) -> bool:
        try:
            change(*values)
        except (OSError, ValueError):  # it is not permitted, or the process has ended
            return False
        return True

    class AccountedPopen(subprocess.Popen[bytes]):
        """A child whose resource usage is recorded when it is reaped, for `subtract_own_children`."""

        def poll(self) -> int | None:
            """Return the exit status, None while the process runs.

            While it runs this takes no lock of Popen's: an interrupt just then would leave the lock taken, and whoever
            waits for the end of the process would wait for ever.
            """
            return super().poll() if self._account(os.WNOHANG) else None

        def wait(self, timeout: float | None = None) -> int:
            """Wait for the end of the process and return its exit status.

            Raises:
                subprocess.TimeoutExpired: It has not ended within the timeout.
            """
            if timeout is None:
                self._account(0)
                return super().wait()
            until, pause_s = monotonic() + timeout, 0.0001
            while (status := self.poll()) is None:
                if monotonic() >= until:
                    raise subprocess.TimeoutExpired(self.args, timeout)
                InterruptSafeEvent().wait(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            return status

        def kill(self) -> None:
            """Send SIGKILL, unless the process has ended."""
            if self.poll() is None:
                try:
                    os.kill(self.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass

        def _account(self, options: int) -> bool:
            """Reap the process if it has ended, while hardly anything else adds to the usage of children.

            Returns:
                Whether it has ended.
            """
            if self.returncode is not None:
                return True
            try:
                if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | options) is None:
                    return False
            except ChildProcessError:  # reaped by other code of this process
                return True
            with _accounting:
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                super().poll()
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                known = _own_usage or [0.0] * len(before)
                _own_usage[:] = [old + late - early for old, early, late in zip(known, before, after, strict=True)]
            return True

else:
    AccountedPopen = subprocess.Popen[bytes]

    def _inherited() -> tuple[int | None, frozenset[int] | None, Mapping[int, tuple[int, int]]]:
        return None, None, {}

    def restore_context(context: ProcessContext, pid: int) -> None:
        """Do nothing: affinity, limits and priority are not recorded on this platform."""


def start(command: Sequence[str], context: ProcessContext, **options: Any) -> AccountedPopen:
    """Start a Python process with pipes for stdin and stdout, in the context of the run.

    Args:
        command: The arguments of Python.
        context: The context, whatever a test has made of this process's.
        options: Further arguments of `subprocess.Popen`.

    Raises:
        OSError: It cannot be started.
    """
    keywords = {
        "stdin": subprocess.PIPE,
        "stdout": subprocess.PIPE,
        "env": context.variables,
        "umask": context.umask,
        **options,
    }
    try:
        process = AccountedPopen([PYTHON, *command], cwd=context.directory, **keywords)
    except OSError as error:
        if context.directory is None or error.filename != context.directory:
            raise
        process = AccountedPopen([PYTHON, *command], **keywords)  # the directory was removed: use that of this process
    restore_context(context, process.pid)
    return process


def end(process: AccountedPopen, timeout_s: float) -> int | None:
    """Wait for the end of a process and kill it at the timeout; return its exit status, None if it cannot be killed."""
    for seconds in (timeout_s, KILL_TIMEOUT_S):
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    return None


def subtract_own_children(usage: Sequence[float]) -> Sequence[float]:
    """Return the usage of children, a result of getrusage(2), without that of the plugin's processes that have ended.

    The highest memory of any of them, which is no sum, stays as it is.
    """
    if not _own_usage:
        return usage
    remaining = [value - own for value, own in zip(usage, _own_usage, strict=True)]
    remaining[2] = usage[2]
    return remaining
