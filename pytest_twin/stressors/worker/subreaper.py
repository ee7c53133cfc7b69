"""An external program in a worker, no process of which is left whichever process is killed.

The worker forks a subreaper, and the subreaper starts the program. Both adopt every descendant that loses its parent
(PR_SET_CHILD_SUBREAPER, prctl(2)), so none can escape. When the worker ends, however it does, the pipe that only it
holds open is closed, and the subreaper kills everything; when the subreaper is killed, the worker does so.
"""

from __future__ import annotations

import fcntl
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Iterator

from pytest_twin.stressors.system.capacity import text
from pytest_twin.stressors.system.prctl import die_with_parent, set_child_subreaper
from pytest_twin.stressors.worker.process import close_all_but

KILL_AFTER_S = 0.3  # after SIGINT
POLL_EVERY_S = 0.05

assert sys.platform == "linux"  # noqa: S101 - for the type checker: this module is for Linux only


class ContainedProgram:
    """A running program with all its descendants.

    Attributes:
        output: The descriptor of an unnamed file with what it has written to stdout and stderr.
    """

    def __init__(self, command: list[str], scratch: str) -> None:
        """Start it.

        Args:
            command: The program and its arguments.
            scratch: A folder that is removed at its end.

        Raises:
            OSError: The system has no more processes.
        """
        self._scratch = scratch
        output = os.memfd_create("output")
        self.output = fcntl.fcntl(output, fcntl.F_DUPFD_CLOEXEC, 3)  # not one of the standard streams
        os.close(output)
        set_child_subreaper()
        end, self._lifeline = os.pipe()
        self._status: int | None = None
        self._subreaper = os.fork()
        if self._subreaper == 0:
            try:
                close_all_but(end, self.output)
                os._exit(_run_subreaper(command, scratch, end, self.output))
            finally:
                os._exit(1)
        os.close(end)

    @property
    def program(self) -> int | None:
        """The process id of the program; None before it has started and after it has ended."""
        return next((pid for pid in children(self._subreaper) if _leads_group(pid)), None)

    def exit_reason(self) -> str:
        """Return what ended the program, empty while it runs."""
        if self._status is None:
            pid, status = os.waitpid(self._subreaper, os.WNOHANG)
            self._status = os.waitstatus_to_exitcode(status) if pid else None
        if self._status is None:
            return ""
        number = -self._status if self._status < 0 else self._status - 128
        return f"killed by {signal.Signals(number).name}" if number > 0 else f"exit {self._status}"

    def signal(self, number: int) -> None:
        """Send a signal to the process group of the program."""
        program = self.program
        if program is not None:
            _signal_group(program, number)

    def cpu_s(self) -> float:
        """Return the CPU seconds of all its processes so far, including those that have ended."""
        if self._status is not None:
            usage = os.times()
            return usage.children_user + usage.children_system
        ticks = sum(map(_ticks, (self._subreaper, *descendants(self._subreaper))))
        return ticks / os.sysconf("SC_CLK_TCK")

    def end(self) -> None:
        """End the program, and return when no process of it is left."""
        os.close(self._lifeline)
        if self._status is None:
            self._status = os.waitstatus_to_exitcode(os.waitpid(self._subreaper, 0)[1])
        kill_all_children()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def output_lines(self) -> list[str]:
        """Return the lines that it has written so far."""
        return os.pread(self.output, 1 << 20, 0).decode("utf-8", "replace").splitlines()


def children(pid: int) -> list[int]:
    """Return the children of a single-threaded process."""
    return [int(word) for word in text(f"/proc/{pid}/task/{pid}", "children").split()]


def descendants(pid: int) -> Iterator[int]:
    """Yield the children of a process, their children, and so on."""
    for child in children(pid):
        yield child
        yield from descendants(child)


def kill_all_children(group: int | None = None) -> None:
    """Kill a process group and all children, including those adopted meanwhile, until no child is left."""
    while True:
        for kill, pid in ((os.killpg, group), *((os.kill, child) for child in children(os.getpid()))):
            try:
                if pid is not None:
                    kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.002)


def _run_subreaper(command: list[str], scratch: str, end: int, output: int) -> int:
    """Start the program, wait for its end and kill its descendants; return the exit status of the program."""
    set_child_subreaper()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    subreaper = os.getpid()
    program = os.fork()
    if program == 0:
        try:
            _exec_program(command, subreaper, output)
        finally:
            os._exit(127)
    status = 0
    try:
        status = _wait(program, end)
    finally:
        kill_all_children(program)
        shutil.rmtree(scratch, ignore_errors=True)
    return status if status >= 0 else 128 - status


def _exec_program(command: list[str], subreaper: int, output: int) -> None:
    """Execute the program in this process, in a process group of its own; it is killed if the subreaper ends."""
    os.setpgid(0, 0)
    if not die_with_parent(subreaper):
        return
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.set_inheritable(0, True)  # dup2 does nothing if the descriptor is 0 already
    os.dup2(output, 1)
    os.dup2(output, 2)
    try:
        os.execv(command[0], command)  # noqa: S606 - a list, never a shell
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())


def _wait(program: int, end: int) -> int:
    """Wait until the program ends, interrupted when the worker closes its pipe; return its exit status."""
    until, is_interrupted = float("inf"), False
    while time.monotonic() < until:
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == program:
                return os.waitstatus_to_exitcode(status)
            if not pid:
                break
        if is_interrupted:
            time.sleep(0.005)
        elif select.select([end], [], [], POLL_EVERY_S)[0]:
            is_interrupted, until = True, time.monotonic() + KILL_AFTER_S
            _signal_group(program, signal.SIGINT)
    return -signal.SIGKILL


def _leads_group(pid: int) -> bool:
    try:
        return os.getpgid(pid) == pid
    except ProcessLookupError:  # it has just ended
        return False


def _signal_group(leader: int, number: int) -> None:
    try:
        os.killpg(leader, number)
    except ProcessLookupError:  # the whole group has just ended
        pass


def _ticks(pid: int) -> int:
    """Return the clock ticks of a process and of the children that it has reaped; 0 if it has just ended."""
    fields = text(f"/proc/{pid}", "stat").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) if fields else 0
