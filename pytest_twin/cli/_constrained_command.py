"""Run a command under a constraint that holds from its first instruction (Linux only).

The command is a child that waits until the constraint is in force.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import click

from pytest_twin._system.systemd_scope import SYSTEMD_RUN, is_in_scope, restart_in_scope, why_no_scope
from pytest_twin.loads.supervisor_client import SupervisorClient
from pytest_twin.model.quantity import format_bytes
from pytest_twin.stressors.system.capacity import MIB, text
from pytest_twin.stressors.system.prctl import die_with_parent

if TYPE_CHECKING:
    import resource

    from pytest_twin.loads.applied import AppliedLoad
    from pytest_twin.loads.spec import LoadPart

assert sys.platform == "linux"  # noqa: S101 - for the type checker: this module is for Linux only

from pytest_twin._system.foreground_child import HANDLED, wait_for  # noqa: E402 - so are these
from pytest_twin.stressors.constraint.memory import WatchedMemory  # noqa: E402
from pytest_twin.stressors.constraint.stop_signals import StopSignals  # noqa: E402

IGNORED_BY_PYTHON = {signal.SIGPIPE, signal.SIGXFSZ}  # a command expects the defaults
NOT_FOUND, NOT_EXECUTABLE, FAILED = 127, 126, 125  # as env(1) and timeout(1) exit
SECOND_BEST = StopSignals.backend, WatchedMemory.backend  # what needs no control group


def run(words: Sequence[str], part: LoadPart, backend: str) -> int:
    """Run a command under a constraint and return its exit status.

    Args:
        words: The command.
        part: The constraint.
        backend: What enforces it; empty for the first that works.

    Raises:
        click.ClickException: The constraint cannot be enforced; the command was not started.
    """
    if backend == "systemd" and not is_in_scope():
        if why := why_no_scope():
            raise click.ClickException(f"{SYSTEMD_RUN} cannot start a scope: {why}; the command was not started")
        _restart_in_scope()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)  # before there is a second thread
    try:
        command = WaitingCommand(words, mask)
        try:
            status = _run(command, part, "control group" if backend == "systemd" else backend.replace("-", " "))
        finally:
            command.close()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    if status is None:
        _restart_in_scope()  # only now: the signals that are blocked stay so in the program that follows (execve(2))
    return status


def _run(command: WaitingCommand, part: LoadPart, backend: str) -> int | None:
    """Run the command and return its exit status; None, without running it, if a scope has to be started for it."""
    supervisor = SupervisorClient(_say_aborted, lambda _: None)
    try:
        applied = _apply(supervisor, part, command.pid, backend)
        used = applied.achieved.get("backend", "")
        is_second_best = applied.failure or any(each in used for each in SECOND_BEST)
        if not backend and is_second_best and not is_in_scope() and not why_no_scope():
            return None
        if applied.failure:
            raise click.ClickException(f"{applied.failure}; the command was not started")
        own_bytes = command.own_bytes()
        status, usage = command.run()
        applied.stop()
        click.echo(_summary(applied, usage, own_bytes), err=True)
        return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    finally:
        supervisor.close()


def _apply(supervisor: SupervisorClient, part: LoadPart, pid: int, backend: str) -> AppliedLoad:
    """Constrain a process; return when that is in force, or has failed."""
    request = part.request("constraint").with_options(pid=pid, outside=[], backend=backend)
    applied = supervisor.apply(part, request)
    applied.wait_ready()
    return applied


class WaitingCommand:
    """A child that becomes the command once it is told to, and ends if this process ends before.

    Attributes:
        pid: Its process id.
    """

    def __init__(self, words: Sequence[str], mask: Iterable[int]) -> None:
        """Start the child.

        Args:
            words: The command.
            mask: The signals that the command has blocked.
        """
        reader, self._gate = os.pipe()
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._gate)
            _become(words, reader, parent, mask)
        os.close(reader)
        self._has_ended = False

    def own_bytes(self) -> int:
        """Return the peak memory of the child before it becomes the command, which the kernel counts for it too."""
        lines = (line.split() for line in text(f"/proc/{self.pid}", "status").splitlines())
        return next((int(words[1]) * 1024 for words in lines if words[:1] == ["VmHWM:"]), 0)

    def run(self) -> tuple[int, resource.struct_rusage]:
        """Let the child become the command, and wait for its end; pass signals on to it meanwhile.

        Returns:
            Its status as of wait(2), and what it and its children used.
        """
        os.write(self._gate, b".")
        status, usage = wait_for(self.pid)
        self._has_ended = True
        return status, usage

    def close(self) -> None:
        """End the child if it still waits."""
        if not self._has_ended:
            os.close(self._gate)
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self._has_ended = True


def _become(words: Sequence[str], gate: int, parent: int, mask: Iterable[int]) -> None:
    """Wait for a byte, then become the command; never returns."""
    status = FAILED
    try:
        if die_with_parent(parent) and os.read(gate, 1):
            for number in IGNORED_BY_PYTHON:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            os.execvp(words[0], [*words])  # noqa: S606 - without a shell, as it was written
    except OSError as error:
        os.write(2, f"pytest-twin constrain: {words[0]}: {error.strerror}\n".encode(errors="backslashreplace"))
        status = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
    finally:
        os._exit(status)


def _restart_in_scope() -> NoReturn:
    """Become the same command line within a scope of systemd.

    Raises:
        click.ClickException: There is no systemd-run.
    """
    try:
        restart_in_scope()
    except OSError as error:
        raise click.ClickException(f"{SYSTEMD_RUN}: {error.strerror}") from None


def _say_aborted(applied: AppliedLoad, reply: Mapping[str, Any]) -> None:
    """Tell at once that the rest of the command runs without the constraint."""
    if reply["event"] == "abort" and applied.ready_at is not None:
        click.echo(f"pytest-twin: {applied.part} ended early: {reply['reason']}", err=True)


def _summary(applied: AppliedLoad, usage: resource.struct_rusage, own_bytes: int) -> str:
    """Return a line with what the command used; of less memory than its process had before only a bound is known."""
    figures = applied.achieved
    # both may miss some: the first what was used since its last reading, the second processes that were not waited for
    cpu_s = max(figures.get("tests_cpu_s", 0.0), usage.ru_utime + usage.ru_stime)
    backend, peak, largest = figures.get("backend") or "nothing", figures.get("peak_bytes"), usage.ru_maxrss * 1024
    if peak is not None and WatchedMemory.backend in backend:  # which looks now and then
        peak = max(peak, largest)
    size, whose = (largest, "largest process") if peak is None else (peak, "peak memory")
    throttled = [f"throttled for {figures['throttled_s']:.2f} s"] if "throttled_s" in figures else []
    cpus = figures.get("effective_cpus")
    reduced = [] if cpus is None else [f"reduced to {cpus:g} CPUs by the group around it"]
    memory = f"{whose} {format_bytes(size) if size > own_bytes + MIB else f'below {format_bytes(own_bytes + MIB)}'}"
    words = [f"{cpu_s:.2f} s of CPU time", *throttled, memory, *reduced]
    return f"pytest-twin: {applied.part} by {backend}: {', '.join(words)}"
