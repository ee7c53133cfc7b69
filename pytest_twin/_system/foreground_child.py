"""Wait for a child that stands in for this process: signals are passed on to it (Linux only).

The child has the standard streams, the process group and the terminal of this process. So a signal of the terminal
reaches it by itself, and any other one is passed on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_twin._system.stdlib import os, signal, sys

if TYPE_CHECKING:
    import resource

assert sys.platform == "linux"  # noqa: S101 - for the type checker: this module is for Linux only

PASSED_ON = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2}
HANDLED = PASSED_ON | {signal.SIGCHLD}


def wait_for(pid: int) -> tuple[int, resource.struct_rusage]:
    """Wait for the end of a child, and pass signals on to it meanwhile; `HANDLED` must be blocked.

    Returns:
        Its status as of wait(2), and what it and its children used.
    """
    while True:
        received = signal.sigwaitinfo(HANDLED)
        if received.si_signo == signal.SIGCHLD:
            ended, status, usage = os.wait4(pid, os.WNOHANG)
            if ended:
                return status, usage
        elif received.si_code <= 0:  # from a process; the terminal's are for the child as well (sigaction(2))
            os.kill(pid, received.si_signo)


def end_as(status: int) -> None:
    """End this process as a child has ended, by the same signal or with the same exit status; never returns.

    Args:
        status: The status of the child as of wait(2).
    """
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number not in {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status))  # noqa: SLF001 - the copy of `os`
