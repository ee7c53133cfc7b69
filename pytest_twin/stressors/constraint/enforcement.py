"""The work of the enforcer: keep the parts of a constraint in force, in one thread (Linux only)."""

from __future__ import annotations

import os
import signal
import sys
import time

from pytest_twin.stressors.constraint import backends, stop_signals, target
from pytest_twin.stressors.system.prctl import run_promptly
from pytest_twin.stressors.worker.job import REPORT_EVERY_S, Job
from pytest_twin.stressors.worker.process import PAUSE, RESUME, StopRequested

assert sys.platform == "linux"  # noqa: S101 - for the type checker: this module is for Linux only

RECEIVED = {signal.SIGTERM, PAUSE}
NICE, SLICE_S = -10, 0.0001  # where this process sends stop signals: the tests must not keep it waiting
REUSE = "reuse"  # the option


def enforce(job: Job) -> None:
    """Enforce a constraint until the worker is stopped, then undo it.

    Raises:
        OSError: The guardian has ended, or the kernel does not accept a limit any more.
        StopRequested: The worker is stopped.
        ValueError: The constraint cannot be enforced here.
    """
    _open_standard_streams()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, PAUSE, RESUME})  # they are taken where it waits
    constraint = backends.Backends(job.options, job.pipe)
    try:
        Enforcer(job, constraint).run()
    finally:
        constraint.undo()


class Enforcer:
    """Runs the parts of a constraint, each when it is due, and reports their figures."""

    def __init__(self, job: Job, constraint: backends.Backends) -> None:
        self._job, self._constraint = job, constraint
        self._parts: list[target.Part] = []

    def run(self) -> None:
        """Put the constraint in force, for one load after another if it is reused, until the worker is stopped."""
        self._parts = self._constraint.begin()
        if any(isinstance(part, stop_signals.StopSignals) for part in self._parts):
            run_promptly(NICE, SLICE_S)  # not by the part itself, which `find_backends` tries in a process of others
        while True:
            for part in self._parts:
                part.restart()
            self._hold()
            self._rest()

    def _hold(self) -> None:
        """Keep the constraint in force until the load is over.

        Raises:
            StopRequested: It is over, and the constraint is not to be reused.
        """
        self._job.achieved["backend"] = " and ".join(
            dict.fromkeys(part.backend for part in self._parts if part.backend)
        )
        self._collect()
        self._job.ready()
        try:
            self._loop()
        except StopRequested:
            if not self._job.options.get(REUSE):
                raise
        finally:
            self._collect()

    def _rest(self) -> None:
        """Lift the constraint until the next load begins, for which nothing has to be set up again.

        Raises:
            StopRequested: There is none.
        """
        for part in self._parts:
            part.lift()
        while signal.sigtimedwait({RESUME}, 0) is not None:  # of a pause that the end of the load has overtaken
            pass
        self._job.rest(_wait_for_resume)
        self._constraint.update()
        for part in self._parts:
            part.resume()

    def _loop(self) -> None:
        """Run each part when it is due."""
        reported = time.monotonic()
        due = dict.fromkeys(self._parts, 0.0)
        while True:
            now = time.monotonic()
            for part in self._parts:
                if due[part] <= now:
                    due[part] = part.step(now)
            if now >= reported + REPORT_EVERY_S:
                reported = now
                self._constraint.check()
                self._collect()
                self._job.tick()
            if self._wait(min(reported + REPORT_EVERY_S, *due.values())):
                due = dict.fromkeys(self._parts, 0.0)

    def _collect(self) -> None:
        for part in self._parts:
            self._job.achieved.update(part.figures())

    def _wait(self, until: float) -> bool:
        """Wait until a time, or for a signal; return whether the constraint was paused meanwhile.

        Raises:
            StopRequested: The worker is to stop.
        """
        received = signal.sigtimedwait(RECEIVED, max(0.0, until - time.monotonic()))
        if received is None:
            return False
        if received.si_signo == signal.SIGTERM:
            raise StopRequested
        self._pause()
        return True

    def _pause(self) -> None:
        """Lift the constraint until the worker is resumed."""
        for part in self._parts:
            part.lift()
        self._collect()
        self._job.pause(_wait_for_resume)
        for part in self._parts:
            part.resume()


def _open_standard_streams() -> None:
    """Open the standard streams on the null device, so that no file of the constraint takes their place."""
    while (file := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(file)


def _wait_for_resume() -> None:
    """Wait for the signal to resume.

    Raises:
        StopRequested: The worker is to stop.
    """
    if signal.sigwait({signal.SIGTERM, RESUME}) == signal.SIGTERM:
        raise StopRequested
