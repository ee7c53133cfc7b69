"""A program of somebody else's in a worker: nothing of it is left, whichever process is killed.

The worker starts a keeper, the keeper starts the program. Both adopt whatever loses its parent below them
(PR_SET_CHILD_SUBREAPER, prctl(2)), so no descendant can get away. When the worker ends, however it does, a pipe that
only it held is at its end, and the keeper takes everything down; when the keeper is killed, the worker does so.
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

END_WITHIN_S = 0.3  # after that it is killed
LOOK_EVERY_S = 0.05

assert sys.platform == "linux"  # noqa: S101 - for the type checker: nothing here is to be had elsewhere


class ContainedProgram:
    """A running program, with all that it starts.

    Attributes:
        said: What it wrote, an open file without a name.
    """

    def __init__(self, command: list[str], scratch: str) -> None:
        """Start it.

        Args:
            command: The program and its arguments.
            scratch: A folder that is removed when it is gone.

        Raises:
            OSError: The machine gives no more processes.
        """
        self._scratch = scratch
        said = os.memfd_create("said")
        self.said = fcntl.fcntl(said, fcntl.F_DUPFD_CLOEXEC, 3)  # out of the way of those that a program begins with
        os.close(said)
        set_child_subreaper()
        end, self._held = os.pipe()
        self._status: int | None = None
        self._keeper = os.fork()
        if self._keeper == 0:
            try:
                close_all_but(end, self.said)
                os._exit(_run_subreaper(command, scratch, end, self.said))
            finally:
                os._exit(1)
        os.close(end)

    @property
    def program(self) -> int | None:
        """The process id of the program; None before it is there, and where it has ended."""
        return next((pid for pid in children(self._keeper) if _leads_group(pid)), None)

    def ended(self) -> str:
        """What ended it, nothing while it runs."""
        if self._status is None:
            pid, status = os.waitpid(self._keeper, os.WNOHANG)
            self._status = os.waitstatus_to_exitcode(status) if pid else None
        if self._status is None:
            return ""
        number = -self._status if self._status < 0 else self._status - 128
        return f"killed by {signal.Signals(number).name}" if number > 0 else f"exit {self._status}"

    def signal(self, number: int) -> None:
        """Send a signal to all of it."""
        program = self.program
        if program is not None:
            _tell_group(program, number)

    def cpu_s(self) -> float:
        """CPU seconds of all of it so far, what has ended counted too."""
        if self._status is not None:
            usage = os.times()
            return usage.children_user + usage.children_system
        ticks = sum(map(_ticks, (self._keeper, *descendants(self._keeper))))
        return ticks / os.sysconf("SC_CLK_TCK")

    def end(self) -> None:
        """Take it down, and come back when nothing is left."""
        os.close(self._held)
        if self._status is None:
            self._status = os.waitstatus_to_exitcode(os.waitpid(self._keeper, 0)[1])
        kill_all_children()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def words(self) -> list[str]:
        """The lines that it wrote so far."""
        return os.pread(self.said, 1 << 20, 0).decode("utf-8", "replace").splitlines()


def children(pid: int) -> list[int]:
    """The children of a process that has one thread."""
    return [int(word) for word in text(f"/proc/{pid}/task/{pid}", "children").split()]


def descendants(pid: int) -> Iterator[int]:
    """Its children, theirs, and so on."""
    for child in children(pid):
        yield child
        yield from descendants(child)


def kill_all_children(group: int | None = None) -> None:
    """Kill every child, and those that become one by it, until there is none; a process group first each time."""
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


def _run_subreaper(command: list[str], scratch: str, end: int, said: int) -> int:
    """The life of the keeper; its exit status is the program's."""
    set_child_subreaper()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    keeper = os.getpid()
    program = os.fork()
    if program == 0:
        try:
            _exec_program(command, keeper, said)
        finally:
            os._exit(127)
    status = 0
    try:
        status = _wait(program, end)
    finally:
        kill_all_children(program)
        shutil.rmtree(scratch, ignore_errors=True)
    return status if status >= 0 else 128 - status


def _exec_program(command: list[str], keeper: int, said: int) -> None:
    """Turn into the program, in a process group of its own, and die with the keeper."""
    os.setpgid(0, 0)
    if not die_with_parent(keeper):
        return
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.set_inheritable(0, True)  # where that was its number already
    os.dup2(said, 1)
    os.dup2(said, 2)
    try:
        os.execv(command[0], command)  # noqa: S606 - a list, never a shell
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())


def _wait(program: int, end: int) -> int:
    """Wait until the program ends, or is no longer wanted and had its time to end; its status."""
    until, asked = float("inf"), False
    while time.monotonic() < until:
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == program:
                return os.waitstatus_to_exitcode(status)
            if not pid:
                break
        if asked:
            time.sleep(0.005)
        elif select.select([end], [], [], LOOK_EVERY_S)[0]:
            asked, until = True, time.monotonic() + END_WITHIN_S
            _tell_group(program, signal.SIGINT)
    return -signal.SIGKILL


def _leads_group(pid: int) -> bool:
    try:
        return os.getpgid(pid) == pid
    except ProcessLookupError:  # it has just ended
        return False


def _tell_group(leader: int, number: int) -> None:
    try:
        os.killpg(leader, number)
    except ProcessLookupError:  # all of it has just ended
        pass


def _ticks(pid: int) -> int:
    """Clock ticks of a process and of its children that it has waited for; 0 where it has just ended."""
    fields = text(f"/proc/{pid}", "stat").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) if fields else 0
